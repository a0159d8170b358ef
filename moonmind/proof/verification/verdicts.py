"""The verdict on a task whose change was judged by its files, now that tests were run: raised, left, or turned."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from moonmind.proof.verification.comparison import Fault
from moonmind.runs.verdict import Verdict

_SHOWN = 2
_LONGEST_ID = 200


class Seen(StrEnum):
    """What became of a test on one tree."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_LOADED = "could not be loaded"
    """Its file, or what that imports, could not be."""
    SKIPPED = "skipped"
    ABSENT = "not there"
    UNKNOWN = ""
    """It was not run there."""


FAILS = frozenset({Seen.FAILED, Seen.NOT_LOADED})


@dataclass(frozen=True, slots=True)
class ShownTest:
    """One test, on the trees on which it was run."""

    id: str
    old: Seen = Seen.UNKNOWN
    new: Seen = Seen.UNKNOWN
    probe: Seen = Seen.UNKNOWN
    """With the functions emptied that the change wrote in the task's files."""
    asserts: bool = True
    """It asserts something of the code, as far as its file shows."""
    flaky: bool = False
    control: Seen = Seen.UNKNOWN
    """With functions that only look emptied, and work."""

    @property
    def failed_on_the_old_code(self) -> bool:
        """Return True if it fails without the change."""
        return self.old in FAILS

    @property
    def notices(self) -> bool:
        """Return True if it fails when the change's functions do nothing.

        It has to have been run then: a test that cannot be loaded only imports the code.
        """
        return self.probe is Seen.FAILED

    @property
    def notices_looks(self) -> bool:
        """Return True if it is not seen to fail for what the functions do: it does not pass where they only look emptied."""
        return self.probe is Seen.FAILED and self.control is not Seen.PASSED

    @property
    def tests_the_change(self) -> bool:
        """Return True if it fails without the change, passes with it, and asserts what its functions do."""
        fails = self.failed_on_the_old_code and self.notices and not self.notices_looks
        return fails and self.new is Seen.PASSED and self.asserts and not self.flaky


@dataclass(frozen=True, slots=True)
class SuiteEvidence:
    """What the repository's tests as a whole say of the change."""

    not_run: str = ""
    """Why none was run; empty where some were."""
    fault: Fault = Fault.NONE
    why: str = ""
    """Of the fault."""
    doubts: tuple[str, ...] = ()
    """Why what passed confirms nothing: tests that are gone, a runner that is shadowed."""


@dataclass(frozen=True, slots=True)
class TaskEvidence:
    """What is known of one task."""

    verdict: Verdict
    """By what the change does to the paths that it names."""
    because: str
    named: tuple[ShownTest, ...] = ()
    """Tests in files that the task names."""
    own: tuple[ShownTest, ...] = ()
    """Tests that the change adds or changes, the named ones among them."""
    hollow: bool = False
    """It asks for tests alone, and none of these asserts anything of the code."""
    no_old: str = ""
    """Why no test was run on the old code."""
    unprobed: str = ""
    """Why no function of its files was emptied."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, its reason, and the tests that decided it."""

    verdict: Verdict
    because: str
    tests: tuple[ShownTest, ...] = ()


def decide(task: TaskEvidence, suite: SuiteEvidence) -> Decision:
    """Return the verdict on a task. Only one that is `changed` by its files is ever raised."""
    by_files = Decision(task.verdict, task.because)
    if task.verdict not in (Verdict.CHANGED, Verdict.CLAIMED):
        return by_files
    said = not suite.not_run and suite.fault is not Fault.INFRASTRUCTURE
    failing = tuple(test for test in task.named if said and test.new in FAILS and not test.flaky)
    if failing:
        words = f"{'a test' if len(failing) == 1 else 'tests'} that it names {'fails' if len(failing) == 1 else 'fail'}"
        return Decision(Verdict.CONTRADICTED, f"{words}: {_ids(failing)}", failing)
    if task.verdict is Verdict.CLAIMED:
        return by_files
    if (doubt := _doubt(suite)) is not None:
        return replace(by_files, because=f"{task.because}; {doubt}")
    if task.hollow:
        return replace(by_files, because=f"{task.because}; no test of it asserts anything of the code")
    deciding = tuple(test for test in task.own if test.tests_the_change)
    if deciding:
        return Decision(Verdict.TESTED, f"{_ids(deciding)}; changed: {task.because}", deciding)
    # Where no function of its files can be emptied, the tests of the whole change are not about it, unless it names them.
    about = task.named if task.unprobed else task.own
    passing = tuple(test for test in about if test.new is Seen.PASSED)
    return Decision(Verdict.PASSING, f"{task.because}{_why_not_tested(task, passing)}", passing)


