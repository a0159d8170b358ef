"""What in a change makes its tests say less than they seem to: judged by what ran, and by what the change does to tests."""

from collections.abc import Collection, Iterator

from moonmind.ports.vcs import Change
from moonmind.proof.verification.command_files import may_replace, replaced_in
from moonmind.proof.verification.tampering import FileChange, find_tampering
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestOutcome
from moonmind.stages.apply.test_trees import Read
from moonmind.stages.apply.verification_plan import reporting
from moonmind.stages.apply.verification_step import VerifiedChange
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import TestFinding

_MOST = 50
"""Findings that are listed."""
_MOST_FILES = 2_000


def find_in(plan: Plan, verified: VerifiedChange, changes: Collection[Change], read: Read) -> tuple[TestFinding, ...]:
    """Return what is found, what confirms nothing first."""
    gone = [test for one in verified.comparisons for test in one.gone]
    texts = [task.text for task in plan.tasks]
    found = [
        TestFinding(one.subject, f"{one.kind.value}: {one.words}", one.confirms_nothing)
        for one in find_tampering(_files(changes, read), gone=gone, now_skipped=now_skipped(verified), texts=texts)
    ]
    found += _without_tests(verified)
    found += other_commands(verified, changes, read)
    found += _unknown_before(verified)
    if len(changes) > _MOST_FILES:
        words = f"more than {_MOST_FILES} files changed; not all of them were looked into"
        found.append(TestFinding("the change", words, confirms_nothing=True))
    return tuple(sorted(found, key=lambda one: not one.confirms_nothing))[:_MOST]


def now_skipped(verified: VerifiedChange) -> list[str]:
    """Return the tests that ran before and are skipped now."""
    return [test for one in verified.comparisons for test in one.now_skipped]


def _files(changes: Collection[Change], read: Read) -> Iterator[FileChange]:
    for change in sorted(changes, key=lambda one: one.path)[:_MOST_FILES]:
        before = None if change.status == "A" else read(False, change.path)
        after = None if change.status == "D" else read(True, change.path)
        yield FileChange(change.path, before, after)


def _without_tests(verified: VerifiedChange) -> Iterator[TestFinding]:
    """Yield the commands that end well although no test of theirs is seen to have passed."""
    for number, command in enumerate(verified.commands, 1):
        after, before = verified.runs[f"after-{number}"], verified.before[number - 1]
        if after.end is not RunEnd.EXITED or after.exit_code != 0 or after.report.those(TestOutcome.PASSED):
            continue
        reports = bool(command.reports) or "$MOONMIND_" in reporting(command)
        if after.report.cases:
            yield TestFinding(command.name, "all of its tests are skipped", confirms_nothing=True)
        elif _has_tests(before) or reports:
            yield TestFinding(command.name, "its report cannot be read, or is missing", confirms_nothing=True)


def other_commands(verified: VerifiedChange, changes: Collection[Change], read: Read) -> Iterator[TestFinding]:
    """Yield the changed files that are what a command runs: it is another command then."""
    if verified.in_change:
        return  # the command came with them
    for command, before in zip(verified.commands, verified.before, strict=False):
        worked = before is not None and before.end is RunEnd.EXITED and (before.exit_code == 0 or _has_tests(before))
        for change in _files([one for one in changes if may_replace(command, one.path)], read):
            if words := replaced_in(command, change, worked=worked):
                yield TestFinding(change.path, words, confirms_nothing=True)


def _unknown_before(verified: VerifiedChange) -> Iterator[TestFinding]:
    """Yield the commands of which nobody knows what they ran before, where the change could have taken tests away."""
    for command, before in zip(verified.commands, verified.before, strict=False):
        if verified.changed.alters_tests and (before is None or before.end is not RunEnd.EXITED):
            yield TestFinding(command.name, "which tests ran before this change is not known", confirms_nothing=True)


def _has_tests(run: CommandRun | None) -> bool:
    return run is not None and bool(run.report.cases)
