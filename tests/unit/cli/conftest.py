"""What the terminal's tests share: the container's double, and a way to run a command line against it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.cli.main import main
from moonmind.sample import source
from moonmind.settings import Settings
from tests.support.terminal import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Settings(artifact_root=tmp_path))


@pytest.fixture
def moonmind(session: Session) -> Callable[..., int]:
    """Run one command line against the double, in this process."""

    def call(*arguments: str) -> int:
        return main(arguments, connect=lambda: session)

    return call


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The packaged sample as a folder on the disk."""
    for path, content in source.files().items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return tmp_path
