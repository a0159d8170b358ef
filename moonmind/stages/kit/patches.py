"""Reads a change as a patch, and finds known secrets in it before anything of it is stored."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from moonmind.engine.stage_context import StageContext
from moonmind.errors import NotFound, VcsRefused
from moonmind.ports.vcs import Change

PATCH_LIMIT = 64 * 1024 * 1024
"""Bytes of all changed files together; a larger change is not rendered, only listed."""

MEDIA_TYPE = "text/x-diff"
NOT_SEEN_YET = (
    "This patch has not been looked through for secrets, so it is not shown. The service keeps it for itself.\n"
)
_WITHHELD = re.compile(rb"(?m)^Withheld ")
_REGULAR = frozenset({"100644", "100755"})


@dataclass(frozen=True, slots=True)
class Patch:
    """A change in full, from one commit to another. `content` is None where it is too large to render."""

    repository: str
    before: str
    after: str
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
        return Patch(repository, before, after, changes, sizes, None, ())
    try:
        content = context.vcs.patch(repository, before, after)
    except VcsRefused as error:
        if not error.details.get("overflowed"):
            raise
        # It is what was removed: what is there is within the limit.
        return Patch(repository, before, after, changes, sizes, None, ())
    return Patch(
        repository, before, after, changes, sizes, content, _leaks(context, repository, after, changes, content)
    )


def keep_patch(context: StageContext, patch: Patch, path: str) -> str | None:
    """Keep the patch for the service alone, and list a sentence in its place until it has been looked through.

    Returns the digest of the whole patch; None where it holds a known secret, is empty or cannot be rendered.
    """
    if patch.leaks or patch.content is None or not patch.changes:
        return None
    context.artifacts.hide(path, patch.content)
    list_patch(context, path, NOT_SEEN_YET.encode())
    return f"sha256:{hashlib.sha256(patch.content).hexdigest()}"


def list_patch(context: StageContext, path: str, content: bytes) -> None:
    """List what people may see of a kept patch."""
    context.artifacts.save("codex_patch", path, content, MEDIA_TYPE)


def read_kept(context: StageContext, path: str) -> bytes:
    """Return a kept patch whole; raises NotFound where it is not kept, or not whole.

    A patch of an earlier program is kept only where it is listed.
    """
    kept = context.artifacts.hidden(path)
    if kept is not None:
        return kept
    listed = context.artifacts.read(path)
    if not listed.startswith(b"diff --git ") or _WITHHELD.search(listed):
        raise NotFound(f"The patch {path} is not kept whole any more: what is listed leaves something out.")
    return listed


def masked_patch(context: StageContext, patch: Patch) -> Patch:
    """Return the patch of the same work with the values of known secrets masked in every file.

    A name or a line of the starting commit that holds a secret cannot be masked in a patch that still applies.
    """
    texts = {}
    for change in patch.changes:
        if change.new_mode in _REGULAR:
            blob = context.vcs.read(patch.repository, patch.after, change.path, limit=PATCH_LIMIT)
            if blob is not None and context.redactor.holds_known(blob):
                texts[change.path] = context.redactor.data(blob)
    when = context.run.created_at
    clean = context.vcs.commit(
        patch.repository,
        tree_of=patch.after,
        parent=patch.before,
        replace=texts,
        message="Work with secrets masked",
        when=when,
    )
    return read_patch(context, patch.repository, patch.before, clean)


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
