"""Turns what tests showed into what is recorded of it, and into what is said to an agent that has to go on."""

from collections.abc import Iterable, Sequence

from moonmind.proof.verification.comparison import Comparison, Fault
from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import CommandRun, TestOutcome
from moonmind.runs.stored_text import storable
from moonmind.stages.apply.verification_step import VerifiedChange
from moonmind.stages.kit.stage_results import TestFinding, Verification, VerifiedCommand

_MOST_TESTS = 50
_EXCERPT = 3_000
_NOTE = 6_000
"""Characters."""
_BAD = (TestOutcome.FAILED, TestOutcome.ERROR)
_WORDS = {
    Fault.NONE: "passed",
    Fault.BEFORE: "failed before",
    Fault.FLAKY: "flaky",
    Fault.INFRASTRUCTURE: "could not run",
    Fault.OURS: "failed",
}


def verification_of(verified: VerifiedChange, findings: Iterable[TestFinding], draft: str) -> Verification:
    """Return what is recorded of the tests of a change."""
    return Verification(
        commands=(
            *(_command(verified, number) for number in range(1, len(verified.comparisons) + 1)),
            *(_skipped(one) for one in verified.plan.commands if verified.comparisons and one not in verified.commands),
        ),
        not_run=verified.not_run,
        source=_source(verified),
        sandbox=verified.sandbox,
        findings=tuple(findings),
        draft=draft,
    )


def in_a_sentence(verification: Verification) -> str:
    """Return what was run, for a line of text."""
    if verification.not_run:
        return f"no test was run: {verification.not_run}"
    return "; ".join(
        f"{one.name}: {one.outcome}{f' ({_counts(one)})' if one.passed else ''}" for one in verification.commands
    )


def draft_because(verified: VerifiedChange) -> str:
    """Return why the pull request has to be a draft; empty where it need not be one."""
    broke = [test for one in verified.comparisons for test in one.broke]
    if verified.fault is not Fault.OURS:
        return ""
    if not broke:
        return f"the repository's tests fail with this change, and did not before: {_first_why(verified)}"
    return f"{_tests(len(broke))} that passed before {'fails' if len(broke) == 1 else 'fail'} with this change"


def note_for_agent(verified: VerifiedChange) -> str:
    """Return what the agent is told of the tests that its change broke."""
    parts = [
        "The repository's tests were run on your change, and fail because of it. Find out why, and correct the change:"
    ]
    for number, one in enumerate(verified.comparisons, 1):
        if one.fault is not Fault.OURS:
            continue
        command = verified.commands[number - 1]
        parts.append(f"`{command.run}`{'' if command.root == '.' else f' in {command.root}'}: {one.why}")
        run = _after(verified, number)
        failing = [case for case in run.report.cases.values() if case.outcome in _BAD]
        parts += [f"- {case.id}: {case.message[-800:]}".rstrip(": ") for case in failing[:10]]
        parts.append(f"The end of what it printed:\n{run.output[-_EXCERPT:]}")
    parts.append("Do not change what a test asserts, skip it, or delete it, unless a task asks for that.")
    return storable("\n".join(parts)[:_NOTE])


def _command(verified: VerifiedChange, number: int) -> VerifiedCommand:
    command, found, run = verified.commands[number - 1], verified.comparisons[number - 1], _after(verified, number)
    before = verified.before[number - 1]
    failing = found.fault not in (Fault.NONE, Fault.FLAKY)
    return VerifiedCommand(
        name=command.name,
        outcome=_WORDS[found.fault],
        why=found.why,
        root=command.root,
        seconds=round(run.seconds, 1),
        passed=len(run.report.those(TestOutcome.PASSED)),
        failed=len(run.report.those(*_BAD)),
        skipped=len(run.report.those(TestOutcome.SKIPPED)),
        passed_before=_number(before, TestOutcome.PASSED),
        failed_before=_number(before, *_BAD),
        broke=found.broke[:_MOST_TESTS],
        flaky=found.flaky[:_MOST_TESTS],
        fails_as_before=found.failed_before[:_MOST_TESTS],
        fixed=found.fixed[:_MOST_TESTS],
        added=found.added[:_MOST_TESTS],
        gone=found.gone[:_MOST_TESTS],
        now_skipped=found.now_skipped[:_MOST_TESTS],
        excerpt=_excerpt(found, run) if failing else "",
        log=verified.logs.get(f"after-{number}"),
        notes=verified.notes.get(f"after-{number}", ()),
    )


def _excerpt(found: Comparison, run: CommandRun) -> str:
    """Return what the first test says that broke, where a report has that; else the end of what the command printed."""
    messages = (
        run.report.cases[test].message for test in (*found.broke, *found.failing_new) if test in run.report.cases
    )
    return next(filter(str.strip, messages), run.output)[-_EXCERPT:]


def _skipped(command: TestCommand) -> VerifiedCommand:
    why = "no changed file matches its `paths`" if command.paths is not None else "only documents changed"
    return VerifiedCommand(name=command.name, outcome="skipped", why=why, root=command.root)


def _after(verified: VerifiedChange, number: int) -> CommandRun:
    return verified.runs[f"after-{number}"]


def _number(run: CommandRun | None, *outcomes: TestOutcome) -> int | None:
    return len(run.report.those(*outcomes)) if run is not None and run.report.known else None


def _source(verified: VerifiedChange) -> str:
    if not verified.commands:
        return ""
    if verified.plan.declared:
        return ".moonmind.yml"
    files = ", ".join(dict.fromkeys(one.source for one in verified.commands))
    return f"found in {files}{', which the change adds' if verified.in_change else ''}"


def _first_why(verified: VerifiedChange) -> str:
    return next((one.why for one in verified.comparisons if one.fault is Fault.OURS), "")


def _counts(one: VerifiedCommand) -> str:
    before = "" if one.passed_before is None else f", {one.passed_before} before"
    return f"{one.passed} passed{f', {one.failed} failed' if one.failed else ''}{before}"


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def all_of(comparisons: Sequence[Comparison], name: str) -> tuple[str, ...]:
    """Return the tests of one list of all comparisons: `gone`, `now_skipped`."""
    return tuple(dict.fromkeys(test for one in comparisons for test in getattr(one, name)))
