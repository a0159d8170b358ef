"""One process's set of services, and how they start and end together."""

import fcntl
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.engine.executor import Executor
from moonmind.engine.host import Host
from moonmind.engine.janitor import Janitor
from moonmind.engine.job_poller import JobPoller
from moonmind.engine.lease import LeaseKeeper
from moonmind.engine.periodic_jobs import PeriodicJobs
from moonmind.errors import MoonMindError, NotConfigured
from moonmind.ports.agent import Agent
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.dispatcher import LocalDispatcher
from moonmind.preflight.checks import Preflight, Probe
from moonmind.preflight.machine_checks import settings_file
from moonmind.private import make_folder
from moonmind.redact import Redactor
from moonmind.runs.records import RunFilter
from moonmind.runtime.folders import check_state_folder, check_writable, close_to_others
from moonmind.runtime.server_file import ServerInfo, find
from moonmind.runtime.upgrades import announce
from moonmind.services.environment_service import EnvironmentService
from moonmind.services.preview_service import PreviewService
from moonmind.services.run_service import RunService
from moonmind.services.sandbox_pin import SandboxPin
from moonmind.services.tokens import Tokens
from moonmind.settings import Settings

log = structlog.get_logger(__name__)

GRACE_SECONDS = 5.0
"""How long stages at work are waited for when a process ends; Docker kills ten seconds after it asked."""
HANDOVER_SECONDS = 8.0
ATTENDED_SECONDS = 30.0
"""Three heartbeats of a host: after so long without one, nobody works."""


class Role(StrEnum):
    """What a process does for others; the command line has no role, and starts nothing."""

    SERVER = "server"
    """Takes requests; without a broker it runs the stages too."""
    WORKER = "worker"
    """Runs stages that a broker hands it."""


