"""Which repositories may be run: patterns such as `acme/*`, compared as the forge compares names."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from moonmind.errors import RepositoryNotAllowed

VARIABLE = "MOONMIND_REPOSITORIES"
_PART = re.compile(r"[A-Za-z0-9._*?-]+")


@dataclass(frozen=True, slots=True)
class RepositoryPatterns:
    """The patterns of MOONMIND_REPOSITORIES; none at all admit every repository."""

    patterns: tuple[str, ...] = ()

    def admits(self, name: str) -> bool:
        """Return True if `owner/name` may be run.

        `*` stands for any number of characters and `?` for one; neither stands for `/`. Upper and lower case are equal.
        """
        if not self.patterns:
            return True
        owner, _, repository = name.casefold().partition("/")
        parts = (pattern.casefold().split("/") for pattern in self.patterns)
        return any(fnmatchcase(owner, one) and fnmatchcase(repository, other) for one, other in parts)

    def require(self, name: str) -> None:
        """Raise RepositoryNotAllowed unless `owner/name` may be run."""
        if not self.admits(name):
            raise RepositoryNotAllowed(
                f"{name} may not be run here: {VARIABLE} allows only {', '.join(self.patterns)}", repository=name
            )


def checked(pattern: str) -> str:
    """Return a pattern as it is; raises ValueError, with the reason, for one that could never be what was meant."""
    parts = pattern.split("/")
    if len(parts) == 2 and all(_PART.fullmatch(part) for part in parts):
        return pattern
    fix = f"; did you mean `{pattern}/*`?" if len(parts) == 1 and _PART.fullmatch(pattern) else ""
    raise ValueError(
        f"{pattern[:100]!r} is not a pattern for owner/name (letters, digits, `.`, `_`, `-`, `*` and `?`, one `/`){fix}"
    )
