"""The part of an agent adapter that is the same for every agent run under our supervisor."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import structlog

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.environments.loans import lend_all
from moonmind.adapters.environments.services import with_services
from moonmind.adapters.jobs.job_environment import agent_environment, walled_environment
from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.jobs.walled_job import behind
from moonmind.adapters.sandbox_choice import ChosenSandbox
from moonmind.adapters.supervisor.folder import write_whole
from moonmind.adapters.supervisor.order import Order
from moonmind.adapters.trees import remove_tree
from moonmind.errors import AgentError, AgentUnknown
from moonmind.ports.agent import AgentJob, JobState, JobStatus
from moonmind.ports.sandbox import HOME, WORKSPACE, Mount, Sandbox, SandboxKind
from moonmind.redact import Redactor

log = structlog.get_logger(__name__)


class SupervisedAgent(ABC):
    """An agent whose jobs our supervisor owns; an adapter adds what to run and how to check it."""

    def __init__(self, options: AgentOptions) -> None:
        self._options = options
        self._jobs = Jobs(
            options.state_folder, options.installation_id, options.environment, options.timing, options.sandbox
        )
        self._redactor = Redactor(self.secrets())

    brings = SandboxKind.NONE
    """The sandbox that the agent has of its own."""

    @abstractmethod
    def _order(self, job: AgentJob) -> Order:
        """Prepare the agent's home, repeatably, and say what the supervisor is to run. Raises MoonMindError."""

    def start(self, job: AgentJob) -> None:
        """Start the job unless it was started already; returns when its supervisor holds the lock. Raises AgentError.

        Whatever else of the run still works is stopped first: two agents must not share a folder and a home.
        """
        try:
            if not self._jobs.started(job.key):
                # Made first: of two jobs that start at the same time one sees the other's folder, and stops it.
                self._jobs.folder(job.key).make()
                self._jobs.stop_siblings(job.key)
                self._jobs.start(job.key, self._order(job))
        except (OSError, ValueError) as error:
            raise AgentUnknown(f"the agent could not be started: {error}") from error

    def reaches_host(self) -> bool:
        """Return True if a job's commands may open connections to this machine's own ports."""
        return False

    def takes_environments(self) -> bool:
        """Return True if environments can be lent to its jobs: they are behind a wall of ours."""
        return self._options.environments is not None and self._sandbox().wall is not None

    def poll(self, key: str) -> JobStatus:
        """Look at a job by its key alone, from any process of this host. Raises AgentUnknown when that cannot be done."""
        status = self._jobs.poll(key)
        if status.state is JobState.ENDED and not status.facts.get("survivors"):
            self._clear_loans(key)
        return status

    def _clear_loans(self, key: str) -> None:
        """Remove what an ended job wrote over what it was lent; what cannot be removed now goes with the run's files."""
        place = self._jobs.home_of(key) / "walled/lent" / key.rpartition("/")[2]
        try:
            remove_tree(place)
        except OSError as error:
            log.warning("environment.loan_not_removed", job=key, error=str(error))

    def stop(self, key: str) -> None:
        """End the job and return when its processes are provably gone; its result stays. Raises AgentError."""
        self._jobs.stop(key)

    def running(self) -> tuple[str, ...]:
        """List the keys of the jobs on this host: those whose supervisors live, and those whose containers do without one."""
        prefix = self._jobs.mark("")
        keys = (mark.removeprefix(prefix) for mark in self._marks() if mark.startswith(prefix))
        return tuple(dict.fromkeys((*self._jobs.running(), *keys)))

    def _marks(self) -> tuple[str, ...]:
        """List what runs behind walls; nothing while their engine is down, which is looked at again."""
        kind = self._options.sandbox.known()
        wall = self._options.sandbox.wall(kind) if kind is not None else None
        try:
            return wall.marks() if wall is not None else ()
        except AgentUnknown as error:
            log.warning("sandbox.not_listed", sandbox=kind, error=error.message)
            return ()

    def forget(self, home_key: str) -> None:
        """Remove the run's job folders and agent home; running jobs are stopped first."""
        self._jobs.stop_all(home_key)
        self._before_removal(home_key)
        self._jobs.remove(home_key)

    def _before_removal(self, home_key: str) -> None:  # noqa: B027 - most agents keep nothing in a home that must be saved
        """Save what the home holds and others need."""

    def secrets(self) -> tuple[str, ...]:
        """Return the values that no log, artifact or patch may hold."""
        return self._options.secrets

    def _sandbox(self, *, keep: bool = False, image: str | None = None) -> ChosenSandbox:
        """Return what confines a job that starts now; with `keep` because one does, in the image that its repository names."""
        return self._options.sandbox.chosen(self.brings, keep=keep, image=image)

    def _confined(self, job: AgentJob) -> ChosenSandbox:
        """Note and return what confines a job that is about to start. Raises ImageNotAllowed, SandboxFailed, SandboxUnavailable."""
        sandbox = self._sandbox(keep=True, image=job.image)
        sandbox.require()
        write_whole(self._jobs.folder(job.key).sandbox, sandbox.kind.value.encode())
        return sandbox

    def _behind(self, wall: Sandbox, order: Order, job: AgentJob, mounts: tuple[Mount, ...]) -> Order:
        """Return the order with its command behind the wall; its environment is the one there."""
        if not job.workspace.is_dir():
            raise AgentError(f"the agent could not be started: there is no folder {job.workspace}")
        home = self._walled_home(job) / "home"
        home.mkdir(exist_ok=True, mode=0o700)
        seen = (Mount(job.workspace, WORKSPACE, writable=True), Mount(home, HOME, writable=True), *mounts)
        order, lent = self._borrowed(wall, order, job)
        return behind(wall, order, self._jobs, job.key, (*seen, *lent))

    def _borrowed(self, wall: Sandbox, order: Order, job: AgentJob) -> tuple[Order, tuple[Mount, ...]]:
        """Return the order in its environments: with their variables, their programs first on PATH, their services started."""
        store = self._options.environments
        folder = self._walled_home(job) / "lent"
        remove_tree(folder)  # of the run's last job, which has ended
        if store is None or not job.environments:
            return order, ()
        named = {path for task in job.brief.tasks for path in task.paths}
        lent = lend_all(
            store, job.environments, job.key, folder / job.key.rpartition("/")[2], wall, job.workspace, named
        )
        for note in lent.notes:
            log.warning("environment.not_lent", job=job.key, what=f"to job {job.key}, {note}")
        searched = ":".join((*lent.path, order.environment["PATH"]))
        whole = {**order.environment, **lent.variables, "PATH": searched}
        return replace(order, environment=whole, argv=with_services(lent.services, order.argv)), lent.mounts

    def _walled_home(self, job: AgentJob) -> Path:
        """Return the folder of what a run's jobs behind walls keep: they may write it, so no other job is ever given it."""
        folder = self._jobs.home(job.home_key or job.key.partition("/")[0]) / "walled"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def _walled_environment(self, job: AgentJob, added: Mapping[str, str]) -> dict[str, str]:
        mark = self._jobs.mark(job.key)
        return walled_environment(
            self._options.environment, {**job.environment, **added}, mark=mark, redactor=self._redactor
        )

    def _environment(self, job: AgentJob) -> dict[str, str]:
        home = self._jobs.home(job.home_key or job.key.partition("/")[0]) / "home"
        home.mkdir(exist_ok=True, mode=0o700)
        return agent_environment(
            self._options.environment,
            job.environment,
            home=home,
            temporary=self._jobs.folder(job.key).temporary,
            workspace=job.workspace,
            mark=self._jobs.mark(job.key),
            redactor=self._redactor,
        )
