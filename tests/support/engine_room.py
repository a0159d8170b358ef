"""An engine on a real database, and doubles of what it talks to that remember what they were asked."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from moonmind import bootstrap
from moonmind.adapters.artifact_stores.filesystem import FilesystemArtifactStore
from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.scanners.betterleaks import Betterleaks
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.db.unit_of_work import Database, UnitOfWork
from moonmind.engine.executor import ChainSignal, Executor, Recorder
from moonmind.engine.host import Host
from moonmind.engine.lease import LeaseKeeper
from moonmind.engine.stage import StageDefinition
from moonmind.engine.stage_context import ContextFactory, StageContext
from moonmind.errors import AgentError, DispatchError, MoonMindError, Unavailable
from moonmind.ports.agent import AgentJob, JobLimits, JobState, JobStatus
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.dispatcher import DispatchRequest
from moonmind.ports.forge import Repository
from moonmind.preflight.checks import Preflight
from moonmind.redact import Redactor
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import Done, Outcome
from moonmind.runs.records import Claim, Run
from moonmind.runs.retry import RetryPolicy
from moonmind.services.run_service import RunService
from moonmind.settings import ambient_environment
from tests.support.databases import HOST, add_run, read_run, register_host
from tests.support.plans import a_plan

SECRET = "a-known-secret-of-the-test"
_PLAN = a_plan(
    repository=Repository("octo/demo", "https://forge.test/octo/demo", "main"),
    starting_commit="1" * 40,
    phase="Phase 1",
)
PLAN: Mapping[str, Any] = {name: value for name, value in _PLAN.stored().items() if name != "featureKey"}
"""What discover records, without the run's own column: many runs of one repository begin with it."""


def passed(name: str, message: str = "fine", **facts: str) -> Check:
    """Answer a probe well."""
    return Check(name, CheckStatus.PASSED, message, facts=facts)


def failed(name: str, message: str, remediation: str = "") -> Check:
    """Answer a probe badly."""
    return Check(name, CheckStatus.FAILED, message, remediation)


def complaints(logs: Sequence[Mapping[str, Any]], *names: str) -> list[Any]:
    """Pick the warnings and errors out of captured lines: their events, with the named values where there are some."""
    bad = [line for line in logs if line["log_level"] in {"warning", "error"}]
    return [(line["event"], *(line[name] for name in names)) if names else line["event"] for line in bad]


@dataclass(slots=True)
class Clock:
    """Stands where a module has `time`, and goes on when the test says."""

    now: float = 1000.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now


@dataclass(slots=True)
class Told:
    """A Notifier that remembers whom it was told of."""

    runs: list[UUID] = field(default_factory=list)

    def notify(self, run: Run) -> None:
        self.runs.append(run.id)


@dataclass(slots=True)
class IdleAgent:
    """An agent whose jobs are where the test says."""

    name: str = "idle"
    checks: tuple[Check, ...] = (passed("codex.login", version="codex 1"),)
    states: dict[str, JobStatus] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    unstoppable: bool = False
    unreadable: set[str] = field(default_factory=set)
    reaches_host: Callable[[], bool] = field(default=lambda: False)
    takes_environments: Callable[[], bool] = field(default=lambda: False)

    def at(self, key: str, state: JobState, **values: Any) -> None:
        """Return where a job is."""
        self.states[key] = JobStatus(state, **values)

    def secrets(self) -> tuple[str, ...]:
        return ()

    def check(self) -> tuple[Check, ...]:
        return self.checks

    def start(self, job: AgentJob) -> None:
        self.at(job.key, JobState.RUNNING)

    def poll(self, key: str) -> JobStatus:
        if key in self.unreadable:
            raise AgentError(f"the job {key} cannot be looked at")
        return self.states.get(key, JobStatus(JobState.ABSENT))

    def running(self) -> tuple[str, ...]:
        return tuple(key for key, status in self.states.items() if status.state is JobState.RUNNING)

    def stop(self, key: str) -> None:
        if self.unstoppable:
            raise AgentError("the supervisor cannot be ended")
        self.stopped.append(key)
        self.states[key] = replace(self.poll(key), state=JobState.ENDED)

    def forget(self, home_key: str) -> None:
        if self.unstoppable:
            raise AgentError("the supervisor cannot be ended")
        self.forgotten.append(home_key)


class ProbedForge(LocalForge):
    """The local forge, with the test's answers to probes."""

    checks: tuple[Check, ...] = (passed("forge.token", version="forge 1"),)

    def check(self, repository: str | None = None) -> tuple[Check, ...]:
        """Return the test's answers."""
        return self.checks


@dataclass(slots=True)
class Outbox:
    """What dispatchers handed over: one list for all threads that dispatch, and what the broker does to them."""

    requests: list[DispatchRequest] = field(default_factory=list)
    made: int = 0
    refusals: list[Exception] = field(default_factory=list)
    """Raised one after the other, instead of dispatching."""
    hanging: threading.Event | None = None
    """While set to an event, a dispatch waits for it."""
    breaks: bool = False
    """What waited ends in an error."""
    waits: int = 0

    def dispatcher(self) -> "OutboxDispatcher":
        """Make one thread's dispatcher."""
        self.made += 1
        return OutboxDispatcher(self)

    def of(self, run_id: UUID) -> list[DispatchRequest]:
        """Return the requests of a run."""
        return [request for request in self.requests if request.run_id == run_id]

    def refuse(self, times: int = 1) -> None:
        """Let the broker refuse the next messages."""
        self.refusals.extend(DispatchError("the broker is away") for _ in range(times))


