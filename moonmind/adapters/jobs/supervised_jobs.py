"""Starts, finds, stops and forgets supervised jobs: what every agent of ours has in common."""

import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

import moonmind
from moonmind.adapters import process
from moonmind.adapters.jobs.job_environment import MARK, harmless
from moonmind.adapters.jobs.job_results import TEST_COMMAND, read_result
from moonmind.adapters.jobs.job_timing import TIMING, JobTiming
from moonmind.adapters.sandbox_choice import SandboxChoice
from moonmind.adapters.supervisor import __main__ as launcher
from moonmind.adapters.supervisor import cgroups, kernel, own
from moonmind.adapters.supervisor.folder import JobFolder, read_json
from moonmind.adapters.supervisor.heartbeat import last_beat
from moonmind.adapters.supervisor.order import Order
from moonmind.adapters.supervisor.traces import leftovers, trace_of
from moonmind.adapters.supervisor.watch import outlived
from moonmind.adapters.trees import remove_tree
from moonmind.errors import AgentBusy, AgentError, AgentUnknown
from moonmind.ports.agent import JobEnd, JobState, JobStatus, ModelCalls
from moonmind.ports.sandbox import SandboxKind
from moonmind.runs import naming

log = structlog.get_logger(__name__)

_STARTING_SECONDS = 3600.0
"""What is before a job's start, such as copying an environment, takes less."""
_LAUNCHER = ("-m", "moonmind.adapters.supervisor")


