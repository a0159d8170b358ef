"""The network's own proxy, by which hosts are reached where it is the only way out; its password is a secret."""

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Upstream:
    """A proxy of HTTP, and the login that it asks for."""

    host: str
    port: int
    login: str = field(default="", repr=False)
    """`user:password`; empty: it asks for none."""

    @classmethod
    def of(cls, url: str) -> "Upstream":
        """Read `http://[user:password@]host[:port]`. Raises ValueError, without quoting it."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host, port = None, 0
        if not host or parts.scheme != "http":
            # Not chained: the message of the cause could quote the password.
            raise ValueError("the address of the network's proxy is not http://[user:password@]host:port") from None
        login = "" if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(host, port, login)

    @property
    def password(self) -> str:
        """Return the secret part of the login."""
        return self.login.partition(":")[2]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return what it is sent with each request."""
        if not self.login:
            return []
        return [("Proxy-Authorization", "Basic " + base64.b64encode(self.login.encode()).decode())]
