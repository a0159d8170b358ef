"""Files whose content does not stand in the repository as its own `.gitattributes` ask: Git LFS and line ends."""

import re
from collections.abc import Mapping

LARGEST_POINTER = 1024
"""Bytes; git-lfs reads no longer file as a pointer."""
_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com/spec/v1|hawser\.github\.com/spec/v1)\n(?:ext-\d-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize \d+\n?"
)


def pointer(content: bytes | None) -> str | None:
    """Return the id of the content that a Git LFS pointer stands for; None for any other file."""
    if content is None or len(content) > LARGEST_POINTER:
        return None
    found = _POINTER.fullmatch(content)
    return found["oid"].decode() if found else None


def lfs_problem(attributes: Mapping[str, str], before: bytes | None, after: bytes | None, size: int) -> str | None:
    """Return what is wrong with a changed file in a repository that uses Git LFS, or that does not; None if nothing is.

    `after` is None for a file that is too large to be a pointer. What was wrong before is not the change's doing.
    """
    new, old = pointer(after), pointer(before)
    if attributes.get("filter") != "lfs":
        if new is not None and (old is None or old != new):
            return "it is a pointer of Git LFS, and .gitattributes do not give it to Git LFS: whoever checks it out gets the pointer"
        return None
    if new is None:
        if size == 0 or (before is not None and old is None):
            return None  # an empty file is its own pointer
        return ".gitattributes give it to Git LFS, and it is committed whole: whoever checks it out gets a warning and a changed file"
    if new != old:
        return "it is a pointer of Git LFS to content that this change cannot bring; whoever checks it out needs it from elsewhere"
    return None


def line_end_problem(before: bytes | None, after: bytes | None) -> str | None:
    """Return how the line ends of a changed text file change as a whole; None where they do not."""
    if not before or not after or b"\0" in before or b"\0" in after:
        return None
    old, new = _line_ends(before), _line_ends(after)
    if old is None or new is None or old == new:
        return None
    return f"its line ends change from {old} to {new}, so each of its lines differs"


def _line_ends(text: bytes) -> str | None:
    """Return the line ends of a text; None for one without any."""
    both = text.count(b"\r\n")
    lf = text.count(b"\n") - both
    if not both and not lf:
        return None
    return "LF" if not both else "CRLF" if not lf else "both"