def decide_check(by_files: Decision, suite: SuiteEvidence, *, shown: bool, all_run: bool) -> Decision:
    """Return the verdict on a task that only asks that the tests pass, whatever the agent says of it.

    `shown`: tests were seen to pass, those that it names among them; `all_run`: no command was left out.
    """
    if by_files.verdict is Verdict.CONTRADICTED:
        return by_files
    if not suite.not_run and suite.fault in (Fault.OURS, Fault.BEFORE):
        return Decision(Verdict.OPEN, f"the tests do not pass: {suite.why}")
    if (doubt := _doubt(suite)) is not None:
        return replace(by_files, because=f"{by_files.because}; {doubt}")
    if not all_run:
        return replace(by_files, because=f"{by_files.because}; not all test commands were run")
    if not shown:
        return replace(by_files, because=f"{by_files.because}; no test was seen to pass, or not those that it names")
    return Decision(Verdict.PASSING, "the repository's tests pass")


def _doubt(suite: SuiteEvidence) -> str | None:
    """Return why nothing is confirmed, in words; None where it is."""
    if suite.not_run:
        return f"no test was run: {suite.not_run}"
    match suite.fault:
        case Fault.OURS:
            return "tests fail with this change, so nothing confirms it"
        case Fault.INFRASTRUCTURE:
            return f"the tests say nothing: {suite.why}"
        case _:
            return f"the tests confirm nothing: {'; '.join(suite.doubts[:_SHOWN])}" if suite.doubts else None


def _why_not_tested(task: TaskEvidence, passing: Collection[ShownTest]) -> str:
    """Return why the change's tests do not show that it works, in words."""
    if not passing:
        return ""
    ids, passes = _ids(passing), "passes" if len(passing) == 1 else "pass"
    if all(test.old is Seen.PASSED for test in passing):
        return f"; {ids} {passes} on the old code, too"
    if all(test.old not in FAILS for test in passing):
        return f"; {ids} {passes}; whether the old code fails there is not known{task.no_old and f': {task.no_old}'}"
    if task.unprobed:
        return f"; {ids} {passes}; whether the change is tested is not known: {task.unprobed}"
    if all(test.probe in (Seen.NOT_LOADED, Seen.ABSENT, Seen.UNKNOWN) for test in passing if test.old in FAILS):
        return f"; {ids} {passes}; without what the change wrote, they cannot be run"
    noticing = [test for test in passing if test.failed_on_the_old_code and test.notices]
    if looking := [test for test in noticing if test.notices_looks]:
        fails = "fails" if len(looking) == 1 else "fail"
        if any(test.control is not Seen.FAILED for test in looking):
            return f"; {_ids(looking)} {fails} on emptied functions; whether for what these do is not known"
        return (
            f"; {_ids(looking)} {fails} on emptied functions for how these look or tests are run, not for what they do"
        )
    if noticing:
        return f"; {_ids(noticing)} {'asserts' if len(noticing) == 1 else 'assert'} nothing of the code"
    return f"; {ids} {passes} even when what the change wrote in its files does nothing"


def _ids(tests: Collection[ShownTest]) -> str:
    shown = ", ".join(" ".join(test.id.split())[:_LONGEST_ID] for test in list(tests)[:_SHOWN])
    more = len(tests) - _SHOWN
    return shown + (f" and {more} more" if more > 0 else "")
