"""The verdicts on a phase's tasks once its tests were run, and what is recorded of these."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from moonmind.ports.vcs import Change
from moonmind.proof.recipe import RecipeFile, Tick
from moonmind.proof.verification.asserting_tests import AssertingTests
from moonmind.proof.verification.comparison import Fault
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestOutcome
from moonmind.proof.verification.verdicts import (
    FAILS,
    Decision,
    Seen,
    ShownTest,
    SuiteEvidence,
    TaskEvidence,
    decide,
    decide_check,
)
from moonmind.runs.verdict import Verdict
from moonmind.speckit.evidence import is_test
from moonmind.speckit.targets import is_folder
from moonmind.speckit.test_wording import asks_for_tests
from moonmind.stages.apply.test_findings import find_in
from moonmind.stages.apply.test_trees import Read
from moonmind.stages.apply.verification_facts import draft_because, verification_of
from moonmind.stages.apply.verification_plan import CONTROLS
from moonmind.stages.apply.verification_step import VerifiedChange, asked_evidence, least_evidence
from moonmind.stages.kit.plan import Plan, PlanTask
from moonmind.stages.kit.stage_results import Judgement, TestEvidence, TestFinding, Verification

NOTHING_SHOWS_IT = "only the agent says that it is done"
_MOST_TESTS = 10
_MOST_FILES = 500
"""Test files that are read for what they assert."""
_SEEN: Mapping[TestOutcome, Seen] = {
    TestOutcome.PASSED: Seen.PASSED,
    TestOutcome.FAILED: Seen.FAILED,
    TestOutcome.ERROR: Seen.FAILED,
    TestOutcome.SKIPPED: Seen.SKIPPED,
}
_STRENGTH = (Verdict.CLAIMED, Verdict.CHANGED, Verdict.PASSING, Verdict.TESTED)
_LEAST: Mapping[Tick, Verdict] = {
    Tick.CLAIMED: Verdict.CLAIMED,
    Tick.CHANGED: Verdict.CHANGED,
    Tick.PASSING: Verdict.PASSING,
    Tick.TESTED: Verdict.TESTED,
}


def decided(
    plan: Plan,
    by_files: Sequence[Judgement],
    verified: VerifiedChange,
    changes: Collection[Change],
    read: Read,
    recipe: RecipeFile | None,
) -> tuple[tuple[Judgement, ...], Verification]:
    """Return the verdicts with what the tests showed, and what is recorded of the tests."""
    findings = find_in(plan, verified, changes, read) if verified.commands else ()
    suite = _suite(verified, findings)
    shown = _shown_tests(verified, AssertingTests(_test_files(verified, read)))
    tasks = {task.key: task for task in plan.tasks}
    judged = tuple(
        _held(
            _of_check(one, tasks[one.key], verified, suite)
            if asks_for_tests(tasks[one.key].text)
            else _decided(one, tasks[one.key], verified, suite, shown),
            recipe,
        )
        for one in by_files
    )
    return (*judged, *_checks(plan, judged, verified, suite, recipe)), verification_of(
        verified, findings, draft_because(verified)
    )


def _decided(
    judgement: Judgement,
    task: PlanTask,
    verified: VerifiedChange,
    suite: SuiteEvidence,
    shown: Mapping[str, tuple[ShownTest, ...]],
) -> Judgement:
    probe = verified.probes.get(task.key)
    files = {file for files in verified.test_files for file in files}
    named = [
        file for file in sorted(files) if any(_stands_for(name, file) for name in (*task.targets, *task.references))
    ]
    # A task of tests alone is shown by its own: others' say nothing of these.
    of_tests = bool(task.targets) and all(map(is_test, task.targets))
    deciding = named if of_tests else files
    own = tuple(probed_test(test, verified, probe) for file in sorted(deciding) for test in shown.get(file, ()))
    found = decide(
        TaskEvidence(
            judgement.verdict,
            judgement.because,
            # Tests that are written before their code fail as they should.
            named=_that_count(task, named, verified, shown) if verified.changed.code else (),
            own=own,
            hollow=of_tests and bool(own) and not any(one.asserts for one in own),
            no_old=verified.no_old,
            unprobed=verified.unprobed.get(task.key, ""),
        ),
        suite,
    )
    evidence = tuple(
        TestEvidence(one.id, one.old.value, one.new.value, "" if one.notices_looks else one.probe.value)
        for one in found.tests
    )
    return replace(judgement, verdict=found.verdict, because=found.because, tests=evidence[:_MOST_TESTS])


def _that_count(
    task: PlanTask, named: Collection[str], verified: VerifiedChange, shown: Mapping[str, tuple[ShownTest, ...]]
) -> tuple[ShownTest, ...]:
    """Return the tests whose failing is the task's: of a folder that it names, not those that failed before and stayed as they were."""
    files = {name.rstrip("/") for name in (*task.targets, *task.references) if not is_folder(name)}
    return tuple(
        test
        for file in named
        for test in shown.get(file, ())
        if file in verified.changed.tests
        or test.old not in FAILS
        or any(f"/{file}".endswith(f"/{name}") for name in files)
    )


