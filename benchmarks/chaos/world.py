"""The processes under attack: all started by the campaign, restarted when they die, and ended by their own ids."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx
from sqlalchemy import Engine, create_engine, select

from benchmarks import stand
from benchmarks.chaos import plugin
from benchmarks.chaos.forge_server import ForgeServer
from benchmarks.chaos.members import TWO_WORKERS, Member, Worker, worker_is_ready
from benchmarks.chaos.servers import Postgres, RabbitMQ
from moonmind.db.tables import installation
from tests.support.processes import Process, alive, free_port
from tests.support.tcp_proxy import TcpProxy

READY_SECONDS = 120.0
DISK = "96m"
"""The size of the file system under the artifacts, where one may be mounted."""


class World:
    """A folder, a database, a broker, a forge, and the members of one installation."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *,
        full: bool = True,
        seed: int = 1,
        workers: Sequence[Worker] = TWO_WORKERS,
        forge: ForgeServer | None = None,
        broker_settings: str = "",
    ) -> None:
        self.folder = folder
        self.full = full
        self.chance = random.Random(seed + 1)
        self.forge = forge or ForgeServer(seed + 2)
        self._workers = workers
        self._broker_settings = broker_settings
        self.state = folder / "state"
        self.repositories = folder / "repositories"
        self.work = folder / "work"
        self.artifacts = folder / "artifacts"
        self.starts = folder / "agent-starts"
        self.port = free_port()
        self.members: list[Member] = []
        self.disk_limited = False
        self._closing = threading.Event()
        self._guard = threading.RLock()
        self._stack = ExitStack()
        self.postgres: Postgres | None = None
        self.broker: RabbitMQ | None = None
        self.database_line: TcpProxy | None = None
        self.broker_line: TcpProxy | None = None
        folder.chmod(0o711)  # PostgreSQL runs as a user of its own, and has to pass
        for place in (self.work, self.artifacts, folder / "home", folder / "plugins"):
            place.mkdir()
        plugin.install(folder / "plugins")
        self.env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),
            "PYTHONPATH": f"{folder / 'plugins'}:{stand.ROOT}",
            "MOONMIND_STATE_DIR": str(self.state),
            "MOONMIND_VAR_DIR": str(self.work / "var"),
            "MOONMIND_LOCAL_REPOS": str(self.repositories),
            "SPEC_WORKFLOW_ARTIFACT_ROOT": str(self.artifacts),
            "MOONMIND_LOG_FORMAT": "json",
            "MOONMIND_AGENT": plugin.NAME,
            "MOONMIND_FORGE": plugin.NAME,
            "GITHUB_API_URL": self.forge.url,
            "GITHUB_SERVER_URL": self.forge.url,
            plugin.STARTS: str(self.starts),
            **settings,
        }
        self.engine: Engine
        self._mark = b""
        """The installation's id, which all its jobs carry; there are none before there is one."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.forge)
            self._mount(stack)
            if self.full:
                self._start_servers(stack)
            else:
                self.env["DATABASE_URL"] = f"sqlite:///{self.work / 'moonmind.db'}"
            stack.callback(self._end_members)
            self._add_members()
            for member in self.members:
                if not member.held:
                    self._start(member)
            # Asked before each use: its connections die with the server.
            self.engine = create_engine(self._own_url(), pool_pre_ping=True)
            stack.callback(self.engine.dispose)
            for member in self.members:
                if not member.held:
                    self.await_ready(member)
            with self.engine.connect() as connection:
                self._mark = str(connection.execute(select(installation.c.id)).scalar_one()).encode()
            threading.Thread(target=self._watch, name="watch", daemon=True).start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Return the API's address."""
        return f"http://127.0.0.1:{self.port}"

    # --- members

    def member(self, name: str) -> Member:
        """Find a member."""
        return next(one for one in self.members if one.name == name)

    def kill(self, member: Member) -> None:
        """End a member and its group, as a power cut would; it is started again soon."""
        with self._guard:
            member.ready = False
            if member.process is not None and member.process.alive:
                os.killpg(member.process.pid, signal.SIGKILL)

    def start(self, name: str) -> Member:
        """Start a member that was held back, and return when it works."""
        member = self.member(name)
        with self._guard:
            member.held = False
            self._start(member)
        self.await_ready(member)
        return member

    def hold(self, member: Member) -> None:
        """End a member for good."""
        member.held = True
        self.kill(member)

    def logs(self, name: str = "") -> str:
        """Return what the members of a name, or all, have said since their first start."""
        places = sorted(self.folder.glob(f"{name}*-[0-9]*.log"))
        return "\n".join(place.read_text("utf-8", "replace") for place in places)

    def await_ready(self, member: Member, seconds: float = READY_SECONDS) -> None:
        """Wait until a member works, as its supervisor would see it."""
        deadline = time.monotonic() + seconds
        while not member.ready:
            if time.monotonic() > deadline:
                said = member.process.text()[-3000:] if member.process else ""
                raise RuntimeError(f"{member.name} did not become ready:\n{said}")
            process = member.process
            member.ready = process is not None and process.alive and member.is_ready(process)
            time.sleep(0.1)

    def _start(self, member: Member) -> None:
        if self._closing.is_set():
            raise RuntimeError(f"{member.name} is not started: the campaign is over")
        member.started += 1
        member.ready = False
        member.process = Process(
            [sys.executable, "-m", *member.argv],
            env={**self.env, **member.env},
            cwd=self.work,
            log=self.folder / f"{member.name}-{member.started}.log",
        )

    def _watch(self) -> None:
        """Start again what died, after a second or so: what systemd or an orchestrator does."""
        due: dict[str, float] = {}
        while not self._closing.wait(0.1):
            for member in self.members:
                process = member.process
                if process is None or process.alive or member.held:
                    continue
                member.ready = False
                when = due.setdefault(member.name, time.monotonic() + self.chance.uniform(0.3, 2.0))
                if time.monotonic() >= when:
                    del due[member.name]
                    with self._guard:
                        if not self._closing.is_set():
                            self._start(member)

    def _end_members(self) -> None:
        with self._guard:
            self._closing.set()
            for member in self.members:
                if member.process is not None and member.process.alive:
                    os.killpg(member.process.pid, signal.SIGCONT)
                    member.process.kill()
        for pid in self.jobs_alive():
            os.kill(pid, signal.SIGKILL)

    def jobs_alive(self) -> list[int]:
        """List the supervisors and agents of this installation that run: all carry its id."""
        found = []
        mark = self._mark
        ours = {member.process.pid for member in self.members if member.process is not None}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                about = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
                group = os.getpgid(int(place.name))
            except (OSError, ValueError):
                continue  # it ended while we looked, or is not ours
            if mark and mark in about and group not in ours and group != os.getpgid(0) and alive(int(place.name)):
                found.append(int(place.name))
        return found

    def _add_members(self) -> None:
        api = ("uvicorn", "api_service.main:app", "--port", str(self.port), "--log-level", "warning")
        if not self.full:
            up = ("moonmind.cli.main", "up", "--port", str(self.port))
            self.members.append(Member("embedded", up, self._api_answers))
            return
        celery = ("celery", "-A", "moonmind.workflows.speckit_celery.tasks")
        queue = self.env["SPEC_WORKFLOW_CODEX_QUEUE"]
        stand.once(["alembic", "-c", str(stand.ROOT / "alembic.ini"), "upgrade", "head"], self.env, self.folder)
        self.members.append(Member("api", api, self._api_answers))
        for one in self._workers:
            options = ("-Q", queue, "--loglevel=info", f"--pool={one.pool}", "-c", str(one.concurrency))
            argv = (*celery, "worker", *options, f"--hostname={one.name}@%h")
            self.members.append(Member(one.name, argv, worker_is_ready, one.env, held=not one.starts))

    def _api_answers(self, _: Process) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    # --- what it stands on

    def _start_servers(self, stack: ExitStack) -> None:
        self.postgres, self.broker = (
            Postgres(self.folder / "postgres"),
            RabbitMQ(self.folder / "rabbitmq", self._broker_settings),
        )
        stack.callback(self.postgres.close, signal.SIGQUIT)
        self.postgres.start()
        stack.callback(self.broker.close, signal.SIGKILL)
        self.broker.start()
        self.database_line = stack.enter_context(TcpProxy("127.0.0.1", self.postgres.port))
        self.broker_line = stack.enter_context(TcpProxy("127.0.0.1", self.broker.port))
        self.env["DATABASE_URL"] = self.postgres.url(self.database_line.port)
        self.env["CELERY_BROKER_URL"] = self.broker.url(self.broker_line.port)
        self.env["SPEC_WORKFLOW_CODEX_QUEUE"] = "chaos"

    def _mount(self, stack: ExitStack) -> None:
        """Put the artifacts on a small file system of their own, where we may: a full disk is one of the faults."""
        if os.geteuid() != 0:
            return
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(self.artifacts)]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            self.disk_limited = True
            stack.callback(subprocess.run, ["umount", "--lazy", str(self.artifacts)], check=True)

    def _own_url(self) -> str:
        if self.postgres is not None:
            return self.postgres.url().replace("postgresql://", "postgresql+psycopg://")
        return self.env["DATABASE_URL"]
