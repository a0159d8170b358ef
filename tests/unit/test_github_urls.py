"""Either address of a GitHub tells the other."""

import pytest

from moonmind.errors import NotConfigured
from moonmind.github_urls import checked_origin, github_urls


@pytest.mark.parametrize(
    ("api", "server", "both"),
    [
        (None, None, ("https://api.github.com", "https://github.com")),
        (None, "https://github.com", ("https://api.github.com", "https://github.com")),
        ("https://api.github.com", None, ("https://api.github.com", "https://github.com")),
        (None, "https://git.acme.example", ("https://git.acme.example/api/v3", "https://git.acme.example")),
        (
            "https://git.acme.example:8443/api/v3",
            None,
            ("https://git.acme.example:8443/api/v3", "https://git.acme.example:8443"),
        ),
        (None, "https://acme.ghe.com", ("https://api.acme.ghe.com", "https://acme.ghe.com")),
        ("https://api.acme.ghe.com", None, ("https://api.acme.ghe.com", "https://acme.ghe.com")),
        ("https://one.example/x", "https://two.example", ("https://one.example/x", "https://two.example")),
    ],
)
def test_the_pair_is_completed(api: str | None, server: str | None, both: tuple[str, str]) -> None:
    assert github_urls(api=api, server=server) == both


def test_an_api_that_does_not_tell_its_server_is_refused_with_what_to_set() -> None:
    with pytest.raises(NotConfigured, match="cannot be derived") as caught:
        github_urls(api="https://api.acme.example", server=None)
    assert "GITHUB_SERVER_URL" in caught.value.advice


@pytest.mark.parametrize(
    "url", ["https://github.com/", " https://github.com", "http://127.0.0.1:80/api/v3", "http://localhost"]
)
def test_what_a_token_may_be_sent_to_is_taken_without_its_last_slash(url: str) -> None:
    assert checked_origin(url) == url.strip().rstrip("/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://github.com", "unencrypted"),
        ("http://127.0.0.1.example", "unencrypted"),
        ("ssh://github.com", "like https"),
        ("github.com", "like https"),
        ("https://", "like https"),
        ("https://user:word@github.com", "password"),
        ("https://github.com?x=1", "behind the path"),
    ],
)
def test_what_a_token_must_not_be_sent_to_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checked_origin(url)
