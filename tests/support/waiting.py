"""Wait for a condition, with a deadline and words for what did not come.

Patience costs nothing where the condition comes: it is made for a machine that is slow and busy.
"""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

PATIENCE = 60.0
T = TypeVar("T")


def until(
    condition: Callable[[], T | Literal[False] | None], what: str, seconds: float = PATIENCE, pause: float = 0.05
) -> T:
    """Poll until the condition gives something true, and give that; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(pause)
