import base64

import pytest

from moonmind.adapters.supervisor.upstream import Upstream


@pytest.mark.parametrize(
    ("url", "host", "port", "login"),
    [
        ("http://proxy.corp:3128", "proxy.corp", 3128, ""),
        ("http://proxy.corp", "proxy.corp", 80, ""),
        ("proxy.corp:3128", "proxy.corp", 3128, ""),
        ("http://me:s3cret-word@10.0.0.1:3128/", "10.0.0.1", 3128, "me:s3cret-word"),
        ("http://m%40e:p%2Fa%3As%25s@[::1]:3128", "::1", 3128, "m@e:p/a:s%s"),
        ("http://me@proxy", "proxy", 80, "me:"),
    ],
)
def test_an_address_is_read_with_its_login(url: str, host: str, port: int, login: str) -> None:
    upstream = Upstream.of(url)
    assert (upstream.host, upstream.port, upstream.login) == (host, port, login)
    wanted = [("Proxy-Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")] if login else []
    assert upstream.headers == wanted


@pytest.mark.parametrize(
    "url",
    ["", "http://", "https://me:s3cret-word@proxy", "socks5://me:s3cret-word@proxy", "http://me:s3cret-word@[proxy:1",
     "http://me:s3cret-word#x@proxy:3128", "http://me:s3cret-word@proxy:port", "http://me:s3cret-word@proxy:99999"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        Upstream.of(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_its_login_is_not_printed() -> None:
    assert "s3cret" not in repr(Upstream.of("http://me:s3cret-word@proxy"))
