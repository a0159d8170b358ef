"""How a Celery command ends that could not do its work: with a sentence and a code that scripts can read, never a trace."""

import sys
from typing import NoReturn

from moonmind.errors import MoonMindError

SETUP = 4
"""As the exit code of `moonmind`: a setting, a tool or a credential is missing or refused."""


def refuse(sentence: str) -> NoReturn:
    """End this process; raises SystemExit, which Celery lets pass."""
    sys.stderr.write(f"moonmind worker: {sentence}\n")
    sys.stderr.flush()
    raise SystemExit(SETUP)


def refuse_for(error: MoonMindError) -> NoReturn:
    """End this process for an error, with its fix."""
    refuse(f"{error.message}\n  fix: {error.advice}")
