"""Kills at named places, armed one by one; the places are in `crash/sitecustomize.py`."""

from pathlib import Path

from tests.support.engines import Engine
from tests.support.processes import ROOT, Process
from tests.support.waiting import PATIENCE, until


class Crashes:
    """Arms places, and tells which ones have killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    @property
    def env(self) -> dict[str, str]:
        """Return what a process needs to be killed at an armed place."""
        return {
            "PYTHONPATH": f"{ROOT / 'tests/support/crash'}:{ROOT}",
            "MOONMIND_TEST_CRASHES": str(self._folder),
        }

    def arm(self, place: str) -> None:
        """Let the next process that comes by this place die there."""
        (self._folder / place).touch()

    def await_kill(self, process: Process, place: str) -> None:
        """Wait until the process died, and make sure that it did so there."""
        until(lambda: not process.alive, f"the kill {place}", 60)
        assert (self._folder / place).with_suffix(".done").exists(), process.text()[-4000:]


def killed_at(place: str, engine: Engine, folder: Path, repository: str) -> str:
    """Start an engine, let a new run take it to a place where it dies, and give the run."""
    crashes = Crashes(folder / "crashes")
    crashes.arm(place)
    first = engine.start(**crashes.env)
    run_id = engine.team.create(repository)
    crashes.await_kill(first, place)
    first.wait(PATIENCE)
    return run_id
