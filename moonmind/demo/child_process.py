"""Run MoonMind as a child process in a folder of its own: started, waited for until it is ready, ended for certain."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
from pydantic import AliasChoices

import moonmind
from moonmind.errors import Unavailable
from moonmind.runtime import server_file
from moonmind.settings import Settings, ambient_environment

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.05
_TAIL_LINES = 15


class Child:
    """A `moonmind up` of our own, in embedded test mode, on a free port of this machine."""

    def __init__(self, folder: Path, state_dir: Path) -> None:
        self._folder = folder
        self._state_dir = state_dir
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "moonmind.log"

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start the child; inside the `with`, so that an interrupt at any moment finds it."""
        _stop_earlier(self._folder)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "moonmind.cli.main", "up", "--port", "0"],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends its child in order
            )

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def url(self) -> str:
        """Wait until the child answers and give its address; raises Unavailable with the end of its log."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            self.check()
            server = server_file.find(self._folder)
            ours = server is not None and self._process is not None and server.pid == self._process.pid
            if server is not None and ours and _answers(server.url):
                return server.url
            time.sleep(_LOOK_SECONDS)
        raise Unavailable(
            f"MoonMind did not start within {_READY_SECONDS:.0f} s{self._said()}", remediation=self._advice()
        )

    def check(self) -> None:
        """Raise Unavailable, with the end of the log, if the child has ended by itself."""
        code = self._process.poll() if self._process is not None else None
        if code is not None:
            raise Unavailable(f"MoonMind exited with {code}{self._said()}", remediation=self._advice())

    def stop(self) -> None:
        """End the child: asked first, forced if it does not listen. Returns when it is gone."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        with undisturbed():
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _environment(self) -> dict[str, str]:
        ours = _setting_names()
        kept = {name: value for name, value in ambient_environment().items() if name.upper() not in ours}
        package = str(Path(moonmind.__file__).parents[1])
        paths = [package, *filter(None, [kept.get("PYTHONPATH")])]
        return kept | {
            "PYTHONPATH": ":".join(paths),  # finds this very MoonMind, installed or not
            "MOONMIND_ENV_FILE": os.devnull,  # no `.env` is read
            "MOONMIND_VAR_DIR": str(self._folder),
            "MOONMIND_STATE_DIR": str(self._state_dir),
            "MOONMIND_LOCAL_REPOS": str(self._folder / "repositories"),
            "SPEC_WORKFLOW_ARTIFACT_ROOT": str(self._folder / "artifacts"),
            "SPEC_WORKFLOW_TEST_MODE": "1",
            "MOONMIND_LOG_FORMAT": "console",
            "NO_COLOR": "1",
        }

    def _said(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        tail = "".join(f"\n    {line}" for line in lines[-_TAIL_LINES:])
        return f". Its log ends with:{tail}" if tail else ""

    def _advice(self) -> str:
        return f"Read the whole log: {self.log}"


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let an impatient second Ctrl-C pass while things are being ended; what is inside has to be bounded in time."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _stop_earlier(folder: Path) -> None:
    """End the server of an earlier demo that was killed before it could; the caller holds the folder's lock."""
    server = server_file.find(folder)
    if server is None:
        return
    for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
        _send(server.pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            # It holds the folder's lock until its very end.
            if not server_file.lives(server):
                return
            time.sleep(_LOOK_SECONDS)
    raise Unavailable(
        f"the server of an earlier demo does not stop (process {server.pid})", remediation=f"kill -9 {server.pid}"
    )


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended just now


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _setting_names() -> frozenset[str]:
    """List the names of all settings: a demo is the same whatever the shell around it is set to."""
    names: set[str] = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            names |= {choice for choice in alias.choices if isinstance(choice, str)}
        else:
            names.add(alias if isinstance(alias, str) else name)
    return frozenset(names)
