"""The `TestJobs` port over supervised jobs `<run>/verify-<attempt>-<n>`: one command, on a checkout that nobody wrote to before."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import structlog

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.environments.loans import lend_all
from moonmind.adapters.environments.services import with_services
from moonmind.adapters.files import locked
from moonmind.adapters.jobs.job_environment import agent_environment, walled_environment
from moonmind.adapters.jobs.job_results import SERVICE_EXIT, SERVICE_SIGN
from moonmind.adapters.jobs.job_timing import TIMING, JobTiming
from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.jobs.walled_job import behind
from moonmind.adapters.sandbox_choice import ChosenSandbox, SandboxChoice
from moonmind.adapters.supervisor.folder import read_json, write_whole
from moonmind.adapters.supervisor.order import LEAST_FREE, Order, Space
from moonmind.adapters.supervisor.space import taken
from moonmind.adapters.supervisor.watch import End
from moonmind.adapters.trees import remove_tree
from moonmind.adapters.verification import unittest_junit
from moonmind.adapters.verification.overlaid_files import put_over
from moonmind.adapters.verification.report_files import matching, read_report_files
from moonmind.errors import AgentError, AgentUnknown
from moonmind.ports.agent import JobEnd, JobResult, JobState
from moonmind.ports.sandbox import HOME, WORKSPACE, Mount, Sandbox, SandboxKind
from moonmind.ports.verification import (
    NODE_REPORTER_VARIABLE,
    REPORTS_VARIABLE,
    UNITTEST_VARIABLE,
    TestJob,
    TestJobResult,
)
from moonmind.proof.verification.test_results import RunEnd
from moonmind.redact import Redactor
from moonmind.runs import naming

log = structlog.get_logger(__name__)

NODE_REPORTER = Path(unittest_junit.__file__).with_name("node_junit.mjs")
REPORTS = "/reports"
"""Where a job behind a wall may write reports."""
_PROGRAMS: Mapping[str, Path] = {
    UNITTEST_VARIABLE: Path(unittest_junit.__file__),
    NODE_REPORTER_VARIABLE: NODE_REPORTER,
}
"""Programs of ours that test runners are given, by the variable that names each."""
_INTERPRETERS = ("python", "python3", "pytest", "node", "npm", "go", "java", "ruby", "php", "cargo", "dotnet")
_PATIENCE = 30.0
_RUN = (
    'cd -- "$1" || exit 127; shell=sh; if command -v bash >/dev/null 2>&1; then shell=bash; fi; '
    'exec "$shell" -ec "$2" </dev/null'
)
"""Of several lines the first that fails ends it."""
_BY_HOST = frozenset({End.DISK_FULL, End.LOG_FAILED, End.STOPPED})
"""Ends that say nothing of the tests. Only a job whose supervisor hung is stopped before it is looked at."""
_REMEDY = "let the tests write less, or have an operator raise MOONMIND_VERIFICATION_SPACE"
_HABITS: Mapping[str, str] = {"CI": "true", "PYTHONDONTWRITEBYTECODE": "1", "UV_NO_SYNC": "1"}
"""Programs ask nobody, and use what is installed as it is."""


@dataclass(frozen=True, slots=True)
class TestJobOptions:
    """What the composition root tells the test jobs of this host."""

    __test__ = False

    state_folder: Path
    installation_id: str
    environment: Mapping[str, str] = field(repr=False)
    """The worker's environment."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    most_jobs: int = 2
    """Test jobs and builds at once on this host."""
    unwalled: bool = False
    """Run tests also where no wall is around them: the operator wants it so, or the tests are our own."""
    space: int = 10 << 30
    """Bytes that one job may write on the disk."""
    output_bytes: int = 32 << 20
    """Bytes that one job may print."""
    processes: int = 1024
    """Processes that one job may have."""
    memory_days: float = 30.0
    """How long results of earlier runs are kept."""
    timing: JobTiming = TIMING