@dataclass(slots=True)
class OutboxDispatcher:
    """A Dispatcher into the outbox."""

    outbox: Outbox

    def dispatch(self, request: DispatchRequest) -> None:
        if (hanging := self.outbox.hanging) is not None:
            self.outbox.waits += 1
            assert hanging.wait(30), "the test left a dispatch hanging"
            if self.outbox.breaks:
                raise DispatchError("the connection broke")
        if self.outbox.refusals:
            raise self.outbox.refusals.pop(0)
        self.outbox.requests.append(request)


class Outage(Database):
    """The same database, behind a line that the test cuts: it shares the rows, not the connections."""

    def __init__(self, database: Database, times: int = 0) -> None:
        self._url, self._engine = database._url, database._engine
        self.times = times
        """How many further transactions fail."""
        self.refused = 0
        self.before: Callable[[], object] | None = None
        """Called before each transaction."""

    @contextmanager
    def _unit(self, *, writes: bool) -> Iterator[UnitOfWork]:
        if self.before is not None:
            self.before()
        if self.times > 0:
            self.times -= 1
            self.refused += 1
            raise Unavailable("The database does not answer: cut off by the test")
        with super()._unit(writes=writes) as unit:
            yield unit


class EngineRoom:
    """Everything that works on a run, with stages that the test writes."""

    def __init__(
        self, database: Database, folder: Path, *, lease_seconds: float = 60.0, heartbeat_seconds: float = 5.0
    ) -> None:
        self.database = database
        self.folder = folder
        self.host = Host(HOST, "a-host")
        register_host(database)
        self.agent = IdleAgent()
        self.redactor = Redactor((SECRET,))
        environment = ambient_environment()
        self.forge = ProbedForge(ForgeOptions(local_repos=folder / "repositories", environment=environment))
        self.vcs = GitVcs(VcsOptions(folder / "state", "file", dict, environment, self.redactor))
        self.store = FilesystemArtifactStore(folder / "artifacts")
        self.preflight = Preflight(self.agent, self.forge, self.vcs)
        self.told = Told()
        self.keeper = LeaseKeeper(database, lease_seconds=lease_seconds, heartbeat_seconds=heartbeat_seconds)
        self.worked: list[Stage] = []
        self.stages = {stage: self._plainly(stage) for stage in STAGES}
        self.recorder = Recorder(database, self.stages, run_deadline_seconds=3600.0)
        self.contexts = ContextFactory(
            database,
            self.store,
            self.agent,
            self.forge,
            self.vcs,
            self.preflight,
            self.redactor,
            Betterleaks(),
            self.host,
            limits=JobLimits(stall_seconds=7.0),
            relook_seconds=11.0,
            max_agents=1,
        )
        self.runs = RunService(
            database, self.store, self.told, self.preflight, self.stages, run_deadline_seconds=3600.0
        )
        self.executor = self.build_executor()

    def build_executor(self, **parts: Any) -> Executor:
        """Make an executor with some parts replaced."""
        plain: dict[str, Any] = {
            "database": self.database,
            "stages": self.stages,
            "contexts": self.contexts,
            "keeper": self.keeper,
            "notifier": self.told,
            "host": self.host,
            "policy": RetryPolicy(),
            "recorder": self.recorder,
        }
        return Executor(**(plain | parts))

    def reports(self, stage: Stage, outcome: Outcome | MoonMindError) -> None:
        """Let a stage report this, or raise it."""

        def work(context: StageContext) -> Outcome:
            self.worked.append(stage)
            if isinstance(outcome, MoonMindError):
                raise outcome
            return outcome

        self.does(stage, work)

    def does(self, stage: Stage, work: Callable[[StageContext], Outcome]) -> None:
        """Let a stage do this."""
        self.stages[stage] = replace(self.stages[stage], run=work)

    def execute(self, run: Run, stage: Stage, chain_id: UUID | None = None) -> ChainSignal:
        """Deliver a message."""
        return self.executor.execute(run.id, stage, chain_id)

    def reach(self, stage: Stage, **values: Any) -> Run:
        """Create a run and bring it to a stage by delivering messages; discover leaves `PLAN`."""
        made = add_run(self.database, **values)
        for before in STAGES[: stage.position]:
            assert self.execute(made, before) is ChainSignal.CONTINUE
        self.worked.clear()
        return self.read(made)

    def read(self, run: Run | UUID) -> Run:
        """Read a run as it is now."""
        return read_run(self.database, run if isinstance(run, UUID) else run.id)

    def context(self, claim: Claim) -> StageContext:
        """Build what a stage is given, under a lease that is not renewed any more."""
        with self.database.read() as unit:
            outputs = unit.attempts.results(claim.run.id)
        with self.keeper.keep(claim) as lease:
            return self.contexts.make(claim, lease, outputs)

    def _plainly(self, stage: Stage) -> StageDefinition:
        def work(context: StageContext) -> Outcome:
            self.worked.append(stage)
            return Done(dict(PLAN) if stage is Stage.DISCOVER else {"v": 1, "from": stage.value})

        return replace(bootstrap.STAGES[stage], run=work)
