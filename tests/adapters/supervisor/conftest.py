from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.adapters.supervisor import kernel
from tests.adapters.supervisor.test_job import Bench
from tests.support.waiting import until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    if made.folder.handle.exists():
        made.folder.stop.touch()
        until(lambda: not made.folder.locked, "the supervisor's end")
        assert not kernel.Process(made.handle["agent_pid"], made.handle["agent_started"]).alive
