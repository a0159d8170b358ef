import hashlib
from types import MappingProxyType

import pytest

from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestCase, TestOutcome, TestReport
from moonmind.stages.apply.test_trees import ChangedFiles, Probe
from moonmind.stages.apply.verification_plan import Trees, VerificationPlan

TEST = "tests/test_a.py"
PROBES = (
    Probe({"a.py": b"emptied a"}, ("a.py: f",), {"a.py": b"inert a"}, control={"a.py": b"control a"}),
    Probe({"b.py": b"emptied b"}, ("b.py: f",), {"b.py": b"inert b"}, control={"b.py": b"control b"}),
)


def ran(outcome: TestOutcome | None = TestOutcome.PASSED, code: int = 0) -> CommandRun:
    cases = {} if outcome is None else {f"{TEST}::test_a": TestCase(f"{TEST}::test_a", outcome, TEST)}
    return CommandRun(RunEnd.EXITED, code, TestReport(MappingProxyType(cases)))


PASSES, FAILS, NOT_LOADED = ran(), ran(TestOutcome.FAILED, 1), ran(None, 1)


def a_plan(runs: dict[str, CommandRun]) -> VerificationPlan:
    changed = ChangedFiles((TEST,), ("a.py", "b.py"))
    trees = Trees("1" * 40, "2" * 40, changed, frozenset(), {TEST: b"test"}, PROBES)
    memories = {"1" * 40: "x", "2" * 40: "y"}
    return VerificationPlan([TestCommand("unit", "pytest -q")], trees, runs, seconds=60.0, memories=memories)


def test_no_job_tells_its_tests_on_what_they_are_run() -> None:
    runs = {"after-1": ran(), "before-1": ran(None)}
    limited = a_plan(runs).wanted()
    runs |= {"old-1": ran(None, 1), "probe-1-1": ran(None, 1), "probe-1-2": ran(None, 1)}
    limited += [one for one in a_plan(runs).wanted() if one.name not in runs]
    runs |= {"inert-1-1": FAILS, "inert-1-2": FAILS}
    limited += [one for one in a_plan(runs).wanted() if one.name not in runs]
    assert [one.name for one in limited] == [
        *("old-1", "probe-1-1", "probe-1-2", "inert-1-1", "inert-1-2", "control-1")
    ]
    assert len({one.run for one in limited}) == 1
    names = [one.job for one in limited]
    assert len(set(names)) == len(names)
    assert all(
        name.startswith("limited-") and not {"old", "probe", "inert", "control"} & set(name.split("-"))
        for name in names
    )


def test_what_ran_with_bodies_cut_out_is_not_taken_for_a_run_with_guards() -> None:
    (probe,) = (one for one in a_plan({"after-1": ran(), "before-1": ran(None)}).wanted() if one.name == "probe-1-1")
    as_before = hashlib.sha256(f"{'2' * 40} {probe.name}".encode()).hexdigest()
    assert probe.job != f"limited-{as_before[:16]}"


@pytest.mark.parametrize(
    ("old", "found", "wanted"),
    [
        (NOT_LOADED, {"probe-1-1": PASSES, "probe-1-2": PASSES}, []),
        (NOT_LOADED, {"probe-1-1": FAILS, "probe-1-2": PASSES}, ["control-1"]),
        (FAILS, {"probe-1-1": PASSES, "probe-1-2": ran(TestOutcome.ERROR, 1)}, ["control-1"]),
        (FAILS, {"probe-1-1": PASSES, "probe-1-2": FAILS, "control-1": PASSES}, []),
        # What passes on the old code, too, decides nothing, whatever it does on emptied functions.
        (PASSES, {"probe-1-1": FAILS, "probe-1-2": FAILS}, []),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "probe-1-2": PASSES}, ["inert-1-1"]),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "probe-1-2": FAILS}, ["inert-1-1", "control-1"]),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "inert-1-1": PASSES, "probe-1-2": PASSES}, []),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "inert-1-1": FAILS, "probe-1-2": PASSES}, ["control-1"]),
    ],
)
def test_a_control_is_run_once_where_a_test_of_the_change_fails_on_emptied_functions(
    old: CommandRun, found: dict[str, CommandRun], wanted: list[str]
) -> None:
    runs = {"after-1": PASSES, "before-1": NOT_LOADED, "old-1": old, **found}
    missing = [one for one in a_plan(runs).wanted() if one.name not in runs]
    assert [one.name for one in missing] == wanted
    for one in missing:
        if one.name == "control-1":
            assert one.files == {"a.py": b"control a", "b.py": b"control b"}
            assert (one.commit, one.memory) == ("2" * 40, None)
