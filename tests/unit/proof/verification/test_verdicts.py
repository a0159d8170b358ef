from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.verification.comparison import Fault
from moonmind.proof.verification.verdicts import Seen, ShownTest, SuiteEvidence, TaskEvidence, decide
from moonmind.runs.verdict import Verdict

GREEN = SuiteEvidence()
GOOD = ShownTest("t::a", Seen.FAILED, Seen.PASSED, Seen.FAILED, control=Seen.PASSED)
CHANGED = TaskEvidence(Verdict.CHANGED, "a.py", own=(GOOD,))
STRENGTH = [Verdict.CONTRADICTED, Verdict.OPEN, Verdict.CLAIMED, Verdict.CHANGED, Verdict.PASSING, Verdict.TESTED]


def test_a_test_that_notices_shows_that_the_task_is_tested() -> None:
    found = decide(CHANGED, GREEN)
    assert (found.verdict, found.tests) == (Verdict.TESTED, (GOOD,))
    assert "t::a" in found.because


@pytest.mark.parametrize(
    "weaker",
    [
        {"old": Seen.PASSED},
        {"old": Seen.SKIPPED},
        {"old": Seen.ABSENT},
        {"old": Seen.UNKNOWN},
        {"new": Seen.SKIPPED},
        {"new": Seen.UNKNOWN},
        {"probe": Seen.PASSED},
        {"probe": Seen.NOT_LOADED},
        {"probe": Seen.SKIPPED},
        {"probe": Seen.ABSENT},
        {"probe": Seen.UNKNOWN},
        {"control": Seen.FAILED},
        {"control": Seen.NOT_LOADED},
        {"control": Seen.SKIPPED},
        {"control": Seen.UNKNOWN},
        {"asserts": False},
        {"flaky": True},
    ],
)
def test_with_anything_less_it_is_only_passing(weaker: dict[str, object]) -> None:
    found = decide(replace(CHANGED, own=(replace(GOOD, **weaker),)), GREEN)  # type: ignore[arg-type]
    assert found.verdict is Verdict.PASSING


@pytest.mark.parametrize(
    ("old", "words"),
    [
        (Seen.PASSED, " on the old code, too"),
        (Seen.UNKNOWN, "; whether the old code fails there is not known"),
        (Seen.SKIPPED, "; whether the old code fails there is not known"),
        (Seen.ABSENT, "; whether the old code fails there is not known"),
    ],
)
def test_only_of_a_test_that_was_seen_to_is_said_that_it_passes_on_the_old_code(old: Seen, words: str) -> None:
    found = decide(replace(CHANGED, own=(replace(GOOD, old=old),)), GREEN)
    assert found.because == f"a.py; t::a passes{words}"


def test_it_is_said_that_a_test_that_fails_without_the_code_asserts_nothing() -> None:
    found = decide(replace(CHANGED, own=(replace(GOOD, asserts=False),)), GREEN)
    assert found.because == "a.py; t::a asserts nothing of the code"


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (Seen.FAILED, "for how these look or tests are run, not for what they do"),
        (Seen.NOT_LOADED, "; whether for what these do is not known"),
        (Seen.UNKNOWN, "; whether for what these do is not known"),
    ],
)
def test_it_is_said_that_a_test_fails_for_how_functions_look(control: Seen, words: str) -> None:
    looks = replace(GOOD, control=control)
    found = decide(replace(CHANGED, own=(looks, replace(GOOD, id="t::b", asserts=False))), GREEN)
    assert found.because.startswith("a.py; t::a fails on emptied functions")
    assert found.because.endswith(words)
    both = decide(replace(CHANGED, own=(looks, replace(looks, id="t::b"))), GREEN)
    assert both.because.startswith("a.py; t::a, t::b fail on emptied functions")


def test_a_test_that_passes_on_emptied_functions_needs_no_control() -> None:
    unnoticed = replace(GOOD, probe=Seen.PASSED, control=Seen.UNKNOWN)
    assert not unnoticed.notices_looks
    assert "does nothing" in decide(replace(CHANGED, own=(unnoticed,)), GREEN).because


def test_a_task_of_tests_that_assert_nothing_is_only_changed() -> None:
    found = decide(replace(CHANGED, own=(replace(GOOD, asserts=False),), hollow=True), GREEN)
    assert (found.verdict, found.because) == (Verdict.CHANGED, "a.py; no test of it asserts anything of the code")


