"""Asked to end while a stage works: the process gives its leases back in time, and the run goes on elsewhere."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import git_repos
from tests.support.engines import ENGINES, TEST_MODE, Engine, assert_published_once, engine_of, make_sample
from tests.support.waiting import PATIENCE, until

WITHIN = 10.0
"""Docker kills ten seconds after it asked. A lease lasts six times as long: waiting for its end would not do."""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine in test mode whose leases are as long as in production."""
    with engine_of(request.param, request, TEST_MODE) as made:
        yield made


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Path]:
    """Lets the first push end, at the latest with the test."""
    place = tmp_path / "release"
    yield place
    place.touch()


def slow_first_push(engine: Engine, reached: Path, release: Path) -> None:
    """Let the first push hang at its forge until it is released, and every later one go through."""
    script = f"[ -e {reached} ] && exit 0; touch {reached}; while [ ! -e {release} ]; do sleep 0.05; done; exit 1"
    git_repos.install_hook(make_sample(engine.team), "pre-receive", script)


def types(engine: Engine, run_id: str) -> list[str]:
    return [event["type"] for event in engine.team.events(run_id)]


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.in_every_run(1)
def test_a_process_that_is_asked_to_end_gives_back_what_a_slow_stage_holds(
    engine: Engine, tmp_path: Path, release: Path, ask: signal.Signals
) -> None:
    reached = tmp_path / "reached"
    slow_first_push(engine, reached, release)
    first = engine.start()
    run_id = engine.team.create()
    until(reached.exists, "the push", 60)
    asked = time.monotonic()
    first.send(ask)
    if engine.embedded:
        # Its threads are the stage's: it does not wait for them to be gone.
        assert first.wait(WITHIN) == 0, first.text()
    else:
        until(lambda: "lease.returned" in types(engine, run_id), "the lease's return", WITHIN, pause=0.2)
    assert time.monotonic() - asked < WITHIN
    engine.start()
    run = engine.team.succeed(run_id)
    assert not release.exists()
    assert_published_once(engine.team, run)
    happened = types(engine, run_id)
    assert (happened.count("lease.returned"), happened.count("lease.expired")) == (1, 0)
    release.touch()
    if not engine.embedded:
        # Celery says 1 when it was interrupted, however well it ended.
        assert first.wait(PATIENCE) == (0 if ask is signal.SIGTERM else 1), first.text()
    assert_published_once(engine.team, engine.team.show(run_id))
    assert "Traceback" not in first.text()
