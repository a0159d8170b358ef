"""What the terminal's tests share: an installation of their own, which the commands find by its settings."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from moonmind import bootstrap
from moonmind.cli.main import main
from moonmind.db.unit_of_work import Database
from moonmind.runtime.container import Container
from moonmind.sample import source
from moonmind.settings import load_settings
from tests.support.terminal import Worker


@pytest.fixture
def installation(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installation in test mode, with an empty database; the commands run in it."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": sqlite_url,
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "SPEC_WORKFLOW_ARTIFACT_ROOT": str(tmp_path / "artifacts"),
        "MOONMIND_STATE_DIR": str(tmp_path / "state"),
        "MOONMIND_LOCAL_REPOS": str(tmp_path / "repositories"),
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def database(installation: Path, sqlite_url: str) -> Iterator[Database]:
    """The rows behind the commands, for a test to put runs into the states that it needs."""
    made = Database(sqlite_url)
    yield made
    made.dispose()


@pytest.fixture
def container(database: Database) -> Iterator[Container]:
    """The container that a command builds."""
    with closing(bootstrap.build(load_settings(), publishes=False)) as built:
        yield built


@pytest.fixture
def worker(installation: Path) -> Iterator[Worker]:
    """A worker that is online until the test says otherwise."""
    with (installation / "moonmind.lock").open("w") as lock:
        made = Worker(lock)
        made.come()
        yield made


@pytest.fixture
def moonmind(worker: Worker, database: Database) -> Callable[..., int]:
    """Run one command line in this process."""
    return lambda *arguments: main(arguments)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let these things happen, one each time when a command waits between two looks."""

    def plan(*steps: Callable[[], object]) -> None:
        left = list(steps)
        monkeypatch.setattr("time.sleep", lambda _seconds: left.pop(0)())

    return plan


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The packaged sample as a folder on the disk."""
    for path, content in source.files().items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return tmp_path