class Jobs:
    """The supervised jobs of one installation on this host."""

    def __init__(
        self,
        state_folder: Path,
        installation_id: str,
        environment: Mapping[str, str],
        timing: JobTiming = TIMING,
        sandbox: SandboxChoice | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._timing = timing
        self._jobs = state_folder / "jobs"
        self._homes = state_folder / "homes"
        self._workspaces = state_folder / "workspaces"
        self._processes = state_folder / "processes"
        try:
            own.register(self._processes)
        except OSError as error:
            # Other processes of the installation cannot tell this one from an agent's; everything else works.
            log.warning("process.not_registered", folder=str(self._processes), error=error.strerror or str(error))
        self._installation_id = installation_id
        # The supervisor itself needs certificates and proxies too: it speaks to the model service for the agent.
        package = str(Path(moonmind.__file__).parents[1])
        self._environment = harmless(environment) | {"PYTHONPATH": package}

    def folder(self, key: str) -> JobFolder:
        """Return a job's folder. Raises AgentError for a key that would leave ours."""
        return JobFolder(_below(self._jobs, key))

    def home_of(self, key: str) -> Path:
        """Return where the agent home of a job's run is, whether it is there or not."""
        return _below(self._homes, key.partition("/")[0])

    def home(self, home_key: str) -> Path:
        """Return the agent home of a run, made if missing, for this user alone."""
        home = _below(self._homes, home_key)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    def mark(self, key: str) -> str:
        """Return the value that marks a job's processes."""
        return f"{self._installation_id}/{key}"

    def started(self, key: str) -> bool:
        """Return True if the key has been used: its job runs, ended or was lost."""
        return self.folder(key).handle.exists()

    def usage_of(self, home_key: str, thread_id: str) -> dict[str, int]:
        """Add up what the run's ended jobs counted in a conversation."""
        total: Counter[str] = Counter()
        for folder in _below(self._jobs, home_key).iterdir():
            facts = (read_json(JobFolder(folder).result) or {}).get("facts") or {}
            if facts.get("thread_id") == thread_id:
                total.update(facts.get("usage") or {})
        return dict(total)

    def calls_of(self, home_key: str) -> int:
        """Return how many calls of the model the run's jobs on this host have made."""
        folders = (JobFolder(lock.parent) for lock in _below(self._jobs, home_key).glob("*/calls.json"))
        return max(((_calls_noted(folder) or ModelCalls()).total for folder in folders), default=0)

    def start(self, key: str, order: Order) -> None:
        """Leave a supervisor behind that runs the order, unless one did before. Raises AgentError, AgentBusy."""
        code: int | None = None
        try:
            done = process.run(
                [sys.executable, "-P", *_LAUNCHER, self.mark(key)],
                cwd=Path("/"),
                env=self._environment,
                input=order.as_bytes(),
                timeout=self._timing.start,
            )
        except OSError as error:
            words = str(error)
        else:
            words = done.error_text
            code = None if done.timed_out else done.exit_code
        if code == 0:
            return
        if code == launcher.BUSY:
            raise AgentBusy(words)
        # The launcher failed or was killed; what it had left behind by then may be at work all the same.
        if self._came_up(key):
            return
        words = f"the {_called(key)} could not be started: {words or 'its supervisor did not answer'}"
        raise AgentError(words) if code == launcher.REFUSED else AgentUnknown(words)

    def poll(self, key: str) -> JobStatus:
        """Look at a job. Raises AgentUnknown when its files cannot be read: then nothing is known, not even its end."""
        folder = self.folder(key)
        try:
            handle = read_json(folder.handle)
            if handle is None:
                return JobStatus(JobState.ABSENT)
            # Asked before the result is: a supervisor that is gone by now has written whatever it was going to write.
            locked = folder.locked
            result = read_json(folder.result)
            facts = read_json(folder.facts) or {}
            overdue = _overdue_limit(folder, handle) if locked and result is None else None
            model_calls = _calls_noted(folder)
            sandbox = _sandbox_noted(folder)
        except (OSError, ValueError) as error:
            raise AgentUnknown(f"the state of job {key} could not be read: {error}") from error
        state = JobState.ENDED if result else JobState.RUNNING if locked else JobState.LOST
        return JobStatus(
            state,
            thread_id=facts.get("thread_id"),
            pid=handle["pid"],
            agent_pid=handle["agent_pid"],
            agent_started=handle["agent_started"],
            result=read_result(result, _called(key)) if result else None,
            model_calls=model_calls,
            overdue=overdue,
            sandbox=sandbox,
            facts={"seconds": result["seconds"], "survivors": result["survivors"]} if result else {},
        )

    def running(self) -> tuple[str, ...]:
        """List the jobs whose locks are held."""
        return tuple(key for key in self.listed() if self.folder(key).locked)

    def listed(self) -> tuple[str, ...]:
        """List all jobs whose folders are here."""
        # Not by a glob: it fails where a run's folder is removed just then, by whoever ends that run.
        found = (self._jobs / run / job for run in _names_in(self._jobs) for job in _names_in(self._jobs / run))
        return tuple(f"{path.parent.name}/{path.name}" for path in found if path.is_dir())

    def may_run(self, key: str) -> bool:
        """Return True if a job runs, or is just about to: its folder is made first of all."""
        folder = self.folder(key)
        if folder.locked:
            return True
        if folder.result.exists() or folder.handle.exists():
            return False
        try:
            return time.time() - folder.path.stat().st_mtime < _STARTING_SECONDS
        except FileNotFoundError:
            return False

    def stop(self, key: str) -> None:
        """End a job; returns when no process of it is left. Raises AgentUnknown naming those that cannot be ended."""
        folder = self.folder(key)
        if not folder.path.is_dir():
            return
        try:
            if not folder.result.exists():
                # Also for a job without a handle: a start that is under way must not come after this.
                folder.stop.touch(mode=0o600)
            if not self._heard(folder):
                self._kill_supervisor(key)
            self._sweep(key)
            self._end_beyond(key)
        except (OSError, ValueError) as error:
            raise AgentUnknown(f"could not make sure that job {key} was stopped: {error}") from error

    def stop_siblings(self, key: str) -> None:
        """Stop for certain what the run's other jobs left or still do: two agents must not share a home."""
        folder = self.folder(key).path
        if not folder.parent.is_dir():
            return
        for sibling in sorted(folder.parent.iterdir()):
            other = f"{key.rpartition('/')[0]}/{sibling.name}"
            if sibling != folder:
                seen = self.poll(other)
                if seen.state is not JobState.ENDED or seen.facts["survivors"]:
                    self.stop(other)

    def stop_all(self, home_key: str) -> None:
        """Stop every job of a run."""
        jobs = _below(self._jobs, home_key)
        if jobs.is_dir():
            for folder in sorted(jobs.iterdir()):
                self.stop(f"{home_key}/{folder.name}")

    def remove(self, home_key: str) -> None:
        """Remove the folders of a run's jobs, which have ended, and its agent home."""
        for path in (_below(self._jobs, home_key), _below(self._homes, home_key)):
            if path.exists():
                _remove(path)

    def forget(self, key: str) -> None:
        """Remove the folder of one job, which has ended."""
        path = self.folder(key).path
        if path.exists():
            _remove(path)

    def _came_up(self, key: str) -> bool:
        """Settle a start whose launcher did not answer: return True if the job runs or ran, False if nothing of it is left."""
        folder = self.folder(key)
        if not self._waited(folder, self._timing.settle, until_started=True):
            self._kill_supervisor(key)
        if folder.handle.exists():
            return True
        self._sweep(key)
        return False

    def _waited(self, folder: JobFolder, seconds: float, *, until_started: bool) -> bool:
        """Wait until the lock is free or the job has started; return False if that takes too long."""
        deadline = time.monotonic() + seconds
        while folder.locked and not (until_started and folder.handle.exists()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _heard(self, folder: JobFolder) -> bool:
        """Wait for the supervisor to end its job as asked; return False once it is clear that it does not."""
        began = time.monotonic()
        while folder.locked:
            handle = read_json(folder.handle) or {}
            if handle.get("boot") == kernel.boot_id():
                supervisor = kernel.Process(handle["pid"], handle["started"])
                if supervisor.stopped:
                    supervisor.signal(signal.SIGCONT)  # it then ends its job in good order, and its result is kept
            now = time.monotonic()
            beat = last_beat(folder.heartbeat)
            if now - began > self._timing.stop or (beat is not None and now - max(beat, began) > self._timing.hung):
                return False
            time.sleep(0.02)
        return True

    def _sweep(self, key: str) -> None:
        """Kill every process that carries the job's mark, and those known by number should they have dropped it."""
        folder = self.folder(key)
        handle, result = read_json(folder.handle) or {}, read_json(folder.result) or {}
        seen = (read_json(folder.seen) or {}).get("processes") or ()
        group = str(handle.get("group") or "")
        known: list[kernel.Process] = []
        # Where processes cannot be seen, a pid may be another process's by now; the agent died with its supervisor.
        if kernel.sees_processes() and handle.get("boot") == kernel.boot_id():
            known.append(kernel.Process(handle["agent_pid"], handle["agent_started"]))
            known += [kernel.Process(one["pid"], one["started"]) for one in (*(result.get("left") or ()), *seen)]
            if group and cgroups.is_group_of(group, str(folder.path)) and not cgroups.emptied(group):
                known += cgroups.members(group)
        trace = trace_of(handle, seen, self._folders(key))

        def left() -> list[kernel.Process]:
            found = [process for process in known if process.alive] + kernel.marked(MARK, self.mark(key))
            return found or (leftovers(trace, self._own(key)) if trace is not None else [])

        _require_gone(key, kernel.kill_all(left, seconds=self._timing.kill))

    def _end_beyond(self, key: str) -> None:
        """End what a job left behind its wall, where that need not be a process that this user sees."""
        kind = _sandbox_noted(self.folder(key))
        wall = self._sandbox.wall(SandboxKind(kind)) if self._sandbox is not None and kind is not None else None
        if wall is not None:
            wall.end(self.mark(key))

    def _own(self, key: str) -> set[kernel.Process]:
        """Return the processes of this installation, and the supervisors of the run's other jobs."""
        found = own.registered(self._processes)
        for place in _below(self._jobs, key.partition("/")[0]).glob("*/handle.json"):
            handle = read_json(place) or {}
            if place.parent != self.folder(key).path and handle.get("boot") == kernel.boot_id():
                found.add(kernel.Process(handle["pid"], handle["started"]))
        return found

    def _folders(self, key: str) -> list[Path]:
        """List the folders in which nothing but the run's agents works."""
        run = key.partition("/")[0]
        return [self.folder(key).path, _below(self._homes, run), _below(self._workspaces, run) / "tree"]

    def _kill_supervisor(self, key: str) -> None:
        handle = read_json(self.folder(key).handle) or {}
        # By its number, if it got as far as writing that down; else by its command line, which names the job.
        if handle.get("boot") == kernel.boot_id():
            supervisors = [kernel.Process(handle["pid"], handle["started"])]
        else:
            supervisors = [] if handle else kernel.called(*_LAUNCHER, self.mark(key))
        family: list[kernel.Process] = []
        for supervisor in supervisors:
            # Its children first become unowned when it dies, so they are listed before.
            family += [supervisor, *reversed(kernel.descendants(supervisor.pid))] if supervisor.alive else []
        for member in family:
            member.signal(signal.SIGKILL)
        _require_gone(key, kernel.kill_all(lambda: [one for one in family if one.alive], seconds=self._timing.kill))
        if not self._waited(self.folder(key), 1.0, until_started=False):
            raise AgentUnknown(f"the supervisor of job {key} cannot be ended")


def _called(key: str) -> str:
    """Return what people call a job."""
    if naming.is_test_job(key):
        return TEST_COMMAND
    return "build" if naming.is_build(key) else "agent"


def _require_gone(key: str, survivors: list[kernel.Process]) -> None:
    if survivors:
        raise AgentUnknown(
            f"processes of job {key} cannot be ended: {', '.join(str(process.pid) for process in survivors)}",
            remediation="End the named processes as the user they run as, then retry.",
        )


def _names_in(folder: Path) -> list[str]:
    """List what is in a folder; nothing where it is none, or none any more."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _below(root: Path, key: str) -> Path:
    parts = key.split("/")
    if not all(part and part not in (".", "..") and "\0" not in part for part in parts):
        raise AgentError(f"{key!r} is not a job key")
    return root.joinpath(*parts)


def _remove(path: Path) -> None:
    try:
        remove_tree(path)
    except OSError as error:
        raise AgentError(f"{path} cannot be removed: {error}") from error


def _sandbox_noted(folder: JobFolder) -> str | None:
    try:
        return folder.sandbox.read_text("ascii")
    except FileNotFoundError:  # of a job that an earlier program started
        return None


def _overdue_limit(folder: JobFolder, handle: Mapping[str, Any]) -> JobEnd | None:
    """Return the limit that a running job has outlived. Supervisors of an earlier version did not note theirs."""
    if "monotonic" not in handle:
        return None
    began = float(handle["monotonic"])
    beat = last_beat(folder.heartbeat)
    limit = outlived(
        began,
        began if beat is None else beat,
        float(handle["stall_seconds"]),
        float(handle["total_seconds"]),
        time.monotonic(),
    )
    return JobEnd(limit.value) if limit else None


def _calls_noted(folder: JobFolder) -> ModelCalls | None:
    """Return how often a job called the model; None where its supervisor noted nothing. Raises OSError, ValueError."""
    known = read_json(folder.calls)
    if known is None:
        return None
    return ModelCalls(int(known.get("total", 0)), int(known.get("base", 0)), bool(known.get("capped", True)))
