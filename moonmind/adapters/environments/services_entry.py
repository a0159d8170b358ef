"""Starts services behind a sandbox's wall, waits for each until it is ready, and then becomes the job's command.

`python -c SOURCE TERMS COMMAND...` is run by whatever Python (3.8 or later) is behind the wall, without imports of ours.
TERMS is a JSON object: `starts`, pairs of a folder and a command for a shell; `seconds`, which all of them together may
take; `sign`, the words that begin what is said of one that fails, and `exit`, the exit code then.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, NoReturn


def main(terms: dict[str, Any], command: list[str]) -> NoReturn:
    """Start all services, and then the command in place of this program."""
    # Python changes these, and what is ignored would stay so in the command.
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    shell = shutil.which("bash") or "sh"
    deadline = time.monotonic() + terms["seconds"]
    for place, start in terms["starts"]:
        why = _start(shell, place, start, max(deadline - time.monotonic(), 0.0), terms["seconds"])
        if why is not None:
            _say(f"{terms['sign']}{why}: {start}")
            sys.exit(terms["exit"])
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        _say(f"{command[0]} cannot be started: {error.strerror}")
        sys.exit(127)


def _start(shell: str, place: str, start: str, seconds: float, limit: float) -> str | None:
    """Run a command to its end; return why the job cannot go on, if it cannot. What it left running is the service."""
    try:
        # Its output goes where errors go: what the job's command prints is read by a program.
        done = subprocess.run(
            [shell, "-ec", start],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f", since it did not return within {limit:.0f} seconds; let it return once the service is ready"
    except OSError as error:
        return f" ({error.strerror})"
    return None if done.returncode == 0 else ""


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
