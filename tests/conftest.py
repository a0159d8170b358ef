"""Shared fixtures: a clean environment for every test."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

pytest_plugins = [
    "tests.support.databases",
    "tests.support.further",
    "tests.support.marker_counts",
    "tests.support.trees",
    "tests.support.docker_engine",
]

_OURS = (
    "MOONMIND_",
    "SPEC_WORKFLOW_",
    "CELERY_",
    "CODEX_",
    "GITHUB_",
    "GH_",
    "DATABASE_URL",
    "OPENAI_",
    "GIT_",
    "SPECIFY_",
)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield an empty folder for each home: that of the test before, if nothing is in it."""
    folder = tmp_path_factory.mktemp("homes", numbered=False)
    return _empty(folder / str(number) for number in count())


def _empty(places: Iterator[Path]) -> Iterator[Path]:
    for place in places:
        place.mkdir(0o700)
        yield place
        while place.is_dir() and place.stat().st_mode & 0o777 == 0o700 and not any(place.iterdir()):
            yield place


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> None:
    """Keep the developer's own settings, home and `.env` out of every test."""
    for name in list(os.environ):
        if name.startswith(_OURS) and not name.startswith("MOONMIND_TEST_"):
            monkeypatch.delenv(name)
    # Sandboxes have tests of their own; all other tests would only wait for their walls.
    monkeypatch.setenv("MOONMIND_SANDBOX", "none")
    home = next(homes)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture(autouse=True)
def umask_as_it_was() -> Iterator[None]:
    """Put the umask back that a command changed which was called within this process."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
