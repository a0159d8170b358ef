"""What secrets in a change mean for its run: the base may allow them, a person may accept them, the rest stops it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from moonmind.engine.stage_context import StageContext
from moonmind.errors import SecretSuspected, VcsError
from moonmind.runs.findings import Finding, Severity
from moonmind.runs.stored_text import storable
from moonmind.stages.apply.secret_allow import FILE_LIMIT, FILES, read_allowed
from moonmind.stages.kit.patches import Patch
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.secret_rules import Suspect, file_name_words
from moonmind.stages.kit.secret_scan import as_suspects, look

_SHOWN = 5
_UNREAD = "it is compressed, and holds more than was looked through for secrets"
_RULES = {Severity.REFUSE: "secret", Severity.ASK: "possible_secret"}
_RECORDED = 200
_REGULAR = frozenset({"100644", "100755"})


def suspects(context: StageContext, plan: Plan, patch: Patch) -> tuple[tuple[Suspect, ...], tuple[str, ...]]:
    """Find secrets that the change brings and that the repository does not allow already, and files not read whole.

    A comment that silences scanners counts only where it stood before, together with the secret that it excuses. The
    allow files are those of the base branch, since a run's own branch may hold what an agent wrote. Raises ScannerError.
    """
    seen = look(context, patch)
    hits = seen.hits
    if hits:
        allowed = read_allowed(_allow_files(context, plan))
        hits = allowed.keep(hits, [_line(seen.texts[hit.name], hit.line) for hit in hits], context.scanner)
    found = as_suspects(context, seen, hits)
    shown = tuple(replace(one, path=storable(one.path), masked=storable(one.masked)) for one in found)
    return shown, tuple(storable(context.redactor.text(path)) for path in seen.unread)


def as_findings(
    found: Sequence[Suspect], unread: Sequence[str], patch: Patch, excused: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Return what is to be said of a change in the words of the patch policy."""
    said = [
        Finding(one.place, _RULES.get(one.severity, "secret_sign"), *_said(one, excused.get(one.fingerprint)))
        for one in found
    ]
    named = (change.path for change in patch.changes if change.status == "A" and change.new_mode in _REGULAR)
    likely = [(path, words) for path in named if (words := file_name_words(path))]
    said += [Finding(path, "secret_unread", Severity.WARN, _UNREAD) for path in unread]
    return (*said, *(Finding(storable(path), "secret_file", Severity.WARN, words) for path, words in likely))


def refusal(stopping: Sequence[Suspect]) -> SecretSuspected:
    """Return the error of a run that is stopped, with the place and the fingerprint of each finding and no secret."""
    places = "; ".join(f"{one.place}: {one.words}, fingerprint {one.fingerprint}" for one in stopping[:_SHOWN])
    more = f"; and {len(stopping) - _SHOWN} more" if len(stopping) > _SHOWN else ""
    return SecretSuspected(
        f"The change adds what looks like a live secret: {places}{more}.",
        findings=[one.as_json() for one in stopping[:_RECORDED]],
    )


def _said(one: Suspect, why: str | None) -> tuple[Severity, str]:
    if why is not None:
        return Severity.WARN, f"it looks like a secret ({one.words}); a person accepted it: {why}"
    return one.severity, f"it looks like a secret ({one.words})"


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