def test_what_cannot_be_loaded_on_the_old_code_fails_there() -> None:
    assert decide(replace(CHANGED, own=(replace(GOOD, old=Seen.NOT_LOADED),)), GREEN).verdict is Verdict.TESTED


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        (SuiteEvidence(not_run="none is configured"), "no test was run: none is configured"),
        (SuiteEvidence(fault=Fault.OURS, why="1 test fails: x"), "tests fail with this change, so nothing confirms it"),
        (SuiteEvidence(fault=Fault.INFRASTRUCTURE, why="no space"), "the tests say nothing: no space"),
        (SuiteEvidence(doubts=("pytest.py shadows the runner",)), "confirm nothing: pytest.py shadows the runner"),
        (SuiteEvidence(fault=Fault.BEFORE, doubts=("2 tests are gone",)), "confirm nothing: 2 tests are gone"),
    ],
)
def test_without_a_suite_that_confirms_it_stays_changed_and_says_why(suite: SuiteEvidence, words: str) -> None:
    found = decide(CHANGED, suite)
    assert found.verdict is Verdict.CHANGED
    assert words in found.because


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.BEFORE, Fault.FLAKY])
def test_failures_that_are_not_the_changes_do_not_count(fault: Fault) -> None:
    assert decide(CHANGED, SuiteEvidence(fault=fault, why="x")).verdict is Verdict.TESTED


@pytest.mark.parametrize("verdict", [Verdict.CHANGED, Verdict.CLAIMED])
@pytest.mark.parametrize("new", [Seen.FAILED, Seen.NOT_LOADED])
def test_a_task_is_contradicted_by_a_failing_test_that_it_names(verdict: Verdict, new: Seen) -> None:
    failing = ShownTest("t::b", Seen.FAILED, new)
    found = decide(TaskEvidence(verdict, "a.py", named=(GOOD, failing), own=(GOOD,)), GREEN)
    assert (found.verdict, found.tests) == (Verdict.CONTRADICTED, (failing,))
    assert decide(TaskEvidence(verdict, "a.py", named=(replace(failing, flaky=True),)), GREEN).verdict.ticks


@pytest.mark.parametrize("verdict", [Verdict.OPEN, Verdict.CONTRADICTED, Verdict.ACCEPTED, Verdict.CLAIMED])
def test_tests_raise_nothing_else(verdict: Verdict) -> None:
    assert decide(TaskEvidence(verdict, "x", named=(GOOD,), own=(GOOD,)), GREEN).verdict is verdict


tests = st.builds(
    ShownTest,
    st.just("t::x"),
    st.sampled_from(Seen),
    st.sampled_from(Seen),
    st.sampled_from(Seen),
    st.booleans(),
    control=st.sampled_from(Seen),
)
tasks = st.builds(
    TaskEvidence,
    st.sampled_from([Verdict.OPEN, Verdict.CLAIMED, Verdict.CHANGED, Verdict.CONTRADICTED]),
    st.just("a.py"),
    st.lists(tests, max_size=3).map(tuple),
    st.lists(tests, max_size=3).map(tuple),
    st.sampled_from(["", "a language that cannot be read"]),
)
suites = st.builds(
    SuiteEvidence,
    st.sampled_from(["", "none"]),
    st.sampled_from(Fault),
    st.just("why"),
    st.lists(st.just("doubt"), max_size=2).map(tuple),
)


@given(tasks, suites)
def test_no_doubt_ever_raises_a_verdict(task: TaskEvidence, suite: SuiteEvidence) -> None:
    found, doubted = decide(task, suite).verdict, decide(task, replace(suite, doubts=(*suite.doubts, "more"))).verdict
    assert STRENGTH.index(doubted) <= STRENGTH.index(found)


@given(tasks, suites)
def test_tested_always_has_a_test_that_noticed(task: TaskEvidence, suite: SuiteEvidence) -> None:
    found = decide(task, suite)
    if found.verdict is Verdict.TESTED:
        assert found.tests
        assert all(one.old in (Seen.FAILED, Seen.NOT_LOADED) for one in found.tests)
        assert all((one.new, one.probe, one.control) == (Seen.PASSED, Seen.FAILED, Seen.PASSED) for one in found.tests)
