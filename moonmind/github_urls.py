"""Which two addresses belong to one GitHub: its API, and its web with git. Either tells the other."""

from typing import NamedTuple
from urllib.parse import urlsplit

from moonmind.errors import NotConfigured

PUBLIC = "https://github.com"
_PUBLIC_API = "https://api.github.com"
_SERVER_API = "/api/v3"
"""Where GitHub Enterprise Server keeps its API."""
_RESIDENCE = ".ghe.com"
"""GitHub Enterprise Cloud with data residency: `<name>.ghe.com`, its API at `api.<name>.ghe.com`."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class GitHubUrls(NamedTuple):
    """The addresses of one GitHub, without a slash at the end."""

    api: str
    server: str


def checked_origin(url: str) -> str:
    """Check an address that a token is sent to: HTTPS, or HTTP on this machine alone. Raises ValueError."""
    text = url.strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError(f"must be an address like {PUBLIC}")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError(
            "must begin with https://: a token would be sent unencrypted (http:// is for this machine only)"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("must not hold a user, a password, or anything behind the path")
    return text


def github_urls(*, api: str | None, server: str | None) -> GitHubUrls:
    """Complete the pair from what is set; raises NotConfigured where one address does not tell the other."""
    if api is not None and server is not None:
        return GitHubUrls(api, server)
    if server is not None:
        return GitHubUrls(_api_of(server), server)
    if api is not None:
        return GitHubUrls(api, _server_of(api))
    return GitHubUrls(_PUBLIC_API, PUBLIC)


def _api_of(server: str) -> str:
    parts = urlsplit(server)
    if server == PUBLIC:
        return _PUBLIC_API
    if parts.netloc.endswith(_RESIDENCE):
        return f"{parts.scheme}://api.{parts.netloc}"
    return server + _SERVER_API


def _server_of(api: str) -> str:
    parts = urlsplit(api)
    if api == _PUBLIC_API:
        return PUBLIC
    if parts.netloc.startswith("api.") and parts.netloc.endswith(_RESIDENCE):
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
    if api.endswith(_SERVER_API):
        return api.removesuffix(_SERVER_API)
    raise NotConfigured(
        f"GITHUB_API_URL is {api}, from which the address of the repositories cannot be derived",
        remediation="Set GITHUB_SERVER_URL too, to the address that people open in a browser.",
    )
