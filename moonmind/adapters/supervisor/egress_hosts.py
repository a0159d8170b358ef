"""Which hosts a build may reach, and at which addresses: pure, and strict about how a host is written.

Whoever asks is not to be trusted. One host has many spellings (`0x7f.1`, `127.1`, `[::ffff:127.0.0.1]`, `exämple.org`,
`example.org.`), and what one program takes for a name is an address to another. So a host is a name of ASCII letters,
digits, hyphens and underscores, or an address in its usual form; everything else is refused and never looked up.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address

PORTS = (80, 443)
"""Of a host that is listed without a port."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label like this makes a host an address for some programs, however short it is."""
_UNICAST = IPv6Network("2000::/3")
_SPECIAL = tuple(ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2002::/16"))
"""Of protocols and relays, the last one to whichever IPv4 address is in it; some versions of Python call them global."""
_TRANSLATED = IPv6Network("64:ff9b::/96")
_LOCAL_NAME = re.compile(r"(.*\.)?localhost")


@dataclass(frozen=True, slots=True)
class Target:
    """A host in its one spelling, and a port."""

    host: str
    """In lower case and without a last dot; an IPv6 address without brackets."""
    port: int
    address: Address | None
    """Where the host is an address itself."""

    def __str__(self) -> str:
        return f"{self.written}:{self.port}"

    @property
    def written(self) -> str:
        """Return the host as it is written in URLs."""
        return f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host


def target_of(text: str, default: int | None = None) -> Target:
    """Read `host:port`, or `host` where there is a port by default. Raises ValueError, also for odd spellings."""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError("an address in brackets is not closed")
        address = _ipv6(host)
        return Target(str(address), _port(rest[1:] if rest else None, default), address)
    host, colon, number = text.partition(":")
    name, known = _name(host)
    return Target(name, _port(number if colon else None, default), known)


def is_public(address: Address) -> bool:
    """Return True for an address of the public Internet: of one host, in no private, local or reserved network."""
    if isinstance(address, IPv6Address) and address in _TRANSLATED:
        address = IPv4Address(int(address) & 0xFFFFFFFF)
    if not address.is_global or address.is_multicast or any(address in network for network in _SPECIAL):
        return False
    return isinstance(address, IPv4Address) or address in _UNICAST


def may_be_public(target: Target) -> bool:
    """Return False for what is a private address, or this machine, by its writing alone."""
    return is_public(target.address) if target.address is not None else _LOCAL_NAME.fullmatch(target.host) is None


class HostList:
    """Hosts as an operator lists them: `host`, `host:port`, `*.example.org`, `*.example.org:port`."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Read the list. Raises ValueError for an entry that is none, and could be meant for anything."""
        self._exact: set[tuple[str, int]] = set()
        self._below: set[tuple[str, int]] = set()
        for entry in entries:
            wild = entry.startswith("*.")
            try:
                target = target_of(entry.removeprefix("*."), default=0)
            except ValueError as error:
                raise ValueError(f"{entry!r} is not a host: {error}") from None
            if wild and target.address is not None:
                raise ValueError(f"{entry!r} is not a host: nothing is below an address")
            places = self._below if wild else self._exact
            places.update((target.host, port) for port in ((target.port,) if target.port else PORTS))

    def holds(self, target: Target) -> bool:
        """Return True if the host is listed with this port."""
        if (target.host, target.port) in self._exact:
            return True
        labels = target.host.split(".") if target.address is None else []
        return any((".".join(labels[start:]), target.port) in self._below for start in range(1, len(labels)))


class Bypass:
    """Hosts that are reached without the network's proxy, as NO_PROXY lists them; what is not understood fits nothing."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = [entry.strip().lower().rstrip(".") for entry in entries]

    def holds(self, target: Target) -> bool:
        """Return True if the host, or one that it is below, is listed, with this port or without any."""
        return any(self._fits(entry, target) for entry in self._entries)

    def _fits(self, entry: str, target: Target) -> bool:
        if entry == "*":
            return True
        if target.address is not None and "/" in entry:
            try:
                return target.address in ip_network(entry, strict=False)
            except ValueError:
                return False
        for suffix in (f":{target.port}", ""):
            host = entry.removesuffix(suffix) if suffix else entry
            if host in (target.host, target.written):
                return True
            name = host.removeprefix("*").removeprefix(".")
            if name and target.address is None and (target.host == name or target.host.endswith(f".{name}")):
                return True
        return False


def _port(number: str | None, default: int | None) -> int:
    if number is None and default is not None:
        return default
    if number is None or not _PORT.fullmatch(number) or int(number) > 65535:
        raise ValueError("it has no port, or one that is not a number from 1 to 65535")
    return int(number)


def _ipv6(text: str) -> IPv6Address:
    try:
        address = IPv6Address(text if text.isascii() and "%" not in text else "")
    except ValueError:
        raise ValueError("what is in brackets is not an IPv6 address without a zone") from None
    if address.ipv4_mapped is not None:
        raise ValueError("an IPv4 address is written as one of IPv6")
    return address


def _name(text: str) -> tuple[str, Address | None]:
    if not text.isascii():
        raise ValueError("a name has to be written in ASCII")
    name = text.lower().removesuffix(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        try:
            return text, IPv4Address(text)
        except ValueError:
            raise ValueError("an IPv4 address has to be four numbers without leading zeros") from None
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("a name is of letters, digits, hyphens and dots")
    return name, None
