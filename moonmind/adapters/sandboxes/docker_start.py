"""Becomes a job's first process, within its container: the image's Python (3.8 or later) runs this text as `-c`.

VARIABLE holds what must not be in arguments, and must not reach the client either, which would obey some of it (DOCKER_HOST,
LD_PRELOAD): the job's environment. With it comes a filter of system calls, for what the engine's own lets through: old ones let
a job reach the host of a virtual machine.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

VARIABLE = "MOONMIND_JOB"
PYTHON = "{python}"
_SET_SECCOMP, _FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


def start(command: list[str]) -> None:
    """Put the filter on, and become the command with the environment of the job over the image's."""
    environment = dict(os.environ)  # noqa: TID251 - the container's
    given = json.loads(environment.pop(VARIABLE))
    environment.update(given["environment"])
    if given["filter"]:
        lines = bytes.fromhex(given["filter"])
        program = _Program(len(lines) // 8, lines)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program), 0, 0) != 0:
            sys.exit("sandbox: system calls cannot be filtered: " + os.strerror(ctypes.get_errno()))
    words = [sys.executable if word == PYTHON else word for word in command]
    # No variable and no file of the job's has a say in a program of ours.
    isolated = ["-I"] if command[0] == PYTHON else []
    os.execvpe(words[0], words[:1] + isolated + words[1:], environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    start(sys.argv[1:])
