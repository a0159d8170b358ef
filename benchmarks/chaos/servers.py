"""A PostgreSQL cluster and a RabbitMQ node of the campaign's own, on free ports, killed and started again at will."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import psycopg

from tests.support.processes import free_port

START_SECONDS = 90.0


class Server(ABC):
    """One server process on a port of the loopback interface."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._log = folder.parent / f"{folder.name}.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()
        self._closed = False

    @abstractmethod
    def _command(self) -> tuple[list[str], dict[str, Any]]:
        """Return the argv and what Popen needs beside."""

    @abstractmethod
    def answers(self) -> bool:
        """Return True if it takes work."""

    def start(self) -> None:
        """Start it, and return when it answers."""
        argv, options = self._command()
        with self._guard, self._log.open("ab") as log:
            if self._closed:
                raise RuntimeError(f"{self.name} is not started: the campaign is over")
            self._child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._child.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text("utf-8", "replace")[-3000:]
                raise RuntimeError(f"{self.name} did not start:\n{said}")
            time.sleep(0.1)

    def close(self, number: signal.Signals) -> None:
        """End it for good."""
        with self._guard:
            self._closed = True
        self.end(number)

    def end(self, number: signal.Signals) -> None:
        """Send it a signal, and return when it and its group are gone."""
        if self._child is None:
            return
        if self._child.poll() is None:
            if number is signal.SIGKILL:
                os.killpg(self._child.pid, number)
            else:
                self._child.send_signal(number)
        self._child.wait(60)
        self._child = None


class Postgres(Server):
    """A cluster whose superuser is `moonmind`; reached without a password, from this machine only."""

    name = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._programs = _postgres_programs()
        self._user = "postgres" if os.geteuid() == 0 else None
        folder.mkdir()
        if self._user is not None:
            shutil.chown(folder, self._user, self._user)
        made = subprocess.run(
            [str(self._programs / "initdb"), "-D", str(folder), "-U", "moonmind", "-A", "trust", "-E", "UTF8",
             "--locale=C"],
            user=self._user, group=self._user, capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        if made.returncode != 0:
            sys.exit(f"initdb failed:\n{made.stderr[-2000:]}")

    def url(self, port: int | None = None) -> str:
        """Return the database's URL, by way of another port where one is named."""
        return f"postgresql://moonmind@127.0.0.1:{port or self.port}/postgres"

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        argv = [str(self._programs / "postgres"), "-D", str(self.folder)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return argv, {"user": self._user, "group": self._user, "cwd": "/"}

    def answers(self) -> bool:
        """Return True if a statement gets its answer."""
        try:
            with psycopg.connect(self.url(), connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True


class RabbitMQ(Server):
    """A node without plugins and without the port mapper, so that no daemon is left behind."""

    name = "RabbitMQ"

    def __init__(self, folder: Path, configuration: str = "") -> None:
        super().__init__(folder)
        folder.mkdir()
        (folder / "plugins").write_text("[].")
        (folder / "rabbitmq.conf").write_text(configuration)
        self._distribution = free_port()

    def url(self, port: int | None = None) -> str:
        """Return the broker's URL, by way of another port where one is named."""
        return f"amqp://guest:guest@127.0.0.1:{port or self.port}//"

    def environment(self) -> dict[str, str]:
        """Return what names this node to RabbitMQ's own programs."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"chaos{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-start_epmd false -erl_epmd_port {self._distribution}",
            "RABBITMQ_CTL_ERL_ARGS": f"-start_epmd false -erl_epmd_port {self._distribution} -dist_listen false",
        }

    def control(self, *words: str) -> str:
        """Run `rabbitmqctl` on this node."""
        done = subprocess.run(
            [str(_rabbitmq_programs() / "rabbitmqctl"), *words],
            env=self.environment(), capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl {' '.join(words)}: {done.stderr[-1000:]}")
        return done.stdout

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        return [str(_rabbitmq_programs() / "rabbitmq-server")], {"env": self.environment(), "cwd": self.folder}

    def answers(self) -> bool:
        """Return True if it greets who connects: its port opens last."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as line:
                line.settimeout(5)
                line.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(line.recv(1))
        except OSError:
            return False


def _postgres_programs() -> Path:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda place: int(place.parts[-3]))
    found = str(places[-1]) if places else shutil.which("initdb")
    if found is None:
        sys.exit("initdb is missing; install PostgreSQL's server.")
    return Path(found).parent


def _rabbitmq_programs() -> Path:
    place = Path("/usr/lib/rabbitmq/bin")
    found = place if (place / "rabbitmq-server").exists() else None
    if found is None and (program := shutil.which("rabbitmq-server")) is not None:
        found = Path(program).resolve().parent
    if found is None:
        sys.exit("rabbitmq-server is missing; install RabbitMQ.")
    return found