@dataclass(slots=True)
class Container:
    """Everything that bootstrap built for this process."""

    settings: Settings
    redactor: Redactor
    database: Database
    host: Host
    state_folder: Path
    agent: Agent
    preflight: Preflight
    runs: RunService
    tokens: Tokens
    sandbox_pin: SandboxPin
    environments: EnvironmentService
    previews: PreviewService
    executor: Executor
    keeper: LeaseKeeper
    dispatch_loop: DispatchLoop
    janitor: Janitor
    job_poller: JobPoller
    periodic_jobs: PeriodicJobs
    stage_threads: LocalDispatcher | None
    """None where a broker hands stages to workers."""
    probes: tuple[Probe, ...] = ()
    """What only `doctor` looks at, beside the preflight."""
    grace_seconds: float = GRACE_SECONDS
    handover_seconds: float = HANDOVER_SECONDS
    """How long to wait for the engine of a process that is just ending."""
    _lock: IO[str] | None = field(default=None, init=False)
    _role: Role | None = field(default=None, init=False)

    def open(self, role: Role) -> None:
        """Start what a process of this role runs in the background; `close` ends it.

        Raises NotConfigured where it could not work, or another process runs the embedded engine.
        """
        self.prepare(role)
        self.start()

    def prepare(self, role: Role) -> None:
        """Do the part of `open` that may refuse and starts no thread, for a process that forks before it works."""
        self.check_start()
        self.announce_changes()
        self._role = role
        if self.stage_threads is not None:
            self.own_embedded_engine()
        if self._runs_stages:
            # Before the first of them asks for an agent slot.
            with self.database.write() as uow:
                uow.hosts.register(self.host.id, self.host.name)

    def start(self) -> None:
        """Start the threads of a prepared process."""
        self.janitor.start()
        self.periodic_jobs.start()
        if self._runs_stages:
            self.job_poller.start()
        if self.stage_threads is not None:
            self.stage_threads.start()

    @property
    def _runs_stages(self) -> bool:
        return self._role is Role.WORKER or self.stage_threads is not None

    def check_start(self) -> None:
        """Refuse to serve or to work from places that fail later; raises NotConfigured with the setting to change."""
        check_state_folder(self.state_folder)
        self.settings.claim_var("MOONMIND_VAR_DIR", "SPEC_WORKFLOW_ARTIFACT_ROOT")
        check_writable(self.state_folder, "MOONMIND_STATE_DIR")
        check_writable(self.settings.artifact_root, "SPEC_WORKFLOW_ARTIFACT_ROOT", mode=0o750)
        close_to_others(self.settings.var_dir, self.state_folder)

    def own_embedded_engine(self) -> None:
        """Become the one process that runs the embedded engine; raises NotConfigured when another one is.

        What leases there are were held by a process that is gone: nobody else could have held this lock.
        """
        place = self._lock_place()
        make_folder(place.parent, 0o750)
        lock = place.open("a+")
        # One that is just shutting down has withdrawn its address and lets go within seconds; one that serves does not.
        deadline = time.monotonic() + (0.0 if self.server() is not None else self.handover_seconds)
        while not _taken(lock):
            if time.monotonic() >= deadline:
                lock.close()
                server = self.server()
                where = f" at {server.url}" if server is not None else ""
                raise NotConfigured(
                    f"another MoonMind runs the embedded engine of {self.settings.var_dir.absolute()}{where}",
                    remediation="Use that one, or set CELERY_BROKER_URL to run several processes on RabbitMQ.",
                )
            time.sleep(0.05)  # a lock has no other way to tell that it is free, short of waiting without an end
        self._lock = lock
        with self.database.write() as uow:
            released = uow.rescues.release_all_leases()
        if released:
            log.info("leases.released", count=released)

    def _lock_place(self) -> Path:
        # Beside the database, which is what must have one owner; by default that is var/moonmind.lock.
        return Path(self.settings.database_url.removeprefix("sqlite:///")).with_suffix(".lock")

    def announce_changes(self) -> None:
        """Log once what this version does differently from the one that made the runs here."""
        with self.database.read() as uow:
            used_before = bool(uow.runs.page(RunFilter(), 1))
        announce(self.state_folder, used_before=used_before)

    def ready(self) -> list[Check]:
        """Probe what this process itself needs, quickly: the database and the way to the broker."""
        checks = []
        try:
            self.database.check_schema()
            checks.append(Check("database", CheckStatus.PASSED, "the database answers and has this version's schema"))
        except MoonMindError as error:
            checks.append(Check("database", CheckStatus.FAILED, error.message, error.advice))
        if self.dispatch_loop.ready:
            here = "no broker is used: the API process executes the runs"
            message = here if self.settings.embedded else "no message to the broker is stuck"
            checks.append(Check("publisher", CheckStatus.PASSED, message))
        else:
            message = "the broker (CELERY_BROKER_URL) does not answer: three messages to it hang"
            checks.append(
                Check(
                    "publisher",
                    CheckStatus.FAILED,
                    message,
                    "Check the broker. Sending resumes by itself once it answers.",
                )
            )
        return checks

    def attended(self) -> bool:
        """Return True if a worker is online: an embedded engine holds its lock, workers are heard of every ten seconds."""
        if self.settings.embedded:
            return self._lock is not None or _held(self._lock_place())
        with self.database.read() as uow:
            return uow.hosts.heard(ATTENDED_SECONDS)

    def doctor(self, repository: str | None = None) -> list[Check]:
        """Probe everything that a run needs, from the database to the agent's credential."""
        checks = [settings_file(self.settings), *self.ready(), *self._places()]
        for probe in self.probes:
            checks.extend(probe())
        if self.attended():
            checks.append(Check("workers", CheckStatus.PASSED, "a worker is online"))
        else:
            how = (
                "Run `moonmind up`."
                if self.settings.embedded
                else "Start a worker, as step 4 of docs/quickstart.md shows."
            )
            message = "no worker is online; runs wait in the database until one starts"
            checks.append(Check("workers", CheckStatus.UNKNOWN, message, how))
        return [*checks, *self.preflight.run(repository)]

    def _places(self) -> list[Check]:
        try:
            self.check_start()
        except NotConfigured as error:
            return [Check("folders", CheckStatus.FAILED, error.message, error.advice)]
        return [Check("folders", CheckStatus.PASSED, "the folders for artifacts and agents are writable")]

    def server(self) -> ServerInfo | None:
        """Find the API process of this installation on this machine."""
        return find(self.settings.var_dir)

    def close(self) -> None:
        """End threads, give leases back, let connections go. Runs are safe in any case."""
        if self.stage_threads is not None:
            self.stage_threads.close(self.grace_seconds)
        self.job_poller.close()
        self.janitor.close()
        self.periodic_jobs.close()
        self.keeper.close()
        self.dispatch_loop.close()
        self.database.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def abandon(self) -> None:
        """Forget connections and threads that a fork left behind, without touching the parent's."""
        self.database.dispose(close=False)


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _held(place: Path) -> bool:
    """Return True if another process holds a lock, without keeping it from any other for longer than this takes."""
    if not place.exists():
        return False
    with place.open("a+") as lock:
        return not _taken(lock)
