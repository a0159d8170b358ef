"""The passwords inside addresses: of databases, brokers and proxies."""

from collections.abc import Iterable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

SHORTEST_PASSWORD = 8
_DISTINCT = 5
_SHORTEST_TOKEN = 20
"""Characters of a user name that stands without a password: such a one may be a token."""

_COMMON = """
administrator admin123 changeit changeme changethis database default123 developer development 12345678 123456789
1234567890 guestguest insecure letmein localhost mypassword passw0rd password password1 password123 postgres postgresql
qwertyui qwertyuiop rabbitmq rootroot secret12 secret123 secretpassword testtest testpassword topsecret
"""
_DEFAULTS = frozenset(_COMMON.split())
"""Passwords of examples and containers' defaults. They protect nothing, and stand in code that has nothing to hide."""

_PARAMETERS = frozenset({"pass", "passwd", "password", "pwd", "secret", "sslpassword", "token"})


def url_secrets(urls: Iterable[str]) -> Iterator[str]:
    """Return the passwords in addresses, as they stand there and decoded, if a match of them would mean something.

    Left out: what is shorter than eight characters, repeats fewer than five, is a known default, or equals the user,
    the host or the database of the same address. A patch that holds such a word is an ordinary patch.
    """
    for url in urls:
        try:
            parts = urlsplit(url.strip())
            names = {name.casefold() for name in _names(parts)}
        except ValueError:  # no address; its user reports that
            continue
        for found in _candidates(parts):
            for password in dict.fromkeys((found, unquote(found))):
                if _means_something(password) and password.casefold() not in names:
                    yield password


def _candidates(parts: SplitResult) -> Iterator[str]:
    credentials, at, _ = parts.netloc.rpartition("@")
    if at:
        user, colon, password = credentials.partition(":")
        if colon:
            yield password
        elif len(user) >= _SHORTEST_TOKEN:
            yield user
    for parameter in parts.query.split("&"):
        name, _, value = parameter.partition("=")
        if name.casefold() in _PARAMETERS:
            yield value


def _names(parts: SplitResult) -> Iterator[str]:
    host = parts.hostname or ""
    yield from (host, host.partition(".")[0], parts.path.strip("/"))
    credentials, _, _ = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    if colon:
        yield from (user, unquote(user), user * 2)


def _means_something(password: str) -> bool:
    return (
        len(password) >= SHORTEST_PASSWORD and len(set(password)) >= _DISTINCT and password.casefold() not in _DEFAULTS
    )
