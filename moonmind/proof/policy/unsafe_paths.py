"""Paths and links that leave the repository, or lead into git's own folder."""

import re
import unicodedata
from collections.abc import Iterator

from moonmind.proof.policy.changed_path import GITLINK, LINK, ChangedPath
from moonmind.proof.policy.plain_names import plain_name

_GIT_NAMES = frozenset({".git", "git~1"})
_MODULES = re.compile(r"\.gitmodules|gitmod~\d|gi7eba~\d")
_NO_NAME = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DRIVE = re.compile(r"[A-Za-z]:")


def find_unsafe(change: ChangedPath, tasks_path: str) -> Iterator[tuple[str, str]]:
    """Yield the names of the rules that a changed path breaks, with the reasons."""
    if words := unsafe_path(change.path):
        yield "path", words
    if _MODULES.fullmatch(plain_name(change.path)):
        yield "gitmodules", "it decides which other repositories are fetched"
    if GITLINK in {change.old_mode, change.new_mode}:
        yield "gitlink", "it adds, moves or removes a submodule"
    if change.path.startswith(f"{tasks_path}/") or (change.status != "D" and tasks_path.startswith(f"{change.path}/")):
        yield "tasks_file", f"it leaves no place for {tasks_path}"
    if change.status != "D" and change.new_mode == LINK and (words := unsafe_link(change.path, change.link_target)):
        yield "link", words


def unsafe_path(path: str) -> str | None:
    """Return why a path may not be written; None if it may."""
    if not path or path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "it is not relative to the repository"
    if any(unicodedata.category(sign) in _NO_NAME for sign in path):
        return "its name holds control characters or line separators, or is not UTF-8"
    # A backslash is a letter to git here, and a separator where Windows checks the change out.
    for part in re.split(r"[/\\]", path):
        if part in {"", ".", ".."}:
            return "it leads out of its folder"
        if plain_name(part) in _GIT_NAMES:
            return "it is inside a git directory"
    return None


def unsafe_link(path: str, target: str | None) -> str | None:
    """Return why a symbolic link may not be added; None if it stays inside the tree."""
    if not target:
        return "where it points cannot be read"
    if target.startswith("/") or _DRIVE.match(target) or "\\" in target or not target.isprintable():
        return f"it points to {target!r}, which is absolute or no plain path"
    depth = path.count("/")
    named = False
    for part in target.split("/"):
        if part in {"", "."}:
            continue
        if part == "..":
            # After a named part, `..` may mean the parent of wherever another link leads.
            if named:
                return f"it points to {target!r}, which turns back on its way"
            depth -= 1
            if depth < 0:
                return f"it points to {target!r}, outside of the repository"
        elif plain_name(part) in _GIT_NAMES:
            return f"it points to {target!r}, inside a git directory"
        else:
            named = True
    return None
