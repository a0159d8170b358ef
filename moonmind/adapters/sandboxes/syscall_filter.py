"""A seccomp filter for jobs: namespaces leave these doors open. Standard library only."""

import struct
from dataclasses import dataclass

_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_ABOVE, _RETURN, _AND = 0x20, 0x15, 0x45, 0x35, 0x06, 0x54
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24
"""Where the kernel puts a call's number, the architecture, and the lower half of the first two arguments."""
_X32 = 0x40000000
_NAMESPACES = 0x7E020080
"""CLONE_NEWTIME (for unshare alone: in a clone these bits are the signal), NS, CGROUP, UTS, IPC, USER, PID and NET."""
_FAMILIES = (0, 1, 2, 10, 16)
"""Unspecified, UNIX, IPv4, IPv6 and netlink: those that a network namespace confines. VSOCK leads to a machine's host."""
_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX type into a terminal for its owner."""


@dataclass(frozen=True, slots=True)
class _Calls:
    """The numbers of system calls on one architecture."""

    audit: int
    clone: int
    unshare: int
    socket: int
    socketpair: int
    ioctl: int
    refused: tuple[int, ...]
    """setns, add_key, request_key, keyctl, bpf, perf_event_open, syslog, name_to_handle_at, open_by_handle_at: other
    namespaces, keys of the login, the kernel and its log, files by their numbers."""
    absent: tuple[int, ...]
    """clone3, whose flags cannot be looked at, and io_uring, which makes sockets past a filter: programs do without."""


_KNOWN = {
    "x86_64": _Calls(
        0xC000003E, 56, 272, 41, 53, 16, (308, 248, 249, 250, 321, 298, 103, 303, 304), (435, 425, 426, 427)
    ),
    "aarch64": _Calls(
        0xC00000B7, 220, 97, 198, 199, 29, (268, 217, 218, 219, 280, 241, 116, 264, 265), (435, 425, 426, 427)
    ),
}  # fmt: skip


def program(machine: str) -> bytes | None:
    """Return the filter for a machine as `os.uname` names it; None for one whose system calls are not known here."""
    calls = _KNOWN.get(machine)
    if calls is None:
        return None
    lines: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, calls.audit),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),  # programs of another architecture would need numbers of their own
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [(_JUMP_ABOVE, 0, 1, _X32), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    for number in calls.absent:
        lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    for number in calls.refused:
        lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    for number, flags in ((calls.clone, _NAMESPACES & ~0xFF), (calls.unshare, _NAMESPACES)):
        lines += [
            (_JUMP_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _FIRST),
            (_JUMP_SET, 0, 1, flags),
            (_RETURN, 0, 0, _ERRNO | _EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    for number in (calls.socket, calls.socketpair):
        lines += [(_JUMP_EQUAL, 0, 3 + len(_FAMILIES), number), (_LOAD, 0, 0, _FIRST)]
        lines += [(_JUMP_EQUAL, len(_FAMILIES) - place, 0, family) for place, family in enumerate(_FAMILIES)]
        lines += [(_RETURN, 0, 0, _ERRNO | _EAFNOSUPPORT), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_JUMP_EQUAL, 0, 3 + len(_TERMINAL), calls.ioctl), (_LOAD, 0, 0, _SECOND)]
    lines += [(_JUMP_EQUAL, len(_TERMINAL) - place, 0, request) for place, request in enumerate(_TERMINAL)]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    lines += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
