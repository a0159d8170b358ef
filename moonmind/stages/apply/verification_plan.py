"""Which commands are run on which trees to verify a change, one after the other as results come in."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from moonmind.ports.vcs import TreeFile
from moonmind.proof.verification.comparison import Comparison, Fault, compare
from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import BAD, CommandRun, RunEnd, TestCase, TestOutcome
from moonmind.proof.verification.test_runners import report_file, runner_of, with_files, with_report
from moonmind.stages.apply.test_trees import ChangedFiles, Probe
from moonmind.stages.apply.verification_jobs import WantedRun

BEFORE_SECONDS = 300.0
"""How long a command may take on the old code, unless something fails that may have failed there, too."""
LEAST_PROBE_SECONDS = 30.0
"""How long a run of single tests may take at least; else five times as long as all tests took on the change: emptied functions may hang."""
CONTROLS: Mapping[str, str] = {"probe": "control", "inert": "inert-control"}
"""The kinds of runs on emptied functions, and that of the run on the control of each: `probe-1-2` is that of the first command on
the second probe, `control-1-2` that on the same files with functions that work."""
MOST_PROBES = 12
MOST_TEST_FILES = 100
"""Files that a command is limited to."""


@dataclass(frozen=True, slots=True)
class Trees:
    """What is checked out, and what is put over it."""

    start: str
    """The commit that the change starts at."""
    wip: str
    """The commit with the change."""
    changed: ChangedFiles
    named: frozenset[str]
    """Test files that the phase's tasks name."""
    old_tests: Mapping[str, bytes | None] | None
    """The changed tests, for the old code; None where they cannot be put over it."""
    probes: tuple[Probe, ...]
    """Files with emptied functions, one for each set of files that tasks share."""


