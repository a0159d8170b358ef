"""Reads a change as a patch, and finds known secrets in it before anything of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from moonmind.engine.context import StageContext
from moonmind.ports.vcs import Change

PATCH_LIMIT = 64 * 1024 * 1024
"""Bytes of all changed files together; a larger change is not rendered, only listed."""

MEDIA_TYPE = "text/x-diff"
_REGULAR = frozenset({"100644", "100755"})


@dataclass(frozen=True, slots=True)
class Patch:
    """A change in full. `content` is None where it is too large to render."""

    changes: tuple[Change, ...]
    sizes: Mapping[str, int]
    """Bytes of every file after the change, by path: its keys are the tree."""
    content: bytes | None
    leaks: tuple[str, ...]
    """Where a known secret was found: paths, themselves masked; empty if there is none."""


def read_patch(context: StageContext, repository: str, before: str, after: str) -> Patch:
    """Read the difference of two commits of the run's mirror."""
    changes = context.vcs.changes(repository, before, after)
    sizes = {file.path: file.size for file in context.vcs.listing(repository, after)}
    if sum(sizes.get(change.path, 0) for change in changes) > PATCH_LIMIT:
        return Patch(changes, sizes, None, ())
    content = context.vcs.patch(repository, before, after)
    return Patch(changes, sizes, content, _leaks(context, repository, after, changes, content))


def store_patch(context: StageContext, patch: Patch, path: str) -> str | None:
    """Store the patch as an artifact, unless it holds a secret or cannot be rendered; returns its digest."""
    if patch.leaks or patch.content is None or not patch.changes:
        return None
    return context.artifacts.save("codex_patch", path, patch.content, MEDIA_TYPE)


def store_masked(
    context: StageContext, repository: str, before: str, after: str, patch: Patch, path: str
) -> str | None:
    """Store the work with the values of known secrets masked in every file; returns the path, None where it cannot be.

    A name or a line of the starting commit that holds a secret cannot be masked in a patch that still applies.
    """
    texts = {}
    for change in patch.changes:
        if change.new_mode in _REGULAR:
            blob = context.vcs.read(repository, after, change.path, limit=PATCH_LIMIT)
            if blob is not None and context.redactor.holds_known(blob):
                texts[change.path] = context.redactor.data(blob)
    when = context.run.created_at
    clean = context.vcs.commit(
        repository, tree_of=after, parent=before, replace=texts, message="Work with secrets masked", when=when
    )
    masked = read_patch(context, repository, before, clean)
    return path if store_patch(context, masked, path) else None


def _leaks(
    context: StageContext, repository: str, after: str, changes: tuple[Change, ...], content: bytes
) -> tuple[str, ...]:
    redactor = context.redactor
    whole = redactor.holds_known(content)
    found = []
    for change in changes:
        name = change.path.encode("utf-8", "surrogateescape")
        target = (change.link_target or "").encode("utf-8", "surrogateescape")
        if redactor.holds_known(name) or redactor.holds_known(target):
            found.append(change.path)
        # A patch holds binary files compressed: a secret inside shows in the file only.
        elif change.new_mode in _REGULAR and (whole or change.added < 0):
            blob = context.vcs.read(repository, after, change.path, limit=PATCH_LIMIT)
            if blob is not None and redactor.holds_known(blob):
                found.append(change.path)
    if whole and not found:
        found.append("(a line that the change removes or moves)")
    return tuple(redactor.text(path) for path in found)
