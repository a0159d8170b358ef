"""Short seeds of the campaigns; the long ones are run by their own commands, as docs/reliability.md says."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import PYTHON, ROOT

pytestmark = pytest.mark.timeout(600)


def servers_are_installed() -> bool:
    """Return True if the campaigns find the programs of the servers that they start themselves."""
    rabbitmq = Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists() or shutil.which("rabbitmq-server")
    return bool(rabbitmq and (list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb")))


SERVERS = pytest.mark.skipif(not servers_are_installed(), reason="the programs of PostgreSQL and RabbitMQ are not here")


def run(*words: str) -> list[dict[str, Any]]:
    """Run a campaign; returns the objects that it prints, and fails with them where it says that a promise was broken."""
    done = subprocess.run([PYTHON, "-m", *words, "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


@SERVERS
@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_chaos_among_processes_and_servers_loses_and_doubles_nothing() -> None:
    (figures,) = run("benchmarks.chaos", "--profile=full", "--runs=10", "--faults=6", "--seed=1", "--lease=6")
    assert (figures["runs"], figures["lost"], figures["stuck"]) == (10, 0, 0)
    assert sum(figures["kills"].values()) >= 3


@pytest.mark.full
@pytest.mark.sqlite
def test_an_engine_that_is_killed_again_and_again_loses_and_doubles_nothing() -> None:
    (figures,) = run("benchmarks.chaos", "--profile=embedded", "--runs=12", "--faults=9", "--seed=7", "--lease=6")
    assert (figures["runs"], figures["lost"], figures["stuck"]) == (12, 0, 0)
    assert figures["kills"]["embedded"] >= 4


@pytest.mark.full
@SERVERS
@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_cancels_at_every_moment_and_floods_of_messages_leave_nothing_behind() -> None:
    found = {each["trial"]: each for each in run("benchmarks.trials", "cancels", "storm", "--scale=0.15")}
    assert found["cancels"]["runs"]["cancelled"] >= 5
    assert found["storm"]["messages"] > 100
