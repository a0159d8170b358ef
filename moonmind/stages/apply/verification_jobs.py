"""Runs test commands on trees for the apply stage: starts what is wanted, waits, and reads what came of it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from moonmind.engine.stage_context import StageContext
from moonmind.errors import AgentUnknown, NotFound
from moonmind.ports.agent import JobState
from moonmind.ports.environments import WorkEnvironment
from moonmind.ports.verification import REPORTS_VARIABLE, TestJob, TestJobResult, TestJobs
from moonmind.proof.path_globs import PathPatterns
from moonmind.proof.verification.junit_reading import read_reports
from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_results import CommandRun, RunEnd
from moonmind.runs import naming
from moonmind.runs.stored_text import storable

_MOST_TRIES = 3
"""Of one job whose supervisor is killed."""
_SHOWN_BYTES = 64 * 1024
_LOG_BYTES = 1 << 20
_MOST_NOTES = 10
_STORED = TypeAdapter(CommandRun)


@dataclass(frozen=True, slots=True)
class WantedRun:
    """One command on one tree."""

    name: str
    """Unique in the attempt: `after-1`, `probe-1-2`."""
    command: TestCommand
    run: str
    """What is given to the shell: the command, with a report and the files that it is limited to."""
    commit: str
    seconds: float
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    """Those of `files` that can be run."""
    memory: str | None = None
    """Where its result is kept for later runs; None: nowhere."""
    report: str = ""
    """The one report below `$MOONMIND_REPORTS` that is read, where the command was given the options that write it."""
    job: str = ""
    """What its job is called, whose processes can see that; as the run, if empty."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Some of what is wanted has not ended."""

    job: str
    """The key of the job that is waited for first."""


