"""Which repositories are admitted, and which patterns are none."""

import pytest

from moonmind.errors import NotConfigured, RepositoryNotAllowed
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.settings import load_settings


@pytest.mark.parametrize(
    ("patterns", "name", "admitted"),
    [
        ("", "any/thing", True),
        ("acme/*", "acme/app", True),
        ("acme/*", "ACME/App", True),
        ("Acme/App", "acme/app", True),
        ("acme/*", "acme-evil/app", False),
        ("acme/*", "evil/acme", False),
        ("acme*/app", "acme-labs/app", True),
        ("acme*/app", "acme/app2", False),
        ("*/docs", "any/docs", True),
        ("*/docs", "any/docs.old", False),
        ("acme/app", "acme/app.git", False),
        ("acme/app", "acme/my-app", False),
        ("acme/v?", "acme/v1", True),
        ("acme/v?", "acme/v10", False),
        ("acme/a.b", "acme/a-b", False),
        ("one/*, acme/app ,", "acme/app", True),
        ("one/*,two/*", "three/x", False),
        ("*/*", "any/thing", True),
    ],
)
def test_a_name_is_compared_as_the_forge_compares_names(
    monkeypatch: pytest.MonkeyPatch, patterns: str, name: str, admitted: bool
) -> None:
    monkeypatch.setenv("MOONMIND_REPOSITORIES", patterns)
    found = RepositoryPatterns(load_settings().repositories)
    assert found.admits(name) is admitted
    if not admitted:
        with pytest.raises(RepositoryNotAllowed) as refused:
            found.require(name)
        assert refused.value.http_status == 403
        assert name in refused.value.message
        assert found.patterns[0] in refused.value.message


@pytest.mark.parametrize(
    "pattern",
    [
        "acme", "*", "acme/", "/app", "acme/app/x", "acme//app", "https://github.com/acme/app", "git@github.com:acme/app",
        "acme/a b", "!acme/app", "acme/[ab]", "acme/{a,b}", "acme/äpp", "acme/*;other/*", "^acme/.*$", "acme\\app", " , ",
    ],
)  # fmt: skip
def test_what_can_never_match_what_was_meant_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.setenv("MOONMIND_REPOSITORIES", f"acme/fine,{pattern}" if pattern.strip(" ,") else pattern)
    with pytest.raises(NotConfigured) as refused:
        load_settings()
    assert refused.value.message.startswith("MOONMIND_REPOSITORIES: ")


def test_an_owner_alone_is_answered_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONMIND_REPOSITORIES", "acme")
    with pytest.raises(NotConfigured, match="did you mean `acme/\\*`"):
        load_settings()