class VerificationPlan:
    """Follows the results of one attempt; `runs` holds those that are there, by name."""

    def __init__(
        self,
        commands: Sequence[TestCommand],
        trees: Trees,
        runs: Mapping[str, CommandRun],
        *,
        seconds: float,
        memories: Mapping[str, str],
    ) -> None:
        """Plan for these commands. `memories` names what the results on a commit's tree depend on besides the command."""
        self._commands = commands
        self._trees = trees
        self._runs = runs
        self._seconds = seconds
        self._memories = memories

    def wanted(self) -> list[WantedRun]:
        """Return what is to be run now; nothing once all is known that can be."""
        pairs = [tuple(self._first(number)) for number in self._numbers()]
        first = [whole for whole, _ in pairs]
        first += [old for number, (_, old) in enumerate(pairs, 1) if self._fits_before(number)]
        if any(one.name not in self._runs for one in first):
            return first
        second = [run for number in self._numbers() for run in self._in_doubt(number)]
        if any(one.name not in self._runs for one in second):
            return second
        if any(self.comparison(number).fault is Fault.OURS for number in self._numbers()):
            return []  # whatever single tests show, the change is not finished
        third = [run for number in self._numbers() for run in self._of_tests(number)]
        if any(one.name not in self._runs for one in third):
            return third
        return [run for number in self._numbers() for run in (*self._inert(number), *self._controls(number))]

    def comparison(self, number: int) -> Comparison:
        """Return what a command's results say, as far as they are there."""
        return compare(self.before(number), self._runs[f"after-{number}"], self._runs.get(f"again-{number}"))

    def before(self, number: int) -> CommandRun | None:
        """Return what came of a command on the old code; None where that is not known."""
        long = self._runs.get(f"base-{number}")
        return long if long is not None else self._runs.get(f"before-{number}")

    def test_files(self, number: int) -> tuple[str, ...]:
        """Return the test files that a command ran tests of, by their paths from the repository's root: changed ones, those that
        tasks name, and those with tests that failed before, or could not be loaded, and pass now.
        """
        cases = self._runs[f"after-{number}"].report.cases
        ran = {case.file for case in cases.values() if case.file}
        own = sorted(ran & {*self._trees.changed.tests, *self._trees.named})
        passing = [case for case in cases.values() if case.outcome is TestOutcome.PASSED]
        now = {case.id for case in passing} | {case.file for case in passing}
        fixed = {case.file for case in _failing(self.before(number)) if case.id in now}
        return (*own, *sorted(fixed.difference(own, {""})))[:MOST_TEST_FILES]

    def _numbers(self) -> Iterator[int]:
        yield from range(1, len(self._commands) + 1)

    def _fits_before(self, number: int) -> bool:
        """Return False for a command that takes longer than it may on the old code, as its run on the new shows."""
        after = self._runs.get(f"after-{number}")
        known = f"before-{number}" in self._runs
        return known or after is None or after.end is not RunEnd.EXITED or after.seconds <= BEFORE_SECONDS

    def _first(self, number: int) -> Iterator[WantedRun]:
        command = self._commands[number - 1]
        limit = float(min(command.timeout or self._seconds, self._seconds))
        run = reporting(command)
        whole = WantedRun(f"after-{number}", command, run, self._trees.wip, limit, report=own_report(command))
        yield replace(whole, memory=self._memory(self._trees.wip, whole.run, command))
        yield replace(
            whole,
            name=f"before-{number}",
            commit=self._trees.start,
            seconds=min(limit, BEFORE_SECONDS),
            memory=self._memory(self._trees.start, whole.run, command),
        )

    def _in_doubt(self, number: int) -> Iterator[WantedRun]:
        """Yield what tells a change's own failures from others'."""
        after, before = self._runs[f"after-{number}"], self._runs.get(f"before-{number}")
        (whole, old) = self._first(number)
        # Which tests ran before has to be known also where all pass now, if the change could have taken some away.
        matters = not after.green or self._trees.changed.alters_tests
        known = after.end in (RunEnd.EXITED, RunEnd.TIMED_OUT, RunEnd.STOPPED)
        too_long = before is None or before.end is RunEnd.TIMED_OUT
        if too_long and known and matters and whole.seconds > old.seconds:
            yield replace(old, name=f"base-{number}", seconds=whole.seconds)
        if after.green:
            return
        found = self.comparison(number)
        if found.fault is not Fault.OURS or after.end is not RunEnd.EXITED:
            return
        alone = list(self._alone(number, found))
        yield from alone
        if not alone or (all(one.name in self._runs for one in alone) and not self._fail_alone(number, found)):
            # Whole: what passes or fails only after other tests says nothing alone.
            yield replace(whole, name=f"again-{number}", memory=None)

    def _alone(self, number: int, found: Comparison) -> Iterator[WantedRun]:
        """Yield the runs of the files of tests that fail, on the new code and the old: they may tell enough, and are short."""
        cases = self._runs[f"after-{number}"].report.cases
        trees = [("alone", self._trees.wip, {*found.broke, *found.failing_new})]
        if found.broke:
            trees.append(("alone-before", self._trees.start, {*found.broke}))
        for name, commit, tests in trees:
            if (run := self._limited(number, sorted({cases[test].file for test in tests}))) is not None:
                yield replace(self._brief(number), name=f"{name}-{number}", run=run, commit=commit, memory=None)

    def _fail_alone(self, number: int, found: Comparison) -> bool:
        """Return True if all tests in doubt fail alone on the new code, and those of before do not on the old."""
        new = self._outcomes(f"alone-{number}")
        old = self._outcomes(f"alone-before-{number}")
        fail = all(new.get(test) in BAD for test in (*found.broke, *found.failing_new))
        return fail and all(old.get(test) not in {None, *BAD} for test in found.broke)

    def _outcomes(self, name: str) -> Mapping[str, TestOutcome]:
        run = self._runs.get(name)
        return {} if run is None else {case.id: case.outcome for case in run.report.cases.values()}

    def _of_tests(self, number: int) -> Iterator[WantedRun]:
        """Yield the runs of the changed and named tests alone: on the old code, and with functions emptied."""
        run = self._limited(number, self.test_files(number))
        if run is None:
            return
        whole = self._brief(number)
        if self._trees.old_tests is not None:
            old = replace(whole, name=f"old-{number}", run=run, commit=self._trees.start, files=self._trees.old_tests)
            yield self._hidden(replace(old, executable=self._trees.changed.executable))
        for index, probe in enumerate(self._trees.probes[:MOST_PROBES], 1):
            if probe.plain.files:
                yield self._hidden(replace(whole, name=f"probe-{number}-{index}", run=run, files=probe.plain.files))

    def _hidden(self, one: WantedRun) -> WantedRun:
        """Return a run whose job does not tell its tests which of these runs it is: no test knows the change's commit."""
        # Named for their pairs: what an older program ran on other files is not taken for a run on these.
        digest = hashlib.sha256(f"paired {self._trees.wip} {one.name}".encode()).hexdigest()
        return replace(one, job=f"limited-{digest[:16]}", memory=None)

    def _brief(self, number: int) -> WantedRun:
        """Return the run of a whole command with the time that one of single tests may take."""
        (whole, _) = self._first(number)
        seconds = max(LEAST_PROBE_SECONDS, 5 * self._runs[whole.name].seconds)
        return replace(whole, seconds=min(whole.seconds, seconds))

    def _inert(self, number: int) -> Iterator[WantedRun]:
        """Yield the probes with functions that return what can be used, where without them tests do not load, or run nothing."""
        run, old = self._limited(number, self.test_files(number)), self._runs.get(f"old-{number}")
        if run is None or old is None:
            return
        whole = self._brief(number)
        for index, probe in enumerate(self._trees.probes[:MOST_PROBES], 1):
            found = self._runs.get(f"probe-{number}-{index}")
            if probe.inert.files and self._is_unclear(number, found, old, probe):
                yield self._hidden(replace(whole, name=f"inert-{number}-{index}", run=run, files=probe.inert.files))

    def _controls(self, number: int) -> Iterator[WantedRun]:
        """Yield the run on the control of each run on emptied functions in which a test fails that passes only since the change."""
        run, old = self._limited(number, self.test_files(number)), self._runs.get(f"old-{number}")
        if run is None or old is None:
            return
        fresh = self._fresh(number, old)
        for index, probe in enumerate(self._trees.probes[:MOST_PROBES], 1):
            for kind, guarded in (("probe", probe.plain), ("inert", probe.inert)):
                if any(case.id in fresh for case in _failing(self._runs.get(f"{kind}-{number}-{index}"))):
                    name = f"{CONTROLS[kind]}-{number}-{index}"
                    yield self._hidden(replace(self._brief(number), name=name, run=run, files=guarded.control))

    def _is_unclear(self, number: int, found: CommandRun | None, old: CommandRun, probe: Probe) -> bool:
        """Return True if a file's tests pass only since the change, and that none of them fails under a probe says little."""
        fresh = self._fresh(number, old)
        cases = found.report.cases if found is not None else {}
        noticed = {fresh[name] for name in fresh if name in cases and cases[name].outcome in BAD}
        return any(file not in noticed and (probe.left or name not in cases) for name, file in fresh.items())

    def _fresh(self, number: int, old: CommandRun) -> Mapping[str, str]:
        """Return the tests that pass only since the change, and the file of each."""
        passed = self._runs[f"after-{number}"].report
        files = frozenset(self.test_files(number))
        return {
            one.id: one.file
            for one in passed.cases.values()
            if one.file in files and one.outcome is TestOutcome.PASSED and not _has_passed(old, one.id)
        }

    def _limited(self, number: int, files: Collection[str]) -> str | None:
        """Return a command that runs the tests of these files alone; None where there is none."""
        command = self._commands[number - 1]
        runner = runner_of(command.run, command.script)
        if runner is None or not files or "" in files or len(files) > MOST_TEST_FILES:
            return None
        root = PurePosixPath(command.root)
        inside = [path for path in files if PurePosixPath(path).is_relative_to(root)]
        if len(inside) < len(files):
            return None
        own = [str(PurePosixPath(path).relative_to(root)) for path in inside]
        limited = with_files(command.run, runner, own, command.script, alone=command.script_alone)
        return None if limited is None else reporting(command, limited)

    def _memory(self, commit: str, run: str, command: TestCommand) -> str:
        told = [self._memories[commit], run, command.root, command.reports]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def reporting(command: TestCommand, limited: str | None = None) -> str:
    """Return the command, or what is limited to some files, with a report where it writes none, and its runner can."""
    run = command.run if limited is None else limited
    runner = runner_of(command.run, command.script)
    if runner is None or command.reports:
        return run
    return with_report(run, runner, command.script, jest_junit=command.jest_junit)


def own_report(command: TestCommand) -> str:
    """Return the name of the report that `reporting` lets a command write; empty where it writes its own, or none."""
    runner = runner_of(command.run, command.script)
    return report_file(runner) if runner is not None and reporting(command) != command.run else ""


def _failing(run: CommandRun | None) -> list[TestCase]:
    return [] if run is None else [case for case in run.report.cases.values() if case.outcome in BAD]


def _has_passed(run: CommandRun, test: str) -> bool:
    case = run.report.cases.get(test)
    return case is not None and case.outcome is TestOutcome.PASSED


def tree_digest(listing: Collection[TreeFile], but: str, *told: str) -> str:
    """Return what stands for the content of a tree, all but one file of it, and for what else its tests depend on."""
    digest = hashlib.sha256(json.dumps(told).encode())
    for one in sorted(listing, key=lambda one: one.path):
        if one.path != but:
            digest.update(f"{one.mode} {one.object_id} {one.path}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
