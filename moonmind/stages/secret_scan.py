"""Looks for other people's secrets in what a run would publish: added content, file names, link targets."""

import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NoReturn

from moonmind.engine.context import StageContext
from moonmind.engine.patches import MEDIA_TYPE, PATCH_LIMIT, Patch
from moonmind.errors import SecretSuspected, VcsError
from moonmind.ports.scanner import Hit
from moonmind.ports.vcs import Change
from moonmind.stages import withheld
from moonmind.stages.plain import storable
from moonmind.stages.plan import Plan
from moonmind.stages.policy import Finding, Severity
from moonmind.stages.secret_allow import FILE_LIMIT, FILES, read_allowed
from moonmind.stages.secret_rules import Suspect, file_name_words, fingerprint, masked, merged, own_hits, severity

NAMES = "(file names)"
_SHOWN = 5
_RECORDED = 200
_REGULAR = frozenset({"100644", "100755"})
_WORDS_IN_BINARY = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")


def suspects(context: StageContext, plan: Plan, patch: Patch, after: str) -> tuple[Suspect, ...]:
    """Find secrets that the change brings: those that no changed file held at the starting commit.

    A comment that silences scanners counts only where it stood before, together with the secret that it excuses. The
    allow files are those of the base branch, since a run's own branch may hold what an agent wrote. Raises ScannerError.
    """
    texts = {change.path: _text(context, plan, after, change, change.new_mode) for change in patch.changes}
    names = "\n".join([*texts, *(change.link_target or "" for change in patch.changes)])
    shown = {path: text for path, (text, _) in texts.items() if text} | {NAMES: names}
    hits = merged(iter([*context.scanner.scan(shown), *(hit for name in shown for hit in own_hits(name, shown[name]))]))
    if hits:
        old = "\n".join(_text(context, plan, plan.starting_commit, one, one.old_mode)[0] for one in patch.changes)
        hits = tuple(hit for hit in hits if hit.value not in old)
    if hits:
        allowed = read_allowed(_allow_files(context, plan))
        hits = allowed.keep(hits, [_line(shown[hit.name], hit.line) for hit in hits], context.scanner)
    now = time.time()
    binary = {path for path, (_, is_binary) in texts.items() if is_binary} | {NAMES}
    return tuple(_suspect(context, hit, now, whole=hit.name in binary) for hit in hits)


def accepted(context: StageContext) -> Mapping[str, str]:
    """Return the findings that a person accepted at a retry, by fingerprint, each with the reason."""
    return {str(one["fingerprint"]): str(one["why"]) for one in context.kept.get("accepted") or ()}


def as_findings(found: Sequence[Suspect], patch: Patch, excused: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return what is to be said of a change in the words of the patch policy."""
    said = [Finding(one.place, "secret", *_said(one, excused.get(one.fingerprint))) for one in found]
    named = (change.path for change in patch.changes if change.status == "A" and change.new_mode in _REGULAR)
    likely = [(path, words) for path in named if (words := file_name_words(path))]
    return (*said, *(Finding(storable(path), "secret_file", Severity.WARNING, words) for path, words in likely))


def refuse(context: StageContext, patch: Patch, patch_path: str | None, stopping: Sequence[Suspect]) -> NoReturn:
    """Keep the work where only the service reads it, leave the patch without the files in question for people, and raise SecretSuspected."""
    if patch_path and patch.content is not None and context.artifacts.hidden(patch_path) is None:
        context.artifacts.hide(patch_path, patch.content)
    if patch_path and patch.content is not None:
        rules = {
            change.path: one.rule
            for one in stopping
            for change in patch.changes
            if one.path == _shown_path(context, change.path)
        }
        names = any(one.path == NAMES or one.path not in map(partial(_shown_path, context), rules) for one in stopping)
        found = [one.value for one in stopping]
        part = withheld.shown(patch, patch.content, rules, found, context.scanner, names)
        context.artifacts.save(
            "codex_patch", patch_path, context.redactor.text(part.decode("utf-8", "replace")).encode(), MEDIA_TYPE
        )
    places = "; ".join(f"{one.place}: {one.words}, fingerprint {one.fingerprint}" for one in stopping[:_SHOWN])
    more = f"; and {len(stopping) - _SHOWN} more" if len(stopping) > _SHOWN else ""
    raise SecretSuspected(
        f"The change adds what looks like a live secret: {places}{more}.",
        findings=[one.as_json() for one in stopping[:_RECORDED]],
    )


def _said(one: Suspect, why: str | None) -> tuple[Severity, str]:
    if why is not None:
        return Severity.WARNING, f"it looks like a secret ({one.words}); a person accepted it: {why}"
    return one.severity, f"it looks like a secret ({one.words})"


def _shown_path(context: StageContext, path: str) -> str:
    return storable(context.redactor.text(path))


def _suspect(context: StageContext, hit: Hit, now: float, *, whole: bool) -> Suspect:
    level = severity(hit, now)
    name = fingerprint(str(context.run.id), hit.name, hit) if level is Severity.REFUSED else ""
    path = _shown_path(context, hit.name)
    return Suspect(path, None if whole else hit.line, hit.rule, storable(masked(hit.value)), level, name, hit.value)


def _text(context: StageContext, plan: Plan, commit: str, change: Change, mode: str) -> tuple[str, bool]:
    """Return what can be read of a file, and whether it is binary: of such a one the words in it."""
    if mode not in _REGULAR:
        return "", False
    data = context.vcs.read(plan.repository.full_name, commit, change.path, limit=PATCH_LIMIT) or b""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" not in data and not marked:
        return data.decode("utf-8", "replace"), False
    narrow = data.replace(b"\0", b"")  # UTF-16 and UTF-32 without their marks read as text then
    words = "\n".join(word.decode("ascii") for word in _WORDS_IN_BINARY.findall(narrow))
    # A mark is two bytes that anybody can write before plain text: what it promises is read beside the bytes themselves.
    return (f"{data.decode('utf-16', 'replace')}\n{words}", False) if marked else (words, True)


def _allow_files(context: StageContext, plan: Plan) -> Mapping[str, bytes]:
    repository = plan.repository.full_name
    base = context.vcs.branches(repository).get(plan.base, plan.starting_commit)
    found = {}
    for name in FILES:
        try:
            data = context.vcs.read(repository, base, name, limit=FILE_LIMIT)
        except VcsError:  # too large to be one
            continue
        if data is not None:
            found[name] = data
    return found


def _line(text: str, number: int) -> str:
    lines = text.split("\n", number)
    return lines[number - 1][:4096] if len(lines) >= number else ""
