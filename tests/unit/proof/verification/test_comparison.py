from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from moonmind.proof.verification.comparison import Fault, compare
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestCase, TestOutcome, TestReport

P, F, E, S = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED


def run(
    code: int | None = 0, /, end: RunEnd = RunEnd.EXITED, output: str = "", message: str = "", **cases: TestOutcome
) -> CommandRun:
    report = TestReport({name: TestCase(name, outcome, f"{name[0]}.py") for name, outcome in cases.items()})
    return CommandRun(end, code if end is RunEnd.EXITED else None, report, output, 3.0, message)


LATE = run(end=RunEnd.TIMED_OUT)
STOPPED = run(end=RunEnd.STOPPED, message="it wrote more output than the limit allows")
KILLED = run(end=RunEnd.STOPPED, message="it was killed (SIGKILL)")
HOST = run(end=RunEnd.HOST, message="its disk has less than 512 MiB left")
SLOW = replace(LATE, seconds=5.0)
SERVICE, SANDBOX = run(end=RunEnd.SERVICE), run(end=RunEnd.SANDBOX)
GREEN, RED = run(a1=P, b1=P), run(1, a1=F, b1=P)

FAULTS = [
    # before, after, again, fault
    (GREEN, GREEN, None, Fault.NONE),
    (None, GREEN, None, Fault.NONE),
    (RED, GREEN, None, Fault.NONE),
    (GREEN, RED, None, Fault.OURS),
    (GREEN, RED, RED, Fault.OURS),
    (GREEN, RED, GREEN, Fault.FLAKY),
    (GREEN, RED, LATE, Fault.OURS),
    (RED, RED, None, Fault.BEFORE),
    (RED, run(1, a1=F, b1=F), None, Fault.OURS),
    (RED, run(1, a1=F, b1=F), run(1, a1=F, b1=P), Fault.BEFORE),
    (None, RED, RED, Fault.INFRASTRUCTURE),
    (LATE, RED, RED, Fault.INFRASTRUCTURE),
    (GREEN, run(1, a1=P, b1=P, c1=F), None, Fault.OURS),
    (run(a1=S), run(1, a1=F), None, Fault.OURS),
    (GREEN, run(1, a0=E, b1=P), None, Fault.OURS),
    (GREEN, replace(LATE, seconds=6.0), None, Fault.OURS),
    (GREEN, SLOW, None, Fault.INFRASTRUCTURE),
    (SLOW, LATE, None, Fault.BEFORE),
    (GREEN, HOST, None, Fault.INFRASTRUCTURE),
    (HOST, HOST, None, Fault.INFRASTRUCTURE),
    (HOST, RED, RED, Fault.INFRASTRUCTURE),
    (HOST, STOPPED, None, Fault.INFRASTRUCTURE),
    (LATE, LATE, None, Fault.BEFORE),
    (None, LATE, None, Fault.INFRASTRUCTURE),
    (SERVICE, LATE, None, Fault.INFRASTRUCTURE),
    (GREEN, STOPPED, None, Fault.OURS),
    (STOPPED, STOPPED, None, Fault.BEFORE),
    (GREEN, KILLED, None, Fault.INFRASTRUCTURE),
    (GREEN, SERVICE, None, Fault.INFRASTRUCTURE),
    (GREEN, SANDBOX, None, Fault.INFRASTRUCTURE),
    (GREEN, run(1, output="OSError: [Errno 28] No space left on device"), None, Fault.INFRASTRUCTURE),
    # without reports
    (run(), run(2), None, Fault.OURS),
    (run(), run(2), run(2), Fault.OURS),
    (run(), run(2), run(), Fault.FLAKY),
    (run(1), run(2), None, Fault.BEFORE),
    (run(1), run(), None, Fault.NONE),
    (run(127), run(127), None, Fault.INFRASTRUCTURE),
    (run(126), run(126), None, Fault.INFRASTRUCTURE),
    (run(1, output="python: No module named pytest"), run(1, output="python: No module named pytest"), None, Fault.INFRASTRUCTURE),
    (run(), run(127), None, Fault.OURS),
    (None, run(1), None, Fault.INFRASTRUCTURE),
    (LATE, run(1), None, Fault.INFRASTRUCTURE),
    # a report without a failure, and a bad exit code: a threshold, or another command behind it
    (run(a1=P), run(1, a1=P), None, Fault.OURS),
    (run(1, a1=P), run(1, a1=P), None, Fault.BEFORE),
    # the same tests fail, and it is another failure all the same
    (RED, run(139, a1=F), None, Fault.OURS),
    (RED, run(1), None, Fault.OURS),
    (RED, run(1, a1=P, b1=P), None, Fault.OURS),
    (RED, run(1, a1=F), None, Fault.BEFORE),
    # one word in the output excuses no failed test
    (GREEN, run(1, output="No space left on device", a1=F, b1=P), None, Fault.OURS),
    # a good exit code does not cover a failed test
    (GREEN, run(0, a1=F, b1=P), None, Fault.OURS),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "again", "fault"), FAULTS, ids=range(len(FAULTS)))
