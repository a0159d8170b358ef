"""Becomes bwrap: opens what bwrap takes from descriptors, and hands the job's environment over unseen.

`python -I -S bubblewrap_start.py BWRAP FILE-OPTION... -- OPTION... -- COMMAND...` is run as a file. In the file options,
`text:HEX` becomes a descriptor of that text, and `file:PATH` one of that file. The job's variables come with `PREFIX` before
their names: otherwise those that a repository chooses (LD_PRELOAD, say) would work on this program, on the one that started
it and on bwrap, all of which are outside of the wall. Other variables of this process stay outside.

It is on the way of each job, so it imports next to nothing.
"""

import os
import sys

PREFIX = "BOXED_"
"""Before the name of each variable that is meant for the job."""
TEXT, FILE = "text:", "file:"


def start(bwrap: str, arguments: list[str]) -> None:
    """Become bwrap. Raises OSError."""
    _close_others()
    files, rest = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    said = [_opened(word) for word in files]
    outside = {}
    for name, value in os.environ.items():  # noqa: TID251 - this program's own, made for it
        if name.startswith(PREFIX):
            said += ["--setenv", name.removeprefix(PREFIX), value]
        else:
            outside[name] = value
    # First those that stay outside: the job may have one of the same name.
    unset = [word for name in outside for word in ("--unsetenv", name)]
    given = _memory(b"".join(os.fsencode(word) + b"\0" for word in (*unset, *said)))
    os.execve(bwrap, [bwrap, "--args", given, *rest], outside)  # noqa: S606 - no shell is wanted


def _close_others() -> None:
    """Close what was left open. Not number by number: the limit may be a thousand million."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib takes longer to import than all else
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:  # the one by which the folder was read
                continue


def _opened(word: str) -> str:
    if word.startswith(TEXT):
        return _memory(bytes.fromhex(word.removeprefix(TEXT)))
    if word.startswith(FILE):
        descriptor = os.open(word.removeprefix(FILE), os.O_RDONLY)
        os.set_inheritable(descriptor, True)
        return str(descriptor)
    return word


def _memory(content: bytes) -> str:
    """Return a descriptor of a file in memory with this content, which bwrap inherits."""
    descriptor = os.memfd_create("moonmind", 0)
    while content:
        content = content[os.write(descriptor, content) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return str(descriptor)


if __name__ == "__main__":
    try:
        start(sys.argv[1], sys.argv[2:])
    except OSError as error:
        sys.exit(f"sandbox: bwrap cannot be started: {error}")