class TestRuns:
    """The test jobs of one attempt at apply. What was read once is not read again."""

    __test__ = False

    def __init__(
        self,
        context: StageContext,
        jobs: TestJobs,
        repository: str,
        environments: Collection[WorkEnvironment],
        image: str | None,
        listing: Collection[str],
    ) -> None:
        self._context = context
        self._jobs = jobs
        self._repository = repository
        self._environments = tuple(environments)
        self._image = image
        self._listing = listing
        self.runs: dict[str, CommandRun] = {}
        """What came of each run that has ended, by its name."""
        self.remembered: set[str] = set()
        """Names of the runs whose results are of an earlier run."""
        self.logs: dict[str, str] = {}
        """Names of the artifacts with what each run printed."""
        self.notes: dict[str, tuple[str, ...]] = {}
        """What is not as it should be with each run's reports."""

    def settle(self, wanted: Iterable[WantedRun]) -> Waiting | None:
        """Take in what has ended; where nothing has, start what is wanted, and return what has to be waited for, if anything.

        Raises AgentUnknown, AgentError, SandboxFailed, SandboxUnavailable, VcsError.
        """
        missing: list[tuple[WantedRun, str]] = []
        known = len(self.runs)
        for one in wanted:
            if one.name in self.runs or self._recall(one):
                continue
            key, found = self._look(one)
            if found is not None:
                self._take(one, found)
            else:
                missing.append((one, key))
        if len(self.runs) > known:
            return None  # with that, other runs may be wanted
        waiting = [self._start(one, key) for one, key in missing]
        return Waiting(waiting[0]) if waiting else None

    def _look(self, one: WantedRun) -> tuple[str, TestJobResult | None]:
        """Return the key of a run's job, and what it left if it has ended; a job that was lost is begun anew under another key."""
        for number in range(1, _MOST_TRIES + 1):
            own = one.job or one.name
            name = own if number == 1 else f"{own}.{number}"
            key = naming.test_key(self._context.run.id, self._context.attempt.number, name)
            state = self._jobs.state(key)
            if state in (JobState.ABSENT, JobState.RUNNING):
                return key, None
            self._context.lease.check()
            found = self._jobs.result(key)
            if found is not None:
                return key, found
        lost = f"the supervisors of {_MOST_TRIES} jobs were killed, one after the other"
        return key, TestJobResult(RunEnd.SANDBOX, message=lost)

    def _start(self, one: WantedRun, key: str) -> str:
        """Start a job unless it is at work; return the key of the job to wait for: that, or one that has to end before."""
        self._context.lease.check()
        busy = self._jobs.start(
            TestJob(
                key=key,
                check_out=partial(self._context.vcs.check_out, self._repository, one.commit),
                run=one.run,
                seconds=one.seconds,
                root=one.command.root,
                files=one.files,
                executable=one.executable,
                reports=one.command.reports,
                environments=self._environments,
                image=self._image,
            )
        )
        return busy or key

    def _take(self, one: WantedRun, found: TestJobResult) -> None:
        context = self._context
        # What is stored of a job was masked with the secrets that were known when it started.
        reports = [(path, context.redactor.data(content)) for path, content in read_of(one, found.reports)]
        report = read_reports(reports, one.command.root, self._listing)
        shown = _end_of(found.log, _SHOWN_BYTES) if found.log is not None else b""
        self.runs[one.name] = taken = CommandRun(
            found.end,
            found.exit_code,
            report,
            storable(context.redactor.text(shown.decode("utf-8", "replace"))),
            found.seconds,
            storable(context.redactor.text(found.message)),
        )
        self.notes[one.name] = tuple(storable(context.redactor.text(words)) for words in found.notes[:_MOST_NOTES])
        label = f"verification/{context.attempt.number}-{one.name}"
        if found.log is not None:
            self.logs[one.name] = path = f"{label}.log"
            content = _framed(one, taken, _end_of(found.log, _LOG_BYTES), context.redactor.text)
            context.artifacts.save("verification_log", path, content, "text/plain; charset=utf-8")
        for number, (_, content) in enumerate(reports[:20], 1):
            context.artifacts.save("test_report", f"{label}-{number}.xml", content, "application/xml")
        if one.memory is not None and taken.green:  # a failure may have been the host's, or a flaky test's
            self._jobs.remember(one.memory, _STORED.dump_json(_plain(taken)))

    def _recall(self, one: WantedRun) -> bool:
        """Take a result that an earlier run left of the same command on the same tree."""
        stored = self._jobs.recall(one.memory) if one.memory is not None else None
        if stored is None:
            return False
        try:
            self.runs[one.name] = _STORED.validate_json(stored)
        except ValueError:  # of a program of another version
            return False
        self.remembered.add(one.name)
        self._name_log(one.name)
        return True

    def _name_log(self, name: str) -> None:
        """Name the artifact with what a run printed; of a run of before, it is the end of that."""
        path = f"verification/{self._context.attempt.number}-{name}.log"
        artifacts = self._context.artifacts
        try:
            artifacts.read(path)
        except NotFound:
            artifacts.save("verification_log", path, self.runs[name].output.encode(), "text/plain; charset=utf-8")
        self.logs[name] = path


def _framed(one: WantedRun, taken: CommandRun, printed: bytes, redacted: Callable[[str], str]) -> bytes:
    """Return what a command printed between the command and how it ended, as a terminal would show it."""
    place = "" if one.command.root == "." else f" in {one.command.root}"
    code = "" if taken.exit_code is None else f", exit code {taken.exit_code}"
    end = f"{taken.end.value}{code}, after {taken.seconds:.1f} s{f': {taken.message}' if taken.message else ''}"
    gap = b"" if not printed or printed.endswith(b"\n") else b"\n"
    begin = storable(redacted(f"$ {one.run}{place}"))
    return f"{begin}\n".encode() + printed + gap + f"[{end}]\n".encode()


def read_of(one: WantedRun, reports: Collection[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return the reports that the command was asked for: others were written by somebody else, maybe by its tests."""
    if one.report:
        return [(path, content) for path, content in reports if path == one.report]
    if one.command.reports and REPORTS_VARIABLE not in one.run:
        wanted = PathPatterns(one.command.reports)
        return [(path, content) for path, content in reports if wanted.match(path)]
    return list(reports)


def _plain(run: CommandRun) -> CommandRun:
    """Return a run in a form that can be stored: pydantic writes no read-only mappings."""
    return replace(run, report=replace(run.report, cases=dict(run.report.cases)))


def _end_of(log: Path, most: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - most))
            return file.read()
    except OSError as error:
        raise AgentUnknown(f"what a test printed cannot be read: {error}") from error
