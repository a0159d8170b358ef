"""What the tests of the printed pages share: the one queue that they name."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.adapters.files import locked


@pytest.fixture
def printed_queue() -> Iterator[None]:
    """Have the queue `codex` to oneself: the quickstart names it, and a neighbour's worker would take our messages."""
    with locked(Path(tempfile.gettempdir()) / "moonmind-test-queue-codex.lock", 300.0):
        yield