def test_whose_fault_it_is(
    before: CommandRun | None, after: CommandRun, again: CommandRun | None, fault: Fault
) -> None:
    found = compare(before, after, again)
    assert found.fault is fault, found.why
    assert bool(found.why) is (fault is not Fault.NONE)


@pytest.mark.parametrize(
    ("before", "after", "lists"),
    [
        ({"a1": P, "a2": F, "a3": F, "a4": S}, {"a1": F, "a2": F, "a3": P, "a4": F, "c1": F, "c2": P},
         {"broke": ("a1", "a4"), "failed_before": ("a2",), "fixed": ("a3",), "failing_new": ("c1",), "added": ("c1", "c2")}),
        ({"a1": P, "b1": P}, {"a1": P}, {"gone": ("b1",)}),
        ({"a1": P, "b1": P, "b2": F}, {"a1": P, "b1": S, "b2": S}, {"now_skipped": ("b1", "b2")}),
        ({"a1": P, "b1": P}, {"a1": P, "b0": E}, {"failing_new": ("b0",), "added": ("b0",)}),
        ({"a1": S}, {"a1": S}, {}),
        ({}, {"a1": P}, {}),
    ],
)  # fmt: skip
def test_what_became_of_each_test(
    before: Mapping[str, Any], after: Mapping[str, Any], lists: Mapping[str, tuple[str, ...]]
) -> None:
    found = compare(run(**before), run(1, **after))
    names = ("broke", "failing_new", "flaky", "failed_before", "fixed", "added", "gone", "now_skipped")
    assert {name: value for name in names if (value := getattr(found, name))} == lists


def test_where_no_test_ran_before_all_are_added() -> None:
    empty = CommandRun(RunEnd.EXITED, 5, TestReport(read=1))
    found = compare(empty, run(a1=P, a2=P))
    assert (found.fault, found.added) == (Fault.NONE, ("a1", "a2"))
    assert compare(empty, run(1, a1=P, a2=F)).failing_new == ("a2",)


def test_what_passed_when_run_again_is_flaky_and_not_broken() -> None:
    found = compare(run(a1=P, a2=P), run(1, a1=F, a2=F), run(1, a1=P, a2=F))
    assert (found.broke, found.flaky, found.fault) == (("a2",), ("a1",), Fault.OURS)


def test_a_run_that_was_cut_short_makes_no_test_gone() -> None:
    found = compare(run(a1=P, b1=P), CommandRun(RunEnd.TIMED_OUT, report=run(a1=P).report))
    assert found.gone == ()


@pytest.mark.parametrize(("outcome", "gone"), [(E, ()), (P, ("a.py",)), (F, ("a.py",))])
def test_a_file_that_could_not_be_loaded_before_is_no_test_that_is_gone(
    outcome: TestOutcome, gone: tuple[str, ...]
) -> None:
    before = CommandRun(RunEnd.EXITED, 1, TestReport({"a.py": TestCase("a.py", outcome, "a.py")}))
    assert compare(before, GREEN).gone == gone


def test_a_file_that_cannot_be_loaded_makes_no_other_test_gone() -> None:
    assert compare(GREEN, run(2, c0=E)).gone == ()
    assert compare(GREEN, run(1, c0=E)).gone == ("a1", "b1")


@pytest.mark.parametrize(
    ("after", "gone"),
    [(["a[3]", "a[4]"], ()), (["a[3]", "a[4]", "a[5]"], ()), (["a[3]"], ("a[1]", "a[2]")), (["b"], ("a[1]", "a[2]"))],
)
def test_a_parametrised_test_is_gone_where_it_has_fewer_cases(after: list[str], gone: tuple[str, ...]) -> None:
    before: dict[str, Any] = {"a[1]": P, "a[2]": P}
    now: dict[str, Any] = dict.fromkeys(after, P)
    assert compare(run(**before), run(**now)).gone == gone


def test_the_words_name_some_tests_and_count_the_rest() -> None:
    before: dict[str, Any] = {f"a{number}": P for number in range(9)}
    after: dict[str, Any] = dict.fromkeys(before, F)
    found = compare(run(**before), run(1, **after))
    assert found.why == "9 tests fail: a0, a1, a2 and 6 more"
