"""What a test command says of a change: what it did on the old code and on the new, and whose fault it is that something fails."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestCase, TestOutcome

_BAD = (TestOutcome.FAILED, TestOutcome.ERROR)
_SHOWN = 3
_NO_SPACE = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded", re.IGNORECASE)
_INTERRUPTED = 2
"""Exit code of pytest where a file cannot be loaded."""
_NOT_FOUND = frozenset({126, 127})
"""Exit codes of a shell that cannot run a command."""
_NO_RUNNER = re.compile(
    r"No module named '?(?:pytest|unittest|tox|nox|django|nose2?)\b|command not found|: not found$"
    r"|Missing script: |Cannot find module '[^'\n]{0,200}(?:jest|vitest|mocha)",
    re.IGNORECASE | re.MULTILINE,
)


class Fault(Enum):
    """Whose fault it is that a command fails."""

    NONE = "none"
    """It does not fail."""
    BEFORE = "before"
    """It failed before, in the same way."""
    FLAKY = "flaky"
    """It failed once, and passed when it was run again."""
    INFRASTRUCTURE = "infrastructure"
    """It could not be run, or nothing says that the change is the reason."""
    OURS = "ours"
    """The change's."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a command's runs say, by test id in the order of the reports."""

    fault: Fault
    why: str
    """For people; empty with `NONE`."""
    broke: tuple[str, ...] = ()
    """Passed before, or were skipped, and fail now, each time they were run."""
    failing_new: tuple[str, ...] = ()
    """Were not there before, and fail."""
    flaky: tuple[str, ...] = ()
    failed_before: tuple[str, ...] = ()
    """Fail now as they did before."""
    fixed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    """Ran before, and do not run now though their file can be loaded."""
    now_skipped: tuple[str, ...] = ()


def compare(before: CommandRun | None, after: CommandRun, again: CommandRun | None = None) -> Comparison:
    """Compare a command on the new code with the old; `again` is a second run on the new code of at least what failed."""
    old = before if before is not None and before.end is RunEnd.EXITED else None
    known = dict(old.report.cases) if old is not None else {}
    now = after.report.cases
    bad = [case for case in now.values() if case.outcome in _BAD]
    as_before = tuple(case.id for case in bad if case.id in known and known[case.id].outcome in _BAD)
    doubtful = [case for case in bad if case.id not in as_before]
    passed_again = _passed_again(doubtful, again)
    sure = [case for case in doubtful if case.id not in passed_again]
    fault, why = _fault(before, after, again, sure=sure, as_before=as_before, flaky=passed_again)
    return Comparison(
        fault,
        why,
        broke=tuple(case.id for case in sure if case.id in known),
        failing_new=tuple(case.id for case in sure if case.id not in known),
        flaky=passed_again,
        failed_before=as_before,
        fixed=tuple(
            one.id for one in known.values() if one.outcome in _BAD and _outcome(now.get(one.id)) is TestOutcome.PASSED
        ),
        added=tuple(name for name in now if name not in known) if old is not None and old.report.known else (),
        gone=_gone(known.values(), after),
        now_skipped=tuple(
            one.id
            for one in known.values()
            if one.outcome is not TestOutcome.SKIPPED and _outcome(now.get(one.id)) is TestOutcome.SKIPPED
        ),
    )


def _outcome(case: TestCase | None) -> TestOutcome | None:
    return case.outcome if case is not None else None


def _passed_again(doubtful: Iterable[TestCase], again: CommandRun | None) -> tuple[str, ...]:
    if again is None or again.end is not RunEnd.EXITED:
        return ()
    cases = again.report.cases
    return tuple(case.id for case in doubtful if _outcome(cases.get(case.id)) is TestOutcome.PASSED)


def _gone(before: Iterable[TestCase], after: CommandRun) -> tuple[str, ...]:
    """Return the tests that no longer run, without those of files that cannot be loaded now: these are errors."""
    now = after.report.cases
    if after.end is not RunEnd.EXITED or not now:
        return ()
    if after.exit_code == _INTERRUPTED and any(case.outcome is TestOutcome.ERROR for case in now.values()):
        return ()  # pytest runs nothing where one file cannot be loaded
    lost = [case for case in before if case.id not in now and not _is_unloaded_file(case)]
    known = {case.id for case in before}
    broken = {case.file for case in now.values() if case.outcome is TestOutcome.ERROR and case.id not in known}
    return tuple(
        case.id for case in lost if (not case.file or case.file not in broken) and not _is_renamed(case.id, known, now)
    )


def _is_unloaded_file(case: TestCase) -> bool:
    """Return True for what stands for a file that could not be loaded: no test of it ran."""
    return case.outcome is TestOutcome.ERROR and case.id == case.file


def _is_renamed(test: str, known: Collection[str], now: Collection[str]) -> bool:
    """Return True for a case of a parametrised test that has as many cases now as before: these have other parameters."""
    name, bracket, _ = test.partition("[")
    if not bracket:
        return False
    return _cases(name, now) >= _cases(name, known)


def _cases(name: str, tests: Collection[str]) -> int:
    return sum(1 for one in tests if one.startswith(f"{name}["))


def _fault(
    before: CommandRun | None,
    after: CommandRun,
    again: CommandRun | None,
    *,
    sure: Collection[TestCase],
    as_before: Collection[str],
    flaky: Collection[str],
) -> tuple[Fault, str]:
    if after.green:
        return Fault.NONE, ""
    if after.end is not RunEnd.EXITED:
        return _cut_short(before, after)
    if _is_out_of_space(after):
        return Fault.INFRASTRUCTURE, "there was no space left on the disk"
    if before is None:
        return Fault.INFRASTRUCTURE, f"it fails ({_code(after)}), and it is not known whether it did before"
    if sure:
        if before.end is not RunEnd.EXITED:
            return (
                Fault.INFRASTRUCTURE,
                f"{_tests(sure)}, and it is not known whether they did before: {_ended(before)}",
            )
        return Fault.OURS, _tests(sure)
    if (cut := _was_cut(before, after)) is not None:
        return Fault.OURS, cut
    if as_before:
        return Fault.BEFORE, f"{_count(as_before)} as before the change"
    if flaky:
        return (
            Fault.FLAKY,
            f"{'1 test' if len(flaky) == 1 else f'{len(flaky)} tests'} failed, and passed when run again",
        )
    return _by_exit_code(before, after, again)


def may_be_gone(run: CommandRun) -> bool:
    """Return True if what kept a run from its end may be gone when it is run again: what the host lacked, or a service."""
    return _is_by_host(run) or (run.end is RunEnd.EXITED and not run.green and _is_out_of_space(run))


def could_not_run(run: CommandRun) -> bool:
    """Return True if a command was not run to any end of its own: it was kept from it, or its program is not there.

    One that took too long, or passed a bound of ours, did run.
    """
    return may_be_gone(run) or (run.end is RunEnd.EXITED and not run.green and _is_missing(run))


def _is_by_host(run: CommandRun) -> bool:
    return run.end in (RunEnd.SERVICE, RunEnd.SANDBOX, RunEnd.HOST) or "SIGKILL" in run.message


def _is_out_of_space(run: CommandRun) -> bool:
    """Return True if all that fails says that there is no space."""
    bad = [case for case in run.report.cases.values() if case.outcome in _BAD]
    if bad:
        return all(_NO_SPACE.search(case.message) for case in bad)
    return _NO_SPACE.search(run.output) is not None


def _was_cut(before: CommandRun, after: CommandRun) -> str | None:
    """Return in words how a run that fails is another one than before though no test is seen to fail anew."""
    known, now = before.report.cases, after.report.cases
    if before.end is not RunEnd.EXITED or not known:
        return None
    if not now:
        return f"it ends with {_code(after)} and reports no test, and reported {len(known)} before"
    missing = [name for name, case in known.items() if case.outcome is TestOutcome.PASSED and name not in now]
    if missing and after.exit_code != before.exit_code:
        return (
            f"it ends with {_code(after)}, and did not run all tests that passed before: {', '.join(missing[:_SHOWN])}"
        )
    was_bad = any(case.outcome in _BAD for case in known.values())
    if was_bad and not any(case.outcome in _BAD for case in now.values()):
        return f"it ends with {_code(after)} though no test fails, and failed before by tests alone"
    return None


def _cut_short(before: CommandRun | None, after: CommandRun) -> tuple[Fault, str]:
    """Return whose fault it is that a command did not come to its end."""
    words = _ended(after)
    if _is_by_host(after):
        return Fault.INFRASTRUCTURE, words
    if before is None:
        return Fault.INFRASTRUCTURE, f"{words}, and it is not known whether that was so before"
    if before.end is after.end:
        return Fault.BEFORE, f"{words}, as before the change"
    if after.end is RunEnd.TIMED_OUT and before.end is RunEnd.EXITED and before.seconds > after.seconds / 2:
        return (
            Fault.INFRASTRUCTURE,
            f"{words}, and {before.seconds:.0f} s before the change: a slow host explains that, too",
        )
    if before.end is RunEnd.EXITED:
        return Fault.OURS, f"{words}, and not before the change"
    return Fault.INFRASTRUCTURE, f"{words}; before the change, {_ended(before)}"


def _by_exit_code(before: CommandRun, after: CommandRun, again: CommandRun | None) -> tuple[Fault, str]:
    """Return whose fault it is where no report names a test that fails."""
    found = _code(after)
    if not before.green:
        if before.end is not RunEnd.EXITED:
            return (
                Fault.INFRASTRUCTURE,
                f"it ends with {found}, and it is not known whether it did before: {_ended(before)}",
            )
        if _is_missing(after):
            return Fault.INFRASTRUCTURE, f"its program is not there ({found})"
        return Fault.BEFORE, f"it ends with {found}, and failed before the change, too ({_code(before)})"
    if again is not None and again.green:
        return Fault.FLAKY, f"it ended with {found}, and passed when run again"
    return Fault.OURS, f"it ends with {found}, and passed before the change"


def _is_missing(run: CommandRun) -> bool:
    return run.exit_code in _NOT_FOUND or _NO_RUNNER.search(run.output[-4000:]) is not None


def _ended(run: CommandRun) -> str:
    match run.end:
        case RunEnd.TIMED_OUT:
            return f"it took longer than its limit, and was ended after {run.seconds:.0f} s"
        case RunEnd.SERVICE:
            return "what it needs running did not start"
        case RunEnd.SANDBOX:
            return f"the sandbox ended under it{f': {run.message}' if run.message else ''}"
        case RunEnd.STOPPED | RunEnd.HOST:
            return run.message or "it was stopped"
        case RunEnd.EXITED:
            return f"it ended with {_code(run)}"


def _code(run: CommandRun) -> str:
    return f"exit code {run.exit_code}"


def _count(tests: Collection[object]) -> str:
    return "1 test fails" if len(tests) == 1 else f"{len(tests)} tests fail"


def _tests(cases: Collection[TestCase]) -> str:
    shown = ", ".join(case.id for case in list(cases)[:_SHOWN])
    more = len(cases) - _SHOWN
    return f"{_count(cases)}: {shown}" + (f" and {more} more" if more > 0 else "")
