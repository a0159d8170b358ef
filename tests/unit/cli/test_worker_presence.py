from collections.abc import Callable
from contextlib import closing
from uuid import UUID

import pytest

from moonmind import bootstrap
from moonmind.cli import run_commands
from moonmind.cli.worker_presence import Attendance, warn_if_alone
from moonmind.db.unit_of_work import Database
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import RunFilter
from moonmind.runtime.container import Container
from moonmind.settings import load_settings
from tests.support.databases import add_run, claim_run, register_host
from tests.support.terminal import Worker, end, succeed

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
ID = UUID("11111111-2222-4333-8444-555555555555")


def test_a_queued_run_without_a_worker_is_said_plainly(container: Container, worker: Worker, capsys: Capture) -> None:
    warn_if_alone(container)
    assert capsys.readouterr().err == ""
    worker.leave()
    warn_if_alone(container)
    assert (
        capsys.readouterr().err
        == "No worker is online; the run stays queued until one starts. Start one with `moonmind up`.\n"
    )


def test_with_a_broker_the_missing_workers_are_named(
    database: Database, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://guest@localhost//")
    with closing(bootstrap.build(load_settings(), publishes=False)) as container:
        warn_if_alone(container)
        assert "as the quickstart shows" in capsys.readouterr().err
        register_host(database)
        warn_if_alone(container)
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "a/b", "--watch"),
        ("show", str(ID), "--watch"),
        ("logs", str(ID), "-f"),
        ("show", str(ID), "--watch", "--json"),
    ],
)
def test_whoever_follows_a_run_that_nobody_works_on_is_told_once(
    moonmind: Command,
    database: Database,
    worker: Worker,
    meanwhile: Callable[..., None],
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setattr(run_commands, "attended", lambda: True)
    worker.leave()
    add_run(database, id=ID)

    def all_end() -> None:
        with database.read() as unit:
            runs = unit.runs.page(RunFilter(), 10)
        for run in runs:
            end(database, run.id, RunStatus.CANCELLED)

    meanwhile(lambda: None, lambda: None, all_end)
    moonmind(*arguments)
    assert capsys.readouterr().err.count("No worker is online") == 1


def test_a_change_is_said_and_only_a_change(container: Container, worker: Worker, capsys: Capture) -> None:
    attendance = Attendance(container, pace=0.0)
    for change in (worker.come, worker.leave, worker.leave, worker.come, worker.come, worker.leave):
        change()
        attendance.look()
    said = [line.split(";")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ["No worker is online", "A worker is online again", "No worker is online"]


def test_between_two_looks_nobody_is_asked(container: Container, worker: Worker, capsys: Capture) -> None:
    attendance = Attendance(container)
    attendance.look()
    worker.leave()
    attendance.look()
    assert capsys.readouterr().err == ""


def test_a_run_that_is_shown_or_retried_and_waits_for_nobody_says_so(
    moonmind: Command, database: Database, worker: Worker, capsys: Capture
) -> None:
    worker.leave()
    add_run(database, id=ID)
    assert moonmind("show", str(ID)) == 0
    assert "No worker is online" in capsys.readouterr().err
    assert moonmind("cancel", str(ID)) == 0
    assert moonmind("retry", str(ID)) == 0
    assert "No worker is online" in capsys.readouterr().err


def test_a_run_that_has_ended_needs_nobody(
    moonmind: Command, database: Database, worker: Worker, capsys: Capture
) -> None:
    worker.leave()
    succeed(database, id=ID)
    assert moonmind("show", str(ID)) == 0
    assert moonmind("show", str(ID), "--watch") == 0
    assert capsys.readouterr().err == ""


def test_an_active_run_that_nobody_works_on_is_no_run_to_wait_for(
    moonmind: Command, worker: Worker, capsys: Capture
) -> None:
    assert moonmind("run", "a/b") == 0
    assert capsys.readouterr().err == ""
    worker.leave()
    assert moonmind("run", "a/b") == 3
    assert capsys.readouterr().err.startswith("No worker is online")


def test_a_cancellation_that_nobody_sees_says_so(
    moonmind: Command, database: Database, worker: Worker, capsys: Capture
) -> None:
    worker.leave()
    claim_run(database, add_run(database, id=ID).id)
    assert moonmind("cancel", str(ID)) == 0
    out, err = capsys.readouterr()
    assert "is being cancelled" in out
    assert "No worker is online" in err
