import hashlib
from dataclasses import replace
from types import MappingProxyType

import pytest

from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestCase, TestOutcome, TestReport
from moonmind.proof.verification.verdicts import Seen, ShownTest
from moonmind.stages.apply.test_trees import ChangedFiles, GuardedFiles, Probe
from moonmind.stages.apply.verification_plan import CONTROLS, Trees, VerificationPlan
from moonmind.stages.apply.verification_step import VerifiedChange
from moonmind.stages.apply.verified_judgements import probed_test

TEST = "tests/test_a.py"
PROBES = tuple(
    Probe(
        (f"{name}.py: f",),
        GuardedFiles({f"{name}.py": b"plain"}, {f"{name}.py": b"plain control"}),
        GuardedFiles({f"{name}.py": b"inert"}, {f"{name}.py": b"inert control"}),
    )
    for name in "ab"
)


def ran(outcome: TestOutcome | None = TestOutcome.PASSED, code: int = 0) -> CommandRun:
    cases = {} if outcome is None else {f"{TEST}::test_a": TestCase(f"{TEST}::test_a", outcome, TEST)}
    return CommandRun(RunEnd.EXITED, code, TestReport(MappingProxyType(cases)))


PASSES, FAILS, NOT_LOADED = ran(), ran(TestOutcome.FAILED, 1), ran(None, 1)


def a_plan(runs: dict[str, CommandRun], probes: tuple[Probe, ...] = PROBES) -> VerificationPlan:
    changed = ChangedFiles((TEST,), ("a.py", "b.py"))
    trees = Trees("1" * 40, "2" * 40, changed, frozenset(), {TEST: b"test"}, probes)
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
        *("old-1", "probe-1-1", "probe-1-2", "inert-1-1", "inert-1-2", "inert-control-1-1", "inert-control-1-2")
    ]
    assert len({one.run for one in limited}) == 1
    names = [one.job for one in limited]
    assert len(set(names)) == len(names)
    assert all(
        name.startswith("limited-") and not {"old", "probe", "inert", "control"} & set(name.split("-"))
        for name in names
    )


@pytest.mark.parametrize("former", ["{wip} {name}", "guarded {wip} {name}", "guarded {wip} control-1"])
def test_what_an_older_program_ran_is_not_taken_for_a_run_of_a_pair(former: str) -> None:
    runs = {"after-1": ran(), "before-1": ran(None), "old-1": NOT_LOADED, "probe-1-1": FAILS}
    wanted = [one for one in a_plan(runs).wanted() if one.name != "old-1" and one.job]
    for one in wanted:
        digest = hashlib.sha256(former.format(wip="2" * 40, name=one.name).encode()).hexdigest()
        assert one.job != f"limited-{digest[:16]}"
    assert {one.name for one in wanted} == {"probe-1-1", "probe-1-2"}


@pytest.mark.parametrize(
    ("old", "found", "wanted"),
    [
        (NOT_LOADED, {"probe-1-1": PASSES, "probe-1-2": PASSES}, []),
        (NOT_LOADED, {"probe-1-1": FAILS, "probe-1-2": PASSES}, ["control-1-1"]),
        (NOT_LOADED, {"probe-1-1": FAILS, "probe-1-2": FAILS}, ["control-1-1", "control-1-2"]),
        (FAILS, {"probe-1-1": PASSES, "probe-1-2": ran(TestOutcome.ERROR, 1)}, ["control-1-2"]),
        (FAILS, {"probe-1-1": FAILS, "probe-1-2": FAILS, "control-1-2": PASSES}, ["control-1-1"]),
        # What passes on the old code, too, decides nothing, whatever it does on emptied functions.
        (PASSES, {"probe-1-1": FAILS, "probe-1-2": FAILS}, []),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "probe-1-2": PASSES}, ["inert-1-1"]),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "probe-1-2": FAILS}, ["inert-1-1", "control-1-2"]),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "inert-1-1": PASSES, "probe-1-2": PASSES}, []),
        (NOT_LOADED, {"probe-1-1": NOT_LOADED, "inert-1-1": FAILS, "probe-1-2": PASSES}, ["inert-control-1-1"]),
    ],
)
def test_a_control_is_run_of_each_run_on_emptied_functions_in_which_a_test_of_the_change_fails(
    old: CommandRun, found: dict[str, CommandRun], wanted: list[str]
) -> None:
    runs = {"after-1": PASSES, "before-1": NOT_LOADED, "old-1": old, **found}
    missing = [one for one in a_plan(runs).wanted() if one.name not in runs]
    assert [one.name for one in missing] == wanted
    for one in missing:
        path = "ab"[int(one.name[-1]) - 1] + ".py"
        kind = one.name.partition("-1")[0]
        content = {"control": b"plain control", "inert": b"inert", "inert-control": b"inert control"}[kind]
        assert one.files == {path: content}
        assert (one.commit, one.memory) == ("2" * 40, None)


def test_a_probe_without_inert_files_has_no_run_on_them() -> None:
    runs = {"after-1": PASSES, "before-1": NOT_LOADED, "old-1": NOT_LOADED, "probe-1-1": NOT_LOADED}
    for probe, wanted in ((PROBES[0], ["inert-1-1"]), (replace(PROBES[0], inert=GuardedFiles()), [])):
        found = [one.name for one in a_plan(runs, (probe,)).wanted() if one.name not in runs]
        assert found == wanted


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        ({}, (Seen.UNKNOWN, Seen.UNKNOWN)),
        ({"probe": PASSES}, (Seen.PASSED, Seen.UNKNOWN)),
        ({"probe": FAILS, "control": PASSES}, (Seen.FAILED, Seen.PASSED)),
        ({"probe": FAILS, "control": FAILS}, (Seen.FAILED, Seen.FAILED)),
        # Only the control of the very files that it fails on says why it fails.
        ({"probe": FAILS, "control": FAILS, "inert-control": PASSES}, (Seen.FAILED, Seen.FAILED)),
        ({"probe": PASSES, "control": PASSES, "inert": FAILS, "inert-control": FAILS}, (Seen.FAILED, Seen.FAILED)),
        ({"probe": FAILS, "control": FAILS, "inert": FAILS, "inert-control": PASSES}, (Seen.FAILED, Seen.PASSED)),
        ({"probe": FAILS, "control": PASSES, "inert": NOT_LOADED, "inert-control": NOT_LOADED}, (Seen.FAILED, Seen.PASSED)),
        ({"probe": NOT_LOADED, "inert": FAILS, "inert-control": PASSES}, (Seen.FAILED, Seen.PASSED)),
        ({"probe": NOT_LOADED, "inert": PASSES}, (Seen.NOT_LOADED, Seen.UNKNOWN)),
        ({"inert": PASSES}, (Seen.PASSED, Seen.UNKNOWN)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("index", [1, 3])
def test_a_test_is_judged_by_a_run_and_the_control_of_that_very_run(
    found: dict[str, CommandRun], seen: tuple[Seen, Seen], index: int
) -> None:
    others = {f"{kind}-1-2": FAILS if kind in CONTROLS else PASSES for kind in (*CONTROLS, *CONTROLS.values())}
    runs = {
        "after-1": PASSES,
        "control-1": PASSES,
        **others,
        **{f"{kind}-1-{index}": one for kind, one in found.items()},
    }
    verified = VerifiedChange(commands=(TestCommand("unit", "pytest -q"),), runs=runs)
    shown = probed_test(ShownTest(f"{TEST}::test_a"), verified, index)
    assert (shown.probe, shown.control) == seen
