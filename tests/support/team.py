"""A MoonMind of real processes: embedded, or API and workers on RabbitMQ and a real database."""

import json
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from moonmind.adapters.supervisor import kernel
from tests.support import stranger
from tests.support.processes import PYTHON, ROOT, Process, free_port, processes_of
from tests.support.waiting import until

TERMINAL = {"succeeded", "failed", "no_work", "cancelled"}
RUNS = "/api/workflows/speckit/runs"


class Team:
    """Starts and kills processes of one installation, and talks to its API as a user does.

    They are `user`'s, as a server's often are, whose Python is the system's; see `stranger`.
    """

    def __init__(self, folder: Path, user: int | None = None, /, **settings: str) -> None:
        self.folder = folder
        self.user = user
        self.python = PYTHON if user is None else stranger.PYTHON
        self.work = folder / "work"
        self.state = folder / "state"
        self.repositories = folder / "repositories"
        self.work.mkdir(parents=True)
        (folder / "home").mkdir()
        self.port = free_port()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT) if user is None else stranger.PYTHONPATH,
            "MOONMIND_STATE_DIR": str(self.state),
            "MOONMIND_LOCAL_REPOS": str(self.repositories),
            "MOONMIND_LOG_FORMAT": "json",
            "MOONMIND_SANDBOX": "none",
            # Most of these tests are about something else; those of verification turn it on.
            "MOONMIND_VERIFICATION": "off",
            # Short where a test would wait: the paces are settings, their effect is the same.
            "MOONMIND_SWEEP_SECONDS": "0.5",
            **settings,
        }
        self.processes: list[Process] = []
        self.hand_over()

    def hand_over(self) -> None:
        """Let everything in the folder be the user's whose processes run."""
        if self.user is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.user, self.user, follow_symlinks=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, *argv: str, **env: str) -> Process:
        log = self.folder / f"{name}-{len(self.processes)}.log"
        process = Process([self.python, "-m", *argv], env={**self.env, **env}, cwd=self.work, log=log, user=self.user)
        self.processes.append(process)
        return process

    def migrate(self) -> None:
        done = self.start("migrate", "alembic", "-c", str(ROOT / "alembic.ini"), "upgrade", "head")
        assert done.wait(60) == 0, done.text()

    def up(self) -> Process:
        """Start the embedded MoonMind and wait until it answers."""
        process = self.start("up", "moonmind.cli.main", "up", "--port", str(self.port))
        self.await_api(process)
        return process

    def api(self) -> Process:
        process = self.start("api", "uvicorn", "api_service.main:app", "--port", str(self.port))
        self.await_api(process)
        return process

    def worker(self, *options: str, **env: str) -> Process:
        queue = self.env.get("SPEC_WORKFLOW_CODEX_QUEUE", "codex")
        number = len(self.processes)
        process = self.start(
            "worker", "celery", "-A", "moonmind.workflows.speckit_celery.tasks", "worker", "-Q", queue,
            "--loglevel=info", f"--hostname=codex{number}-{self.port}@%h", *options, **env,
        )  # fmt: skip
        until(lambda: "ready." in process.text() or not process.alive, "the worker", 60)
        assert process.alive, process.text()[-4000:]
        return process

    def await_api(self, process: Process) -> None:
        def answers() -> bool:
            assert process.alive, process.text()[-4000:]
            try:
                return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
            except httpx.TransportError:
                return False

        until(answers, "the API", 60)

    # --- as a user ----------------------------------------------------------------------------------------------

    def post(self, path: str = "", **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{RUNS}{path}", json=body, timeout=30)

    def create(self, repository: str = "moonmind/spec-kit-reference", **body: Any) -> str:
        answer = self.post(repository=repository, **body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def ask(self, repository: str) -> str:
        """Ask for a run of a server that may die before it answers; returns the key of the request."""
        key = str(uuid.uuid4())
        with suppress(httpx.TransportError):
            self._ask(repository, key)
        return key

    def asked(self, repository: str, key: str) -> str:
        """Repeat a request of `ask`, and give its one run."""
        answer = self._ask(repository, key)
        assert answer.status_code in {200, 202}, answer.text
        return str(answer.json()["id"])

    def _ask(self, repository: str, key: str) -> httpx.Response:
        return httpx.post(
            f"{self.url}{RUNS}", json={"repository": repository}, headers={"Idempotency-Key": key}, timeout=30
        )

    def show(self, run_id: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}{RUNS}/{run_id}", timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def events(self, run_id: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}{RUNS}/{run_id}/events", params={"limit": 1000}, timeout=30)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return list(body["items"] if isinstance(body, dict) else body)

    def await_run(
        self, run_id: str, condition: Callable[[dict[str, Any]], bool], what: str, seconds: float = 60
    ) -> dict[str, Any]:
        last: dict[str, Any] = {}

        def seen() -> bool:
            last.update(self.show(run_id))
            met = condition(last)
            # An ended run changes no more: what has not come by then never will.
            assert met or last["status"] not in TERMINAL, f"the run ended before {what}"
            return met

        try:
            until(seen, what, seconds, pause=0.1)
        except AssertionError as error:
            logs = "\n".join(f"--- {p.log.name}\n{p.text()[-3000:]}" for p in self.processes)
            raise AssertionError(f"{error}\n{json.dumps(last, indent=1)}\n{logs}") from None
        return last

    def finish(self, run_id: str, seconds: float = 90) -> dict[str, Any]:
        """Wait for the run's end and give it."""
        return self.await_run(run_id, lambda run: run["status"] in TERMINAL, "the run's end", seconds)

    def succeed(self, run_id: str, seconds: float = 90) -> dict[str, Any]:
        run = self.finish(run_id, seconds)
        assert run["status"] == "succeeded", json.dumps(run, indent=1)
        return run

    # --- what is outside ----------------------------------------------------------------------------------------

    def bare(self, repository: str = "moonmind/spec-kit-reference") -> Path:
        return self.repositories / f"{repository}.git"

    def pulls(self, repository: str = "moonmind/spec-kit-reference") -> dict[str, Any]:
        place = self.repositories / f"{repository}.pulls.json"
        return dict(json.loads(place.read_text())) if place.exists() else {"creates": 0, "pulls": []}

    def handle(self, run_id: str, attempt: int = 1) -> dict[str, Any] | None:
        """Read the supervisor's note on the agent it runs for the run's submit attempt."""
        place = self.state / "jobs" / run_id / f"submit-{attempt}" / "handle.json"
        return dict(json.loads(place.read_text())) if place.exists() else None

    def artifacts(self, run_id: str) -> Path:
        return self.work / "var/artifacts/spec_workflows" / run_id

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()

    def cut(self) -> None:
        """End everything that runs here, agents included, as a power cut would."""
        self.stop()
        # Supervisors before their agents: nobody is left to note how an agent ended.
        _end_supervisors(self.state)
        for line in processes_of(str(self.folder)):
            with suppress(ProcessLookupError):
                os.kill(int(line.partition(":")[0]), signal.SIGKILL)
        until(lambda: not processes_of(str(self.folder)), "the end of all processes")


@contextmanager
def team(user: int | None = None, /, **settings: str) -> Iterator[Team]:
    """Return a team in a folder outside of the temporary one, where MoonMind refuses to keep agents' homes."""
    folder = Path(tempfile.mkdtemp(prefix="moonmind-test-", dir="/var/tmp"))
    made = Team(folder, user, **settings)
    try:
        yield made
    finally:
        made.stop()
        _end_supervisors(made.state)
        # A git that a killed process left may still be writing.
        until(lambda: _removed(folder), f"the removal of {folder}")


def _removed(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _end_supervisors(state: Path) -> None:
    """End agents that a failed test left, by the ids that their supervisors wrote down in this boot.

    A job may have ended long ago, or on another machine: its number is another process's by now.
    """
    for note in state.rglob("jobs/*/*/handle.json"):
        body = json.loads(note.read_text())
        if body.get("boot") == kernel.boot_id():
            for pid, started in (("pid", "started"), ("agent_pid", "agent_started")):
                kernel.Process(body[pid], body[started]).signal(signal.SIGKILL)


def rabbitmq_url() -> str:
    """Return the broker that the tests may use, or skip."""
    url = os.environ.get("MOONMIND_TEST_AMQP_URL")
    if not url:
        pytest.skip("MOONMIND_TEST_AMQP_URL is not set; script/services prints it")
    return url


def new_queue() -> str:
    return f"codex-test-{uuid.uuid4().hex[:10]}"
