"""How a command ends: one exit code per kind of end, one way to say an error.

0    the command did what was asked; with `--watch`, the run succeeded or had no work
1    a check failed; with `--watch`, the run failed or was cancelled
2    the command line or its input is wrong
3    no such run, or its status does not allow the command; a person has to choose before a run can start
4    a setting, a tool or a credential is missing or refused
5    a service that is needed does not answer now
70   an internal error, to be reported
130  interrupted
141  the reader of the output went away
143  asked to end (SIGTERM)
"""

import json
import os
import re
import sys
import textwrap
from enum import IntEnum

from moonmind.cli.terminal_text import clean
from moonmind.errors import (
    Conflict,
    CredentialInvalid,
    ErrorInfo,
    External,
    Forbidden,
    InvalidRequest,
    MoonMindError,
    NotConfigured,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
)


class Exit(IntEnum):
    """The exit codes; `EPILOG` says them in `--help`."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    STATE = 3
    SETUP = 4
    UNAVAILABLE = 5
    DEFECT = 70
    INTERRUPTED = 130
    NO_READER = 141
    TERMINATED = 143


EPILOG = (
    "Exit codes: 0 done (with --watch: the run succeeded or had no work); 1 a check failed (with --watch: the run failed "
    "or was cancelled); 2 the command line is wrong; 3 no such run, its status does not allow the command, or a person has to "
    "choose first; 4 a setting, a tool or a credential is missing or refused; 5 a service does not answer; 70 internal error, "
    "please report it; 130 interrupted."
)

_COMMAND_WORDS = {
    "forcePhase": "--from",
    "force_phase": "--from",
    "featureKey": "--feature",
    "feature_key": "--feature",
    "select.phase": "--phase",
    "select.story": "--story",
    "select.tasks": "--task",
    "select.skip": "--skip",
    "restart_from_discovery": "--from-discovery",
    "send the request again": "run the command again",
}
_API_WORDS = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in _COMMAND_WORDS))

_CODES: tuple[tuple[type[MoonMindError] | tuple[type[MoonMindError], ...], Exit], ...] = (
    # The first match wins: a class stands before its bases.
    (InvalidRequest, Exit.USAGE),
    ((NotFound, Conflict), Exit.STATE),
    ((Unauthorized, Forbidden, NotConfigured, CredentialInvalid), Exit.SETUP),
    ((Unavailable, External), Exit.UNAVAILABLE),
    (Rejected, Exit.FAILED),
)


def code_of(error: MoonMindError) -> Exit:
    """Choose the exit code of an error."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), Exit.DEFECT)


def of_status(status: str) -> Exit:
    """Choose the exit code of a run that has ended."""
    return Exit.FINE if status in {"succeeded", "no_work"} else Exit.FAILED


def say(error: ErrorInfo, *, as_json: bool = False) -> None:
    """Print an error on standard error; with `--json`, standard output gets its JSON form too."""
    width = os.get_terminal_size(sys.stderr.fileno()).columns if sys.stderr.isatty() else 0
    print(wrapped(f"error: {in_commands(clean(error.message))}", width), file=sys.stderr)
    if error.remediation:
        print(wrapped(f"fix: {in_commands(clean(error.remediation))}", width), file=sys.stderr)
    if as_json:
        print(json.dumps(error.as_json(), default=str))


def in_commands(text: str) -> str:
    """Translate into the command line's words what the API's users are told in theirs."""
    return _API_WORDS.sub(lambda found: _COMMAND_WORDS[found[0]], text)


def wrapped(text: str, width: int) -> str:
    """Break lines between words where they are longer than the terminal is wide; a width of 0 breaks none.

    What goes on with an indented line is indented further, so that each item of a list can be seen.
    """
    if width <= 0:
        return text
    lines = (
        textwrap.wrap(
            line,
            max(width, 20),
            subsequent_indent=" " * (indent + 2) if (indent := len(line) - len(line.lstrip())) else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
        for line in text.splitlines()
    )
    return "\n".join(part for parts in lines for part in parts)
