from collections.abc import Callable

import pytest

from moonmind import wire
from moonmind.cli.worker_presence import Attendance, warn_if_alone
from moonmind.errors import RunActive
from moonmind.runs.machine import RunStatus
from moonmind.wire import SpecWorkflowRun
from tests.support.terminal import NOW, Runs, Session, a_run

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
ID = "11111111-2222-4333-8444-555555555555"


class Busy(Runs):
    """Another run works on everything."""

    def create(self, body: wire.CreateRun, *, idempotency_key: str | None = None) -> SpecWorkflowRun:
        raise RunActive("another run works on it")


class Asked(Runs):
    """A cancelled run waits for its agent to be stopped."""

    def cancel(self, run_id: object) -> SpecWorkflowRun:
        return a_run(1, cancel_requested_at=NOW)


def test_a_queued_run_without_a_server_is_said_plainly(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    warn_if_alone(session)
    assert capsys.readouterr().err == ""
    session.found = None
    warn_if_alone(session)
    assert capsys.readouterr().err == "No worker is online: start one with `moonmind up`; the run is saved and waits.\n"


def test_with_a_broker_the_missing_workers_are_named(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.settings = session.settings.model_copy(update={"broker_url": "amqp://guest@localhost//"})
    warn_if_alone(session)
    assert capsys.readouterr().err == ""
    session.found = None
    warn_if_alone(session)
    assert "start a worker" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [("run", "a/b", "--watch"), ("show", ID, "--watch"), ("logs", ID, "-f"), ("show", ID, "--watch", "--json")],
)
def test_whoever_follows_a_run_that_nobody_works_on_is_told_once(
    moonmind: Command, session: Session, capsys: Capture, arguments: tuple[str, ...]
) -> None:
    session.found = None
    session.runs.add(a_run(1), a_run(1), a_run(2), a_run(5))
    moonmind(*arguments)
    assert capsys.readouterr().err.count("No worker is online") == 1


def test_a_change_is_said_and_only_a_change(session: Session, capsys: Capture) -> None:
    attendance, server = Attendance(session, pace=0.0), session.found
    for found in (server, None, None, server, server, None):
        session.found = found
        attendance.look()
    said = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ["No worker is online", "A worker is online again", "No worker is online"]


def test_between_two_looks_nobody_is_asked(session: Session, capsys: Capture) -> None:
    attendance = Attendance(session)
    attendance.look()
    session.found = None
    attendance.look()
    assert capsys.readouterr().err == ""


def test_a_run_that_is_shown_or_retried_and_waits_for_nobody_says_so(
    moonmind: Command, session: Session, capsys: Capture
) -> None:
    session.found = None
    session.runs.add(a_run(1))
    assert moonmind("show", ID) == 0
    assert "No worker is online" in capsys.readouterr().err
    session.runs.add(a_run(2, status=RunStatus.FAILED, completed_at=NOW))
    assert moonmind("retry", ID) == 0
    assert "No worker is online" in capsys.readouterr().err


def test_a_run_that_has_ended_needs_nobody(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.found = None
    session.runs.add(a_run(5))
    assert moonmind("show", ID) == 0
    assert moonmind("show", ID, "--watch") == 0
    assert capsys.readouterr().err == ""


def test_an_active_run_that_nobody_works_on_is_no_run_to_wait_for(
    moonmind: Command, session: Session, capsys: Capture
) -> None:
    session.found, session.runs = None, Busy()
    assert moonmind("run", "a/b") == 3
    assert capsys.readouterr().err.startswith("No worker is online")


def test_a_cancellation_that_nobody_sees_says_so(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.found, session.runs = None, Asked()
    session.runs.add(a_run(1))
    assert moonmind("cancel", ID) == 0
    out, err = capsys.readouterr()
    assert "is being cancelled" in out
    assert "No worker is online" in err