class SupervisedTestJobs:
    """Any process of the host may look at a job and read what it left."""

    def __init__(self, options: TestJobOptions, store: EnvironmentStore, sandbox: SandboxChoice) -> None:
        self._options = options
        self._store = store
        self._sandbox = sandbox
        self._jobs = Jobs(options.state_folder, options.installation_id, options.environment, options.timing, sandbox)
        self._redactor = Redactor(options.secrets)

    def why_not(self) -> str | None:
        """Return why nothing is run here: jobs are behind no wall. Raises SandboxFailed, SandboxUnavailable."""
        chosen = self._chosen()
        if chosen.wall is None and not self._options.unwalled:
            return f"tests are run behind a wall only, and there is none: {chosen.check.message}"
        return None

    def sandbox(self) -> str:
        """Return what confines a job that starts now. Raises SandboxFailed, SandboxUnavailable."""
        return self._chosen().kind.value

    def foundation(self, image: str | None) -> str:
        """Return what stands for the programs that a job finds: those of its wall, else those on the worker's own search path.

        Raises ImageNotAllowed, SandboxFailed, SandboxUnavailable.
        """
        wall = self._chosen(image=image).wall
        if wall is not None:
            return wall.foundation()
        search = self._options.environment.get("PATH", os.defpath)
        found = [Path(path).resolve() for name in _INTERPRETERS if (path := shutil.which(name, path=search))]
        facts = [(str(path), (status := path.stat()).st_size, status.st_mtime_ns) for path in found]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def start(self, job: TestJob) -> str | None:
        """Start a job unless it was started already; return the key of a job that has to end before, if one has to.

        Raises AgentUnknown, AgentError, SandboxFailed, SandboxUnavailable, VcsError.
        """
        if self._jobs.started(job.key):
            return None
        try:
            with locked(self._options.state_folder / "environments" / ".locks" / "jobs", _PATIENCE):
                busy = self._busy(job.key)
                if len(busy) >= self._options.most_jobs:
                    return busy[0]
                self._jobs.folder(job.key).make()
            self._jobs.start(job.key, self._order(job))
        except TimeoutError as error:
            raise AgentUnknown("the job slots of this host are held by another process") from error
        except (OSError, ValueError) as error:
            raise AgentUnknown(f"the tests could not be started: {error}") from error
        return None

    def state(self, key: str) -> JobState:
        """Return where a job stands; one that has outlived its limits has ended. Raises AgentUnknown."""
        status = self._jobs.poll(key)
        overdue = status.state is JobState.RUNNING and status.overdue is not None
        return JobState.ENDED if overdue else status.state

    def result(self, key: str) -> TestJobResult | None:
        """Return what a job left; None where it was lost or never started. It has ended when this returns. Raises AgentUnknown."""
        status = self._jobs.poll(key)
        if status.state is not JobState.ENDED or status.facts.get("survivors"):
            self._jobs.stop(key)  # lost, overdue, or not all of it has ended
            status = self._jobs.poll(key)
        place = _Place(self._folder(key))
        if status.result is None or not place.folder.is_dir():  # its files go before what was made of them is recorded
            return None
        said = str((read_json(self._jobs.folder(key).result) or {}).get("end"))
        end, code = _how_it_ended(status.result, place.log, said)
        try:
            reports, notes = read_report_files(place.reports, ("**",))
            root = place.noted("root")
            # The job may have put a link in its root's place.
            patterns = place.noted("patterns").split("\n") if _is_folder(place.tree, root) else ()
            in_tree, more = read_report_files(place.tree / root, patterns)
        except (OSError, ValueError) as error:
            raise AgentUnknown(f"what job {key} left cannot be read: {error}") from error
        return TestJobResult(
            end,
            code,
            float(status.facts["seconds"]),
            status.result.message if end is not RunEnd.EXITED else "",
            (*reports, *in_tree),
            place.log if place.log.is_file() else None,
            (*notes, *more),
        )

    def stop(self, run_id: UUID) -> None:
        """Stop all test jobs of a run, and remove their files. Raises AgentUnknown, AgentError."""
        keys = self._of(run_id)
        for key in keys:
            self._jobs.stop(key)
        for key in keys:
            try:
                self._discard(key)
            except OSError as error:
                raise AgentError(f"the files of job {key} cannot be removed: {error}") from error

    def _discard(self, key: str) -> None:
        """Remove a job's files; where this is killed half-way, the next call goes on, and nothing is read of the rest."""
        place = self._folder(key)
        aside = place.with_name(f".{place.name}.removed")
        remove_tree(aside)
        with contextlib.suppress(FileNotFoundError):
            place.rename(aside)
        remove_tree(aside)
        remove_tree(self._jobs.folder(key).temporary)

    def recall(self, name: str) -> bytes | None:
        """Return what was remembered of an earlier result; None where nothing was, or it was removed since."""
        try:
            return self._memory(name).read_bytes()
        except FileNotFoundError:
            return None

    def remember(self, name: str, content: bytes) -> None:
        """Keep a result for later runs on this host; `name` is made of hexadecimal digits."""
        place = self._memory(name)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(place, content)

    def sweep(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Remove what was remembered and not asked for since; `stop` returns True once that has to break off."""
        oldest = time.time() - self._options.memory_days * 86_400
        for place in self._memories.glob("*/*"):
            if stop():
                return
            with contextlib.suppress(FileNotFoundError):
                if place.stat().st_mtime < oldest:
                    place.unlink()

    @property
    def _memories(self) -> Path:
        return self._options.state_folder / "test-results"

    def _memory(self, name: str) -> Path:
        if not re.fullmatch("[0-9a-f]{8,64}", name):
            raise ValueError(f"{name!r} is no digest")
        return self._memories / name[:2] / name[2:]

    def _of(self, run_id: UUID) -> list[str]:
        folder = self._jobs.folder(naming.test_key(run_id, 1, "after-1")).path.parent
        keys = [f"{run_id}/{path.name}" for path in sorted(folder.iterdir())] if folder.is_dir() else []
        return [key for key in keys if naming.is_test_job(key)]

    def _busy(self, but: str) -> list[str]:
        """List the jobs that count: builds and tests, those that are about to start among them."""
        keys = {key for key in self._jobs.running() if naming.is_build(key) or naming.is_test_job(key)}
        keys |= {key for key in self._jobs.listed() if naming.is_test_job(key) and self._jobs.may_run(key)}
        return sorted(keys - {but})

    def _chosen(self, *, keep: bool = False, image: str | None = None) -> ChosenSandbox:
        chosen = self._sandbox.chosen(SandboxKind.NONE, keep=keep, image=image)
        chosen.require()
        return chosen

    def _folder(self, key: str) -> Path:
        """Return where a job's files are. Nothing in it is ever given to another job."""
        return self._jobs.home_of(key) / "tests" / key.rpartition("/")[2]

    def _order(self, job: TestJob) -> Order:
        chosen = self._chosen(keep=True, image=job.image)
        if chosen.wall is None and not self._options.unwalled:
            raise AgentUnknown("what jobs run in changed just now; the tests are tried again")
        write_whole(self._jobs.folder(job.key).sandbox, chosen.kind.value.encode())
        place = _Place(self._folder(job.key))
        remove_tree(place.folder)  # of a start that was killed; nothing of the job may run
        place.folder.mkdir(parents=True, mode=0o700)
        job.check_out(place.tree)
        put_over(place.tree, job.files, job.executable)
        root = place.tree if job.root == "." else place.tree / job.root
        if _is_folder(place.tree, job.root):
            put_over(root, dict.fromkeys(tuple(matching(root, job.reports))))
        place.note("root", job.root)
        place.note("patterns", "\n".join(job.reports))
        for folder in (place.home, place.reports):
            folder.mkdir(mode=0o700)
        order = Order(
            folder=str(self._jobs.folder(job.key).path),
            argv=("sh", "-c", _RUN, "test", WORKSPACE if job.root == "." else f"{WORKSPACE}/{job.root}", job.run),
            environment={},
            cwd=str(place.tree),
            stdin="",
            log_path=str(place.log),
            stall_seconds=job.seconds,
            total_seconds=job.seconds,
            output_bytes=self._options.output_bytes,
            secrets=self._options.secrets,
            most_processes=self._options.processes,
            plain=True,
        )
        if chosen.wall is None:
            return replace(
                order,
                space=self._space(place, str(self._jobs.folder(job.key).temporary)),
                argv=(*order.argv[:-2], str(root), job.run),
                environment=agent_environment(
                    self._options.environment,
                    {
                        **_HABITS,
                        REPORTS_VARIABLE: str(place.reports),
                        **{name: str(path) for name, path in _PROGRAMS.items()},
                    },
                    home=place.home,
                    temporary=self._jobs.folder(job.key).temporary,
                    workspace=place.tree,
                    mark=self._jobs.mark(job.key),
                    redactor=self._redactor,
                ),
            )
        return self._walled(chosen.wall, order, job, place)

    def _walled(self, wall: Sandbox, order: Order, job: TestJob, place: "_Place") -> Order:
        lent = lend_all(self._store, job.environments, job.key, place.lent, wall, place.tree)
        for note in lent.notes:
            log.warning("environment.not_lent", job=job.key, what=note)
        programs = {variable: f"/opt/{program.name}" for variable, program in _PROGRAMS.items()}
        added = {**_HABITS, REPORTS_VARIABLE: REPORTS, **programs}
        environment = walled_environment(
            self._options.environment, added, mark=self._jobs.mark(job.key), redactor=self._redactor
        )
        environment |= dict(lent.variables) | {"PATH": ":".join((*lent.path, environment["PATH"]))}
        mounts = (
            Mount(place.tree, WORKSPACE, writable=True),
            Mount(place.home, HOME, writable=True),
            Mount(place.reports, REPORTS, writable=True),
            *(Mount(program, programs[variable]) for variable, program in _PROGRAMS.items()),
            *lent.mounts,
        )
        order = replace(
            order,
            environment=environment,
            argv=with_services(lent.services, order.argv),
            space=self._space(place),
        )
        return behind(wall, order, self._jobs, job.key, mounts)

    def _space(self, place: "_Place", *more: str) -> Space:
        """Return how much a job may write, beside what is there before it starts: the checkout, copies of what is lent."""
        folders = (str(place.folder), *more)
        return Space(folders, self._options.space, LEAST_FREE, _REMEDY, before=sum(map(taken, folders)))


@dataclass(frozen=True, slots=True)
class _Place:
    """The files of one job, by role."""

    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    @property
    def lent(self) -> Path:
        return self.folder / "lent"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def note(self, name: str, text: str) -> None:
        write_whole(self.folder / f"{name}.txt", text.encode("utf-8", "surrogateescape"))

    def noted(self, name: str) -> str:
        return (self.folder / f"{name}.txt").read_text("utf-8", "surrogateescape")


def _is_folder(tree: Path, root: str) -> bool:
    place = tree
    for part in ("", *(() if root == "." else Path(root).parts)):
        place /= part
        if place.is_symlink():
            return False
    return place.is_dir()


def _how_it_ended(result: JobResult, printed: Path, said: str) -> tuple[RunEnd, int | None]:
    """Return how a job ended, and its exit code where that says something; `said` is the supervisor's word for it."""
    if said in _BY_HOST:
        return RunEnd.HOST, None
    match result.end:
        case JobEnd.COMPLETED:
            return RunEnd.EXITED, 0
        case JobEnd.TIMED_OUT | JobEnd.STALLED:
            return RunEnd.TIMED_OUT, None
        case JobEnd.SANDBOX:
            return RunEnd.SANDBOX, None
        case JobEnd.FAILED if said != End.EXITED:
            return RunEnd.STOPPED, None
        case JobEnd.FAILED if result.exit_code == SERVICE_EXIT and SERVICE_SIGN in _end_of(printed):
            return RunEnd.SERVICE, result.exit_code
        case JobEnd.FAILED if result.exit_code is not None and result.exit_code >= 0:
            return RunEnd.EXITED, result.exit_code
        case _:
            return RunEnd.STOPPED, None


def _end_of(printed: Path) -> str:
    try:
        with printed.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
