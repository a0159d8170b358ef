"""The parts of an installation start in any order: each waits for what it needs, says so, and gives up in the end."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from moonmind.errors import Unavailable

log = structlog.get_logger(__name__)

PACE_SECONDS = 2.0

T = TypeVar("T")


def when_there(build: Callable[[], T], what: str, seconds: float) -> T:
    """Build something again and again until what it needs is available; raises Unavailable after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return build()
        except Unavailable as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            log.warning("start.waiting", what=what, error=error.message, gives_up_in_seconds=round(left))
            time.sleep(min(PACE_SECONDS, left))
