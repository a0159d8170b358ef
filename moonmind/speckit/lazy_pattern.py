"""Regular expressions that are compiled when they are first used.

Those of words in many languages take longer to compile than a command takes to start, and most commands need none of them.
"""

import re
from typing import Any, cast


class _Lazy:
    """Stands for a pattern; what is asked of it is kept, so that only the first time is a detour."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(re.compile(self.pattern, self.flags), name)
        setattr(self, name, found)
        return found


def lazy_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return what is used as `re.compile(pattern, flags)` is; a pattern that is none shows at its first use."""
    return cast("re.Pattern[str]", _Lazy(pattern, flags))
