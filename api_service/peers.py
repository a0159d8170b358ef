"""Whose socket is at the other end of a connection on this machine: asked of the kernel, since addresses prove nothing."""

import errno
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import anyio.to_thread
from starlette.types import Scope

ROOT = 0
_EVERY_ID = 2**32 - 1
"""How many ids a user namespace maps where it maps all: the machine's own."""

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLMSG_ERROR = 2
_LISTEN = 10
_HEADER = struct.Struct("=IHHII")
_SOCKET_ID = struct.Struct("!HH16s16s")
_REQUEST = struct.Struct("=BBBxI")
_ANY_INTERFACE_AND_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_ANSWER = struct.Struct("=BBBB36s12xIIIII")
"""family, state, timer, retransmits, addresses, (interface, cookie), expires, rqueue, wqueue, uid, inode"""
_ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a TCP connection. An address is IPv4 wherever it can be: `::ffff:127.0.0.1` is 127.0.0.1."""

    address: IPv4Address | IPv6Address
    port: int

    @classmethod
    def of(cls, pair: object) -> "Endpoint | None":
        """Return the end that a server names as (address, port); None for what is not one, as a Unix socket's."""
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            return None
        host, port = pair
        try:
            address = ip_address(host)
        except ValueError:
            return None
        if not isinstance(port, int) or not 0 < port < 2**16:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return cls(address, port)


OwnerOf = Callable[[Scope], Awaitable[int | None]]
"""Return the user id of the open socket that a request came from, or None where it has none or is not known."""


async def socket_owner(scope: Scope) -> int | None:
    """Return the user id of the open socket that a request came from, as the kernel knows it now; else None.

    A socket that its program has closed belongs to nobody any more; the kernel shows it under user id 0.
    """
    peer, server = Endpoint.of(scope.get("client")), Endpoint.of(scope.get("server"))
    if peer is None or server is None or peer.address.version != server.address.version:
        return None
    try:
        return ask_kernel(peer, server)
    except OSError:
        # There is no such socket, no netlink (a system call filter), or a kernel without the module that answers.
        return await anyio.to_thread.run_sync(read_tables, peer, server)


def may_pass(owner: int) -> bool:
    """Return True for this process's user and for root, as this process's user namespace numbers them."""
    if owner not in {os.geteuid(), ROOT}:
        return False
    return owner != _nobody() or _maps_every_user()


def ask_kernel(peer: Endpoint, server: Endpoint) -> int | None:
    """Return the owner of exactly this socket by one `sock_diag` question; raises OSError where it gets no answer.

    ENOENT is raised too: it means "no such socket" as well as "no such module".
    """
    family = socket.AF_INET if peer.address.version == 4 else socket.AF_INET6
    # An IPv6 socket with a mapped address is found under IPv4, where the kernel keeps it.
    addresses = _SOCKET_ID.pack(peer.port, server.port, peer.address.packed, server.address.packed)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + addresses + _ANY_INTERFACE_AND_COOKIE
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)) as asked:
        asked.settimeout(_ANSWER_SECONDS)  # the answer is there when `send` returns
        asked.send(header + body)
        answer, (sender, _) = asked.recvfrom(4096)
    if sender != 0:
        raise OSError(errno.EBADMSG, "the answer is not the kernel's")
    try:
        _, kind, *_ = _HEADER.unpack_from(answer)
        if kind == _NLMSG_ERROR:
            (code,) = struct.unpack_from("=i", answer, _HEADER.size)
            raise OSError(-code or errno.EBADMSG, os.strerror(-code))
        found_family, state, _, _, found, _, _, _, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    except struct.error as error:
        raise OSError(errno.EBADMSG, "the kernel's answer is too short") from error
    if kind != _SOCK_DIAG_BY_FAMILY or state == _LISTEN or _ends(found_family, found) != (peer, server):
        return None  # the kernel answers with a listening socket on the port where there is no connected one
    return int(uid) if inode else None


def _ends(family: int, found: bytes) -> tuple[Endpoint | None, Endpoint | None]:
    local_port, remote_port, local, remote = _SOCKET_ID.unpack(found)
    size = 4 if family == socket.AF_INET else 16
    return (
        Endpoint.of((str(ip_address(local[:size])), local_port)),
        Endpoint.of((str(ip_address(remote[:size])), remote_port)),
    )


def read_tables(peer: Endpoint, server: Endpoint, folder: Path = Path("/proc/self/net")) -> int | None:
    """Return the owner of exactly this socket from the kernel's tables of all TCP sockets; None where they say none.

    An IPv4 connection may be held by an IPv6 socket, under its mapped addresses.
    """
    names = ("tcp", "tcp6") if peer.address.version == 4 else ("tcp6",)
    for name in names:
        wanted = [_in_table(end, wide=name == "tcp6") for end in (peer, server)]
        try:
            with (folder / name).open(encoding="utf-8") as table:
                next(table, None)  # the columns' names
                for line in table:
                    fields = line.split()
                    if fields[1:3] == wanted and int(fields[3], 16) != _LISTEN:
                        uid, inode = int(fields[7]), int(fields[9])
                        return uid if inode else None
        except (OSError, ValueError, IndexError):
            continue  # unreadable: nothing is known of this connection here
    return None


def _in_table(end: Endpoint, *, wide: bool) -> str:
    """Return an end as the tables write it: each 32 bits of the address as one number of this machine."""
    packed = end.address.packed
    if wide and isinstance(end.address, IPv4Address):
        packed = IPv6Address(f"::ffff:{end.address}").packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return f"{''.join(f'{word:08X}' for word in words)}:{end.port:04X}"


@cache
def _nobody() -> int:
    """Return the id that stands for every user whom this user namespace does not map."""
    try:
        return int(Path("/proc/sys/kernel/overflowuid").read_text("utf-8"))
    except (OSError, ValueError):
        return 65534


@cache
def _maps_every_user() -> bool:
    """Return True outside of containers with users of their own, where `nobody` is a user like any other."""
    try:
        lines = Path("/proc/self/uid_map").read_text("utf-8").split("\n")
        return sum(int(line.split()[2]) for line in lines if line) >= _EVERY_ID
    except (OSError, ValueError, IndexError):
        return False