def _checks(
    plan: Plan,
    judged: Sequence[Judgement],
    verified: VerifiedChange,
    suite: SuiteEvidence,
    recipe: RecipeFile | None,
) -> Iterable[Judgement]:
    """Yield the phase's tasks that only ask that the tests pass, where these do; the others are left as they were.

    One is decided once all that stands before it in the phase is done.
    """
    done = {one.key for one in judged if one.ticks}
    for task in plan.checks:
        if not {key for key in plan.phase_open if int(key.partition(":")[0]) < task.line} <= done:
            continue
        found = _held(_of_check(Judgement(task.id, task.line, Verdict.OPEN, ""), task, verified, suite), recipe)
        if found.ticks:
            done.add(found.key)
            yield found


def _of_check(judgement: Judgement, task: PlanTask, verified: VerifiedChange, suite: SuiteEvidence) -> Judgement:
    """Return the judgement on a task that only asks that the tests pass."""
    passed = {
        case.file
        for number in range(1, len(verified.comparisons) + 1)
        for case in verified.runs[f"after-{number}"].report.cases.values()
        if case.outcome is TestOutcome.PASSED
    }
    named = [name for name in (*task.targets, *task.references) if is_test(name)]
    found = decide_check(
        Decision(judgement.verdict, judgement.because),
        suite,
        shown=bool(passed) and all(any(_is_within(file, name) for file in passed) for name in named),
        all_run=verified.commands == verified.plan.commands,
    )
    return replace(judgement, verdict=found.verdict, because=found.because)


def _is_within(file: str, name: str) -> bool:
    return _stands_for(name, file) or f"/{file}".rpartition("/")[0].endswith(f"/{name.rstrip('/')}")


def _held(judgement: Judgement, recipe: RecipeFile | None) -> Judgement:
    """Return the judgement with its box held back where more evidence is needed to tick it."""
    asked, wanted = asked_evidence(recipe), _LEAST[least_evidence(recipe)]
    if judgement.verdict not in _STRENGTH or _STRENGTH.index(judgement.verdict) >= _STRENGTH.index(wanted):
        return judgement
    if asked is None:
        return replace(judgement, held=NOTHING_SHOWS_IT)
    return replace(judgement, held=f"the repository ticks only what is {wanted.value} or more (policy.tick)")


def _stands_for(name: str, file: str) -> bool:
    """Return True if a name is the file's, the end of its path, or that of a folder that it lies in."""
    bare = name.rstrip("/")
    return f"/{file}/".endswith(f"/{bare}/") or (is_folder(name) and f"/{bare}/" in f"/{file}/")


