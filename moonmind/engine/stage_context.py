"""What a stage is given, and how it is built from a claim: the run, what came before, and the ports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from moonmind.db.unit_of_work import Database
from moonmind.engine.host import Host
from moonmind.engine.lease import HeldLease
from moonmind.engine.run_artifacts import RunArtifacts
from moonmind.engine.stage_services import StageServices
from moonmind.engine.stage_state import Checkpoint, StageResult
from moonmind.errors import Unexpected
from moonmind.ports.agent import Agent, JobLimits
from moonmind.ports.artifact_store import ArtifactStore
from moonmind.ports.environments import Environments
from moonmind.ports.forge import Forge
from moonmind.ports.scanner import Scanner
from moonmind.ports.vcs import Vcs
from moonmind.ports.verification import TestJobs
from moonmind.preflight.checks import Preflight
from moonmind.redact import Redactor
from moonmind.runs.attention import Answered, Attention
from moonmind.runs.chain import Stage
from moonmind.runs.findings import Severity
from moonmind.runs.records import Attempt, Claim, Run

R = TypeVar("R", bound=StageResult)
C = TypeVar("C", bound=Checkpoint)


@dataclass(frozen=True, slots=True)
class StageContext:
    """What one claim works with. `results` are those of earlier stages; `checkpoint` is what this stage left before."""

    run: Run
    attempt: Attempt
    results: Mapping[Stage, Mapping[str, Any]]
    checkpoint: Mapping[str, Any]
    """Of this attempt if it was suspended, else of the attempt before it; empty at first."""
    note: str | None
    """Why the run was sent back here (Redo), for the agent's next prompt."""
    lease: HeldLease
    artifacts: RunArtifacts
    services: StageServices
    agent: Agent
    forge: Forge
    vcs: Vcs
    redactor: Redactor
    scanner: Scanner
    limits: JobLimits
    relook_seconds: float
    """How long a run suspended on its agent sleeps at most."""
    phase_tasks: int | None = None
    """The most tasks of a phase that a run takes up; None: all."""
    environments: Environments | None = None
    """None: nothing that tests need is set up."""
    only_declared_environments: bool = False
    """Set up what a repository asks for, and nothing that its build files only suggest."""
    test_jobs: TestJobs | None = None
    """None: no tests are run."""
    only_declared_tests: bool = False
    """Run what a repository names, and nothing that its build files only suggest."""
    test_seconds: float = 1800.0
    """How long a test command may take at most."""
    protected_files: Severity = Severity.DRAFT
    """What a change of protected files is at least."""
    may_send_back: bool = False
    """The run may be sent back to an earlier stage once more."""

    @property
    def answer(self) -> Answered | None:
        """Return what a person answered to the last question of this stage; None where there was none, or no answer."""
        asked = Attention.read(self.run.attention)
        return None if asked is None else asked.answer

    def result(self, kind: type[R]) -> R:
        """Return an earlier stage's result; raises Unexpected where there is none (a broken row), or it cannot be read."""
        found = kind.of(self.results)
        if found is None:
            raise Unexpected(f"the run has no recorded result of {kind.stage}", stage=kind.stage.value)
        return found

    def resumes(self, kind: type[C]) -> C:
        """Return the checkpoint as the stage knows it; raises Unexpected where it cannot be read."""
        return kind.read(self.checkpoint)


class ContextFactory:
    """Builds the context of a claim from the ports and limits of this process."""

    def __init__(
        self,
        database: Database,
        store: ArtifactStore,
        agent: Agent,
        forge: Forge,
        vcs: Vcs,
        preflight: Preflight,
        redactor: Redactor,
        scanner: Scanner,
        host: Host,
        *,
        limits: JobLimits,
        relook_seconds: float,
        max_agents: int,
        phase_tasks: int | None = None,
        environments: Environments | None = None,
        only_declared_environments: bool = False,
        test_jobs: TestJobs | None = None,
        only_declared_tests: bool = False,
        test_seconds: float = 1800.0,
        protected_files: Severity = Severity.DRAFT,
        max_rounds: int = 0,
    ) -> None:
        self._database = database
        self._store = store
        self._agent = agent
        self._forge = forge
        self._vcs = vcs
        self._preflight = preflight
        self._redactor = redactor
        self._scanner = scanner
        self._host = host
        self._limits = limits
        self._relook = relook_seconds
        self._max_agents = max_agents
        self._phase_tasks = phase_tasks
        self._environments = environments
        self._only_declared = only_declared_environments
        self._test_jobs = test_jobs
        self._only_declared_tests = only_declared_tests
        self._test_seconds = test_seconds
        self._protected_files = protected_files
        self._max_rounds = max_rounds

    def make(
        self,
        claim: Claim,
        lease: HeldLease,
        results: Mapping[Stage, Mapping[str, Any]],
        *,
        imagined: bool = False,
    ) -> StageContext:
        """Return the claim's context; `results` is what earlier stages recorded. Nobody made the run of an `imagined` claim."""
        return StageContext(
            run=claim.run,
            attempt=claim.attempt,
            results=results,
            checkpoint=claim.attempt.checkpoint or {},
            note=claim.attempt.note,
            lease=lease,
            artifacts=RunArtifacts(claim.run.id, self._store, self._database, self._redactor, lease),
            services=StageServices(
                self._database,
                self._preflight,
                self._host,
                self._redactor,
                claim,
                lease,
                max_agents=self._max_agents,
                keeps_audit=not imagined,
            ),
            agent=self._agent,
            forge=self._forge,
            vcs=self._vcs,
            redactor=self._redactor,
            scanner=self._scanner,
            limits=self._limits,
            relook_seconds=self._relook,
            phase_tasks=self._phase_tasks,
            environments=self._environments,
            only_declared_environments=self._only_declared,
            test_jobs=self._test_jobs,
            only_declared_tests=self._only_declared_tests,
            test_seconds=self._test_seconds,
            protected_files=self._protected_files,
            may_send_back=claim.run.rounds < self._max_rounds,
        )
