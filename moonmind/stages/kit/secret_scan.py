"""Looks for other people's secrets in a change: added content, file names, link targets. Decides what of it is listed."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.engine.stage_context import StageContext
from moonmind.errors import VcsRefused
from moonmind.ports.scanner import Hit
from moonmind.ports.vcs import Change
from moonmind.runs.findings import Severity
from moonmind.stages.kit.archive_reading import Room, unpacked
from moonmind.stages.kit.patches import PATCH_LIMIT, Patch, list_patch
from moonmind.stages.kit.secret_rules import Suspect, fingerprint, masked, merged, own_hits, severity
from moonmind.stages.kit.withheld_patch import shown

NAMES = "//names"
"""Stands for all names and link targets together; no file has such a path."""
_SHOWN_NAMES = "(file names)"
_REGULAR = frozenset({"100644", "100755"})
_WORDS_IN_BINARY = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a change found, and the texts that were looked at, by the files' names."""

    hits: tuple[Hit, ...]
    unread: tuple[str, ...]
    """Compressed files that hold more than was looked at."""
    texts: Mapping[str, str]
    whole: frozenset[str]
    """Names whose lines mean nothing to people: binary files."""


def look(context: StageContext, patch: Patch) -> Look:
    """Find secrets that the change brings: those that no changed file held before it. Raises ScannerError."""
    room, texts, unread = Room(), {}, []
    for change in patch.changes:
        room.cut = False
        texts[change.path] = _text(context, patch, patch.after, change, change.new_mode, room)
        if room.cut:
            unread.append(change.path)
    names = "\n".join([*texts, *(change.link_target or "" for change in patch.changes)])
    shown = {path: text for path, (text, _) in texts.items() if text} | {NAMES: names}
    hits = merged(iter([*context.scanner.scan(shown), *(hit for name in shown for hit in own_hits(name, shown[name]))]))
    if hits:
        hits = _without_old(context, patch, hits)
    return Look(
        hits, tuple(unread), shown, frozenset({path for path, (_, is_binary) in texts.items() if is_binary} | {NAMES})
    )


def as_suspects(context: StageContext, seen: Look, hits: Sequence[Hit]) -> tuple[Suspect, ...]:
    """Return hits of a look as findings of this run; the time decides which tokens have expired."""
    now = time.time()
    return tuple(_suspect(context, hit, now, whole=hit.name in seen.whole) for hit in hits)


def list_work(context: StageContext, patch: Patch, path: str, stopping: Sequence[Suspect]) -> None:
    """List a kept patch for people, without the files that hold these secrets."""
    if patch.content is None:
        return
    content = patch.content
    if stopping:
        if context.artifacts.hidden(path) is None:  # the patch of an earlier program, listed whole
            context.artifacts.hide(path, content)
        rules = {one.name: one.rule for one in stopping}
        content = shown(patch, content, rules, [one.value for one in stopping], context.scanner, NAMES in rules)
    list_patch(context, path, content)


def list_unfinished(context: StageContext, patch: Patch, path: str) -> None:
    """Look through the kept patch of a run that ends or waits, and list it.

    What cannot be looked through stays unlisted.
    """
    try:
        seen = look(context, patch)
        found = as_suspects(context, seen, seen.hits)
        list_work(context, patch, path, [one for one in found if one.severity is Severity.REFUSE])
    except (LeaseLost, StopRequested):
        raise
    except Exception:  # whatever it is: the work is kept, and the sentence that stands in its place says so
        log.exception("patch.not_listed", path=path)


def _suspect(context: StageContext, hit: Hit, now: float, *, whole: bool) -> Suspect:
    level = severity(hit, now)
    name = fingerprint(str(context.run.id), hit.name, hit) if level in {Severity.REFUSE, Severity.ASK} else ""
    path = _SHOWN_NAMES if hit.name == NAMES else context.redactor.text(hit.name)
    return Suspect(path, None if whole else hit.line, hit.rule, masked(hit.value), level, name, hit.value, hit.name)


def _data(context: StageContext, patch: Patch, commit: str, change: Change) -> bytes:
    return context.vcs.read(patch.repository, commit, change.path, limit=PATCH_LIMIT) or b""


def _without_old(context: StageContext, patch: Patch, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Leave out what stood in a changed file before, file by file: together they may be large without limit."""
    room = Room()
    for change in patch.changes:
        if not hits:
            break
        try:
            text, _ = _text(context, patch, patch.before, change, change.old_mode, room)
        except VcsRefused:  # too large to be read: what stands there may be a secret of the change then
            continue
        hits = tuple(hit for hit in hits if hit.value not in text)
    return hits


def _text(context: StageContext, patch: Patch, commit: str, change: Change, mode: str, room: Room) -> tuple[str, bool]:
    """Return what can be read of a file, and whether it is binary: of such a one the words in it."""
    if mode not in _REGULAR:
        return "", False
    data = _data(context, patch, commit, change)
    inside = unpacked(data, room).replace(b"\0", b"").decode("utf-8", "replace")
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" not in data and not marked and not inside:
        return data.decode("utf-8", "replace"), False
    narrow = data.replace(b"\0", b"")  # UTF-16 and UTF-32 without their marks read as text then
    words = "\n".join([*(word.decode("ascii") for word in _WORDS_IN_BINARY.findall(narrow)), inside])
    # A mark is two bytes that any author can write before plain text: what it promises is read beside the bytes themselves.
    return (f"{data.decode('utf-16', 'replace')}\n{words}", False) if marked else (words, True)
