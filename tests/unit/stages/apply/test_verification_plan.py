"""Which commands are run on which trees, as results come in."""

import pytest

from moonmind.proof.verification.comparison import Fault
from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestCase, TestOutcome, TestReport
from moonmind.stages.apply.test_trees import ChangedFiles
from moonmind.stages.apply.verification_plan import BEFORE_SECONDS, Trees, VerificationPlan

LONG = BEFORE_SECONDS + 100


def run(seconds: float = 3.0, *, fails: bool = False, end: RunEnd = RunEnd.EXITED) -> CommandRun:
    outcome = TestOutcome.FAILED if fails else TestOutcome.PASSED
    report = TestReport({"a": TestCase("a", outcome, "tests/test_a.py")})
    return CommandRun(end, int(fails) if end is RunEnd.EXITED else None, report, "", seconds)


def plan(runs: dict[str, CommandRun], *, alters: bool = False, commands: int = 1) -> VerificationPlan:
    changed = ChangedFiles(tests=("tests/test_new.py",), code=("a.py",), alters_tests=alters)
    trees = Trees("start", "wip", changed, frozenset(), {}, ())
    made = [TestCommand("unit", f"make test{number}") for number in range(commands)]
    return VerificationPlan(made, trees, runs, seconds=1800.0, memories={"start": "s", "wip": "w"})


def names(found: VerificationPlan) -> list[str]:
    return [one.name for one in found.wanted()]


def test_new_code_comes_first_of_all_commands() -> None:
    assert names(plan({}, commands=2)) == ["after-1", "after-2", "before-1", "before-2"]


def test_the_old_code_has_five_minutes() -> None:
    after, before = plan({}).wanted()
    assert (after.seconds, before.seconds) == (1800.0, BEFORE_SECONDS)


@pytest.mark.parametrize(("alters", "wanted"), [(False, []), (True, ["base-1"])])
def test_a_long_green_command_is_run_on_the_old_code_only_where_tests_were_altered(
    alters: bool, wanted: list[str]
) -> None:
    assert names(plan({"after-1": run(LONG)}, alters=alters)) == wanted
    cut = run(BEFORE_SECONDS, end=RunEnd.TIMED_OUT)
    assert names(plan({"after-1": run(LONG), "before-1": cut}, alters=alters)) == wanted


def test_a_long_command_that_fails_is_run_whole_on_the_old_code_at_once() -> None:
    runs = {"after-1": run(LONG, fails=True)}
    (base,) = plan(runs).wanted()
    assert (base.name, base.commit, base.seconds) == ("base-1", "start", 1800.0)
    runs["base-1"] = run(LONG)
    assert names(plan(runs)) == ["base-1", "again-1"]
    assert plan({**runs, "again-1": run(LONG, fails=True)}).comparison(1).fault is Fault.OURS


def test_a_short_green_command_is_run_on_the_old_code() -> None:
    assert names(plan({"after-1": run()})) == ["after-1", "before-1"]
    assert names(plan({"after-1": run(), "before-1": run()})) == []


@pytest.mark.parametrize(
    ("end", "wanted"),
    [(RunEnd.TIMED_OUT, ["base-1"]), (RunEnd.STOPPED, ["base-1"]), (RunEnd.SANDBOX, []), (RunEnd.HOST, [])],
)
def test_only_what_says_something_of_the_change_costs_a_long_run_on_the_old_code(
    end: RunEnd, wanted: list[str]
) -> None:
    cut = run(BEFORE_SECONDS, end=RunEnd.TIMED_OUT)
    assert names(plan({"after-1": run(LONG, end=end), "before-1": cut})) == wanted


def cases(**outcomes: TestOutcome) -> CommandRun:
    """Return a run of tests by their names; `a_x` is the test x of the file tests/test_a.py, and `x` one of no file."""
    made = {}
    for name, outcome in outcomes.items():
        file, _, _ = name.rpartition("_")
        made[name] = TestCase(name, outcome, f"tests/test_{file}.py" if file else "")
    bad = any(outcome is TestOutcome.FAILED for outcome in outcomes.values())
    return CommandRun(RunEnd.EXITED, int(bad), TestReport(made), "", 3.0)


