"""A reader of the quickstart: a copy of the checkout, its commands typed into bash, one Poetry and one Codex on PATH."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import codex_binary
from tests.support.page import Block
from tests.support.processes import ROOT, Process
from tests.support.team import TERMINAL, Team
from tests.support.waiting import until

_COPIED = (
    "moonmind",
    "api_service",
    "specs",
    "docs",
    "deploy",
    "README.md",
    "LICENSE",
    "alembic.ini",
    "pyproject.toml",
    "poetry.lock",
    "poetry.toml",
)


class Reader:
    """Types what a page says into the root of a checkout that nobody else uses."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.root = team.work
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.root / name)
        self._programs = programs = team.folder / "bin"
        programs.mkdir()
        # The environment of the checkout that the tests run from, until the page's own is installed.
        _script(programs / "poetry", [poetry(), "--project", str(ROOT)])
        codex = codex_binary()
        if codex is not None:
            (programs / "codex").symlink_to(codex)
        # What the page says is to be set is in `.env`; this is what makes the reader's machine.
        self.env = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": team.env["HOME"],
            "LANG": "C.UTF-8",
        }
        team.state = Path(team.env["HOME"]) / ".local/state/moonmind"

    def types(self, command: str, *, cwd: Path | None = None, seconds: float = 90) -> str:
        """Run a command to its end, which must be a good one, and give what it printed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=cwd or self.root, env=self.env, timeout=seconds,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def installs(self, command: str) -> None:
        """Run the page's installation here, into a virtual environment of this checkout's own.

        Not in the checkout that the tests run from: while its package is written again, no neighbour finds it.
        """
        _script(self._programs / "poetry", [poetry(), "--project", str(self.root)])
        self.types(command, seconds=240)
        assert (self.root / ".venv/bin/moonmind").exists()

    def leaves_running(self, name: str, command: str) -> Process:
        """Start a command in a terminal of its own."""
        log = self.team.folder / f"{name}.log"
        process = Process(["bash", "-c", f"exec {command}"], env=self.env, cwd=self.root, log=log)
        self.team.processes.append(process)
        return process


def asked(reader: Reader, block: Block, run_id: str = "") -> dict[str, Any]:
    """Type a curl of the page, with the port that is free here, and read the answer."""
    command = block.text.replace("localhost:8000", f"localhost:{reader.team.port}").replace("{run_id}", run_id)
    body, _, status = reader.types(f"{command.rstrip()} --write-out '\\n%{{http_code}}'").rpartition("\n")
    assert status == ("202" if "-X POST" in command else "200"), body
    answer: dict[str, Any] = json.loads(body)
    return answer


def ended(reader: Reader, block: Block, run_id: str, seconds: float = 60) -> dict[str, Any]:
    """Watch a run with the page's own curl until it has ended."""

    def over() -> dict[str, Any] | None:
        run = asked(reader, block, run_id)
        return run if run["status"] in TERMINAL else None

    return until(over, f"the end of run {run_id}", seconds, pause=0.3)


def await_worker(process: Process) -> None:
    """Wait until a worker takes messages."""
    until(lambda: "ready." in process.text() or not process.alive, "the worker", 60)
    assert process.alive, process.text()[-4000:]


def poetry() -> str:
    """Return the Poetry of this checkout; the test is skipped where there is none, but never in CI."""
    ours = ROOT / ".venv/bin/poetry"
    found = str(ours) if ours.exists() else shutil.which("poetry")
    if found is None:
        assert not os.environ.get("CI"), "there is no Poetry; script/bootstrap brings it along"
        pytest.skip("there is no Poetry; script/bootstrap brings it along")
    return found


def _script(place: Path, argv: list[str]) -> None:
    words = " ".join(f'"{word}"' for word in argv)
    place.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    place.chmod(0o755)