def _suite(verified: VerifiedChange, findings: Iterable[TestFinding]) -> SuiteEvidence:
    doubts = [f"{one.where}: {one.words}" for one in findings if one.confirms_nothing]
    doubts += (
        f"{verified.commands[number - 1].name} failed before, too, and no test of it is seen to pass"
        for number, one in enumerate(verified.comparisons, 1)
        if one.fault is Fault.BEFORE and not verified.runs[f"after-{number}"].report.those(TestOutcome.PASSED)
    )
    if any(one.failing_new for one in verified.comparisons) and not verified.changed.code:
        doubts.append("new tests fail until what they test is there")
    if verified.in_change:
        doubts += (
            f"{verified.commands[number - 1].name} comes with this change, and no test of it is seen to pass"
            for number, one in enumerate(verified.comparisons, 1)
            if one.fault is Fault.NONE and not verified.runs[f"after-{number}"].report.those(TestOutcome.PASSED)
        )
    worst = next((one for one in verified.comparisons if one.fault is verified.fault), None)
    return SuiteEvidence(verified.not_run, verified.fault, worst.why if worst is not None else "", tuple(doubts))


def _test_files(verified: VerifiedChange, read: Read) -> Iterator[tuple[str, bytes | None]]:
    """Yield the files that hold what the change's tests assert, and those whose tests decide tasks."""
    paths = dict.fromkeys((*verified.changed.tests, *(file for files in verified.test_files for file in files)))
    for path in list(paths)[:_MOST_FILES]:
        yield path, read(True, path)


def _shown_tests(verified: VerifiedChange, asserting: AssertingTests) -> dict[str, tuple[ShownTest, ...]]:
    """Return the tests of the changed and the named test files, by file, as they were on the old code and the new."""
    found: dict[str, list[ShownTest]] = {}
    for number, files in enumerate(verified.test_files, 1):
        after, old = verified.runs[f"after-{number}"], verified.runs.get(f"old-{number}")
        flaky = frozenset(verified.comparisons[number - 1].flaky)
        for case in after.report.cases.values():
            if case.file in files:
                shown = ShownTest(
                    case.id,
                    _on_old(old, case.id),
                    _SEEN[case.outcome],
                    asserts=asserting.asserts(case.id, case.file),
                    flaky=case.id in flaky,
                )
                found.setdefault(case.file, []).append(shown)
    return {file: tuple(tests) for file, tests in found.items()}


def _on_old(old: CommandRun | None, test: str) -> Seen:
    """Return what a test did on the old code; one that is not in the report of a run that failed could not be loaded."""
    if old is None or old.end is not RunEnd.EXITED:
        return Seen.UNKNOWN
    case = old.report.cases.get(test)
    if case is not None:
        return _SEEN[case.outcome]
    return Seen.ABSENT if old.exit_code == 0 else Seen.NOT_LOADED


def probed_test(test: ShownTest, verified: VerifiedChange, probe: int | None) -> ShownTest:
    """Return the test with what it did on emptied functions, and on the control of these very files."""
    if probe is None:
        return test
    for number in range(1, len(verified.commands) + 1):
        if test.id in verified.runs[f"after-{number}"].report.cases:
            seen = [
                (_seen_in(verified.runs.get(f"{kind}-{number}-{probe}"), test.id), f"{control}-{number}-{probe}")
                for kind, control in CONTROLS.items()
            ]
            pairs = [
                replace(test, probe=found, control=_seen_in(verified.runs.get(control), test.id))
                for found, control in seen
            ]
            return max(pairs, key=_says)  # of equals, the first
    return test


def _says(test: ShownTest) -> int:
    """Return how much a pair of a run on emptied functions and its control says of a test."""
    if test.notices:
        return 2 if test.notices_looks else 3
    return int(test.probe is not Seen.UNKNOWN)


def _seen_in(run: CommandRun | None, test: str) -> Seen:
    if run is None:
        return Seen.UNKNOWN
    case = run.report.cases.get(test)
    return Seen.NOT_LOADED if case is None else _SEEN[case.outcome]