P, F = TestOutcome.PASSED, TestOutcome.FAILED
BEFORE = cases(a_one=P, a_two=P, b_one=P, old=F, c_one=F)
CUT = run(30.0, end=RunEnd.TIMED_OUT)


ALONE = ["alone-1", "alone-before-1"]


@pytest.mark.parametrize(
    ("after", "files", "old_files"),
    [
        (cases(a_one=F, a_two=P, b_one=P), "tests/test_a.py", "tests/test_a.py"),
        (cases(a_one=F, a_two=F, b_one=F), "tests/test_a.py tests/test_b.py", "tests/test_a.py tests/test_b.py"),
        (cases(a_one=P, b_one=P, new_one=F), "tests/test_new.py", None),
        (cases(a_one=P, b_one=F, new_one=F), "tests/test_b.py tests/test_new.py", "tests/test_b.py"),
        (cases(a_one=F, c_one=F, old=F), "tests/test_a.py", "tests/test_a.py"),
    ],
    ids=["one", "of two files", "a new one", "a new one and one of before", "not what failed before"],
)
def test_what_fails_is_run_alone_to_be_sure(after: CommandRun, files: str, old_files: str | None) -> None:
    runs = {"after-1": after, "before-1": BEFORE}
    wanted = with_pytest(runs).wanted()
    trees = [("alone-1", "wip", files)] + ([("alone-before-1", "start", old_files)] if old_files else [])
    assert [(one.name, one.commit, one.run.partition(" --junitxml")[0]) for one in wanted] == [
        (name, commit, f"pytest -q {limited}") for name, commit, limited in trees
    ]
    assert all(one.memory is None for one in wanted)
    runs["alone-1"] = cases(**{name: one.outcome for name, one in after.report.cases.items()})
    runs["alone-before-1"] = BEFORE
    assert names(with_pytest(runs)) == []
    assert with_pytest(runs).comparison(1).fault is Fault.OURS


@pytest.mark.parametrize(
    ("alone", "old"),
    [
        (cases(a_one=P, a_two=F), BEFORE),
        (cases(a_one=P, a_two=P), BEFORE),
        (cases(a_two=F), BEFORE),
        (CUT, BEFORE),
        (cases(a_one=F, a_two=F), cases(a_one=F, a_two=P)),
        (cases(a_one=F, a_two=F), cases(a_one=F, a_two=F)),
        (cases(a_one=F, a_two=F), cases(a_two=P)),
        (cases(a_one=F, a_two=F), CUT),
    ],
    ids=[
        "one passes", "all pass", "one is lost", "cut", "one needs others", "all need others", "one was lost", "was cut",
    ],
)  # fmt: skip
def test_what_says_nothing_alone_is_run_among_all_others_again(alone: CommandRun, old: CommandRun) -> None:
    runs = {"after-1": cases(a_one=F, a_two=F, b_one=P), "before-1": BEFORE, "alone-1": alone, "alone-before-1": old}
    assert names(with_pytest(runs)) == [*ALONE, "again-1"]
    runs["again-1"] = cases(a_one=F, a_two=F, b_one=P)
    assert with_pytest(runs).comparison(1).broke == ("a_one", "a_two")
    assert names(with_pytest(runs)) == []
    runs["again-1"] = cases(a_one=P, a_two=P, b_one=P)
    assert with_pytest(runs).comparison(1).fault is Fault.FLAKY


@pytest.mark.parametrize(
    ("after", "command"),
    [
        (cases(a_one=P, new=F), "pytest"),
        (cases(a_one=F), "make test"),
        (CommandRun(RunEnd.EXITED, 1, TestReport({}), "", 3.0), "pytest"),
    ],
    ids=["of no file", "of a command that runs all", "of no name"],
)
def test_what_cannot_be_run_alone_is_run_among_all_others_again(after: CommandRun, command: str) -> None:
    assert names(with_pytest({"after-1": after, "before-1": BEFORE}, command)) == ["again-1"]


def with_pytest(runs: dict[str, CommandRun], command: str = "pytest -q") -> VerificationPlan:
    changed = ChangedFiles(tests=("tests/test_new.py",), code=("a.py",))
    trees = Trees("start", "wip", changed, frozenset(), {}, ())
    memories = {"start": "s", "wip": "w"}
    return VerificationPlan([TestCommand("unit", command)], trees, runs, seconds=1800.0, memories=memories)
