"""The filter, run as the kernel runs it: on each kind of machine, whichever this one is."""

import struct
from collections.abc import Sequence

import pytest

from moonmind.adapters.sandboxes.syscall_filter import program

ALLOWED, EPERM, ENOSYS, EAFNOSUPPORT = 0x7FFF0000, 0x50001, 0x50026, 0x50061
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003
CALLS: dict[str, tuple[int, int]] = {
    "read": (0, 63), "openat": (257, 56), "execve": (59, 221), "clone": (56, 220), "clone3": (435, 435),
    "unshare": (272, 97), "setns": (308, 268), "socket": (41, 198), "socketpair": (53, 199), "ioctl": (16, 29),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280), "syslog": (103, 116),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "connect": (42, 203), "futex": (202, 98),
    "open_by_handle_at": (304, 265), "ptrace": (101, 117), "mount": (165, 40),
}  # fmt: skip
"""Numbers on x86_64 and on aarch64, as the kernel's headers have them."""
THREAD = 0x3D0F00
"""What the C library asks of clone for a thread."""
NEWUSER, NEWNS, NEWNET, NEWTIME = 0x10000000, 0x20000, 0x40000000, 0x80
SIGCHLD, VFORK = 17, 0x4111


def run(code: bytes, number: int, arguments: Sequence[int], audit: int) -> int:
    """Interpret classic BPF on a system call, and return the verdict."""
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, audit, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    lines = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    held = at = 0
    while True:
        operation, if_true, if_false, operand = lines[at]
        at += 1
        match operation:
            case 0x20:
                (held,) = struct.unpack_from("=I", data, operand)
            case 0x15:
                at += if_true if held == operand else if_false
            case 0x35:
                at += if_true if held >= operand else if_false
            case 0x45:
                at += if_true if held & operand else if_false
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(f"operation {operation:#x}")


@pytest.mark.parametrize("machine", AUDIT)
@pytest.mark.parametrize(
    ("call", "arguments", "verdict"),
    [
        *((name, [], ALLOWED) for name in ("read", "openat", "execve", "connect", "futex", "ptrace", "mount")),
        *(("clone", [flags], ALLOWED) for flags in (SIGCHLD, VFORK, THREAD, 0)),
        *(("clone", [flags | SIGCHLD], EPERM) for flags in (NEWUSER, NEWNS, NEWNET, NEWUSER | NEWNS)),
        ("clone3", [], ENOSYS),
        *(("unshare", [flags], ALLOWED) for flags in (0x400, 0x200, 0)),
        *(("unshare", [flags], EPERM) for flags in (NEWUSER, NEWNS, NEWTIME, NEWUSER | 0x400, 0xFFFFFFFF)),
        *((name, [family], ALLOWED) for name in ("socket", "socketpair") for family in (0, 1, 2, 10, 16)),
        *((name, [family], EAFNOSUPPORT) for name in ("socket", "socketpair") for family in (3, 17, 38, 40, 44, 2**31)),
        *(("ioctl", [0, request], ALLOWED) for request in (0x5401, 0x5413, 0x541B, 0)),
        *(("ioctl", [0, request], EPERM) for request in (0x5412, 0x541C, 0x5412 | 1 << 32)),
        *((name, [], EPERM) for name in ("setns", "keyctl", "add_key", "request_key", "bpf", "syslog", "perf_event_open")),
        ("open_by_handle_at", [], EPERM),
        ("io_uring_setup", [], ENOSYS),
    ],
)  # fmt: skip
def test_a_call_is_judged(machine: str, call: str, arguments: list[int], verdict: int) -> None:
    code = program(machine)
    assert code is not None
    assert run(code, CALLS[call][list(AUDIT).index(machine)], arguments, AUDIT[machine]) == verdict


@pytest.mark.parametrize("machine", AUDIT)
@pytest.mark.parametrize("number", [0, 56, 250, 359])
def test_calls_of_another_architecture_are_not_there(machine: str, number: int) -> None:
    code = program(machine)
    assert code is not None
    assert run(code, number, [], I386) == ENOSYS


@pytest.mark.parametrize("call", ["read", "socket", "keyctl", "clone"])
def test_nor_are_calls_by_the_numbers_of_x32(call: str) -> None:
    code = program("x86_64")
    assert code is not None
    assert run(code, CALLS[call][0] | 0x40000000, [40], AUDIT["x86_64"]) == ENOSYS


def test_an_unknown_machine_has_none() -> None:
    assert program("riscv64") is None
