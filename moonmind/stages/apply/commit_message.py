"""The run's commit message: deterministic, since a repeated stage must make the same commit again."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from moonmind.stages.kit.harmless_text import inert, one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Approval, Judgement, Verification, VerifiedCommand

SUBJECT_LENGTH = 72
_MOST_COMMANDS = 20


def commit_message(
    plan: Plan,
    judgements: Sequence[Judgement],
    run_id: UUID,
    tests: Verification | None = None,
    approval: Approval | None = None,
) -> str:
    """Write the run's commit message: the same judgements and results give the same bytes, and so the same commit.

    What differs between two runs of the same tests, as their times, is not in it.
    """
    lines = [f"- {inert(item.id, 40)} {inert(item.words)}{' (not ticked)' if item.held else ''}" for item in judgements]
    verified = _verified(tests) if tests is not None else ()
    trailers = [*verified, *_approved(approval), f"Feature: {inert(plan.feature.path)}", f"Run-Id: {run_id}"]
    return "\n".join([subject(plan, judgements), "", *lines, "", *trailers, ""])


def subject(plan: Plan, judgements: Iterable[Judgement]) -> str:
    """Write the commit's first line, the fullest form that fits."""
    ids = [item.id for item in judgements if item.ticks]
    head = f"{plan.feature_name}: {plan.phase}"
    forms = [f"{head} ({', '.join(ids)})", f"{head} ({len(ids)} tasks)"] if ids else []
    for form in [*forms, head]:
        if len(one_line(form, 1000)) <= SUBJECT_LENGTH:
            return inert(form, SUBJECT_LENGTH)
    return inert(head, SUBJECT_LENGTH)


def _verified(tests: Verification) -> Iterator[str]:
    """Yield a trailer for each command: `Verified: pytest passed (14 passed, 12 before)`."""
    for one in tests.commands[:_MOST_COMMANDS]:
        place = "" if one.root == "." or one.name.endswith(f" in {one.root}") else f" in {inert(one.root, 80)}"
        yield f"Verified: {inert(one.name, 80)}{place} {inert(one.outcome, 40)}{_counts(one)}"
    if (more := len(tests.commands) - _MOST_COMMANDS) > 0:
        yield f"Verified: and {more} more"
    if not tests.commands:
        yield f"Verified: nothing, since {inert(tests.not_run) or 'no test was run'}"


def _approved(approval: Approval | None) -> Iterator[str]:
    """Yield a trailer with who let the change pass: `Approved: .github/workflows/ci.yml and 1 more, by ana: T003 asks for it`."""
    if approval is not None:
        first, *others = approval.paths
        more = f" and {len(others)} more" if others else ""
        why = f": {inert(approval.why)}" if approval.why else ""
        yield f"Approved: {inert(first, 120)}{more}, by {inert(approval.by or 'a person', 80)}{why}"


def _counts(command: VerifiedCommand) -> str:
    if not (command.passed or command.failed):
        return ""
    before = f", {command.passed_before} before" if command.passed_before is not None else ""
    failed = f"; {command.failed} failed" if command.failed else ""
    kinds = ((command.broke, "passed before"), (command.fails_as_before, "as before"), (command.flaky, "flaky"))
    of_them = "".join(f", {len(tests)} of them {words}" for tests, words in kinds if tests) if failed else ""
    return f" ({command.passed} passed{before}{failed}{of_them})"
