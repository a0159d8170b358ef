from types import MappingProxyType

from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestCase, TestOutcome, TestReport
from moonmind.stages.apply.test_trees import ChangedFiles, Probe
from moonmind.stages.apply.verification_plan import Trees, VerificationPlan

TEST = "tests/test_a.py"
PROBES = (
    Probe({"a.py": b"emptied a"}, ("a.py: f",), {"a.py": b"inert a"}),
    Probe({"b.py": b"emptied b"}, ("b.py: f",), {"b.py": b"inert b"}),
)


def ran(outcome: TestOutcome | None = TestOutcome.PASSED, code: int = 0) -> CommandRun:
    cases = {} if outcome is None else {f"{TEST}::test_a": TestCase(f"{TEST}::test_a", outcome, TEST)}
    return CommandRun(RunEnd.EXITED, code, TestReport(MappingProxyType(cases)))


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
    assert [one.name for one in limited] == ["old-1", "probe-1-1", "probe-1-2", "inert-1-1", "inert-1-2"]
    assert len({one.run for one in limited}) == 1
    names = [one.job for one in limited]
    assert len(set(names)) == len(names)
    assert all(name.startswith("limited-") and not {"old", "probe", "inert"} & set(name.split("-")) for name in names)
