"""Starts, finds, stops and forgets supervised jobs: what every agent of ours has in common."""

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import moonmind
from moonmind.adapters import process
from moonmind.adapters.agents.environment import MARK, harmless
from moonmind.adapters.agents.results import read_result
from moonmind.adapters.supervisor import __main__ as launcher
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.folder import JobFolder, read_json
from moonmind.adapters.supervisor.order import Order
from moonmind.errors import AgentBusy, AgentError
from moonmind.ports.agent import JobState, JobStatus

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
"""After this long the supervisor, which needs about five seconds, is taken to be stuck and is killed."""
_KILL_SECONDS = 15.0


class Jobs:
    """The supervised jobs of one installation on this host."""

    def __init__(self, state_folder: Path, installation_id: str, environment: Mapping[str, str]) -> None:
        self._jobs = state_folder / "jobs"
        self._homes = state_folder / "homes"
        self._installation_id = installation_id
        # The supervisor itself needs certificates and proxies too: it speaks to the model service for the agent.
        package = str(Path(moonmind.__file__).parents[1])
        self._environment = harmless(environment) | {"PYTHONPATH": package}

    def folder(self, key: str) -> JobFolder:
        """Give a job's folder. Raises AgentError for a key that would leave ours."""
        return JobFolder(_below(self._jobs, key))

    def home(self, home_key: str) -> Path:
        """Give the agent home of a run, made if missing, for this user alone."""
        home = _below(self._homes, home_key)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    def mark(self, key: str) -> str:
        """Give the value that marks a job's processes."""
        return f"{self._installation_id}/{key}"

    def started(self, key: str) -> bool:
        """Tell whether the key has been used: its job runs, ended or was lost."""
        return self.folder(key).handle.exists()

    def usage_of(self, home_key: str, thread_id: str) -> dict[str, int]:
        """Add up what the run's ended jobs counted in a conversation."""
        total: Counter[str] = Counter()
        for folder in _below(self._jobs, home_key).iterdir():
            facts = (read_json(JobFolder(folder).result) or {}).get("facts") or {}
            if facts.get("thread_id") == thread_id:
                total.update(facts.get("usage") or {})
        return dict(total)

    def start(self, key: str, order: Order) -> None:
        """Leave a supervisor behind that runs the order, unless one did before. Raises AgentError, AgentBusy."""
        self._sweep_siblings(key)
        done = process.run(
            [sys.executable, "-P", "-m", "moonmind.adapters.supervisor"],
            cwd=Path("/"),
            env=self._environment,
            input=order.as_bytes(),
            timeout=_START_SECONDS,
        )
        if done.exit_code == launcher.BUSY:
            raise AgentBusy(done.error_text)
        if not done.ok:
            raise AgentError(f"the agent could not be started: {done.error_text or 'its supervisor did not answer'}")

    def poll(self, key: str) -> JobStatus:
        """Look at a job. Raises AgentError when its files cannot be read."""
        folder = self.folder(key)
        try:
            handle = read_json(folder.handle)
            if handle is None:
                return JobStatus(JobState.ABSENT)
            # Asked before the result is: a supervisor that is gone by now has written whatever it was going to write.
            locked = folder.locked
            result = read_json(folder.result)
            facts = read_json(folder.facts) or {}
        except (OSError, ValueError) as error:
            raise AgentError(f"the job {key} cannot be looked at: {error}") from error
        state = JobState.ENDED if result else JobState.RUNNING if locked else JobState.LOST
        return JobStatus(
            state,
            thread_id=facts.get("thread_id"),
            pid=handle["pid"],
            agent_pid=handle["agent_pid"],
            agent_started=handle["agent_started"],
            result=read_result(result) if result else None,
            facts={"seconds": result["seconds"], "survivors": result["survivors"]} if result else {},
        )

    def stop(self, key: str) -> None:
        """End a job; returns when no process of it is left. Raises AgentError naming those that cannot be ended."""
        folder = self.folder(key)
        if not folder.handle.exists():
            return
        if folder.locked and not folder.result.exists():
            folder.stop.touch(mode=0o600)
        deadline = time.monotonic() + _STOP_SECONDS
        while folder.locked:
            if time.monotonic() > deadline:
                self._kill_supervisor(folder)
                break
            time.sleep(0.02)
        self._sweep(key)

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

    def _sweep_siblings(self, key: str) -> None:
        """Kill what the run's earlier jobs left when their supervisors were killed: two agents must not share a home."""
        folder = self.folder(key).path
        if not folder.parent.is_dir():
            return
        for sibling in folder.parent.iterdir():
            other = f"{key.rpartition('/')[0]}/{sibling.name}"
            if sibling != folder and self.poll(other).state is JobState.LOST:
                self._sweep(other)

    def _sweep(self, key: str) -> None:
        """Kill every process that carries the job's mark, and the agent itself should it have dropped the mark."""
        handle = read_json(self.folder(key).handle) or {}
        agents = []
        # Where processes cannot be seen, a pid may be anybody's by now; the agent died with its supervisor.
        if kernel.sees_processes() and handle.get("boot") == kernel.boot_id():
            agents.append(kernel.Process(handle["agent_pid"], handle["agent_started"]))

        def left() -> list[kernel.Process]:
            return [agent for agent in agents if agent.alive] + kernel.marked(MARK, self.mark(key))

        survivors = kernel.kill_all(left, seconds=_KILL_SECONDS)
        if survivors:
            raise AgentError(
                f"processes of the job {key} cannot be ended: {', '.join(str(process.pid) for process in survivors)}",
                remediation="End the named processes as the user they run as, then retry.",
            )

    def _kill_supervisor(self, folder: JobFolder) -> None:
        handle = read_json(folder.handle) or {}
        if handle.get("boot") != kernel.boot_id():
            return
        supervisor = kernel.Process(handle["pid"], handle["started"])
        # Its children first become unowned when it dies, so they are listed before.
        family = [*kernel.descendants(supervisor.pid), supervisor] if supervisor.alive else []
        for member in reversed(family):
            member.signal(signal.SIGKILL)
        if kernel.kill_all(lambda: [member for member in family if member.alive], seconds=_KILL_SECONDS):
            raise AgentError(f"the supervisor {supervisor.pid} cannot be ended")


def _below(root: Path, key: str) -> Path:
    parts = key.split("/")
    if not all(part and part not in (".", "..") and "\0" not in part for part in parts):
        raise AgentError(f"{key!r} is no job key")
    return root.joinpath(*parts)


def _remove(path: Path) -> None:
    try:
        # Agents make read-only folders (module caches); their owner may undo that.
        for folder, names, _ in os.walk(path):
            for below in (Path(folder, name) for name in names):
                if not below.is_symlink():
                    below.chmod(0o700)
        shutil.rmtree(path)
    except OSError as error:
        raise AgentError(f"{path} cannot be removed: {error}") from error
