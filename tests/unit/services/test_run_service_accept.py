"""A person's word for findings that look like secrets: who may say it, of what, and where it is kept."""

from uuid import UUID

import pytest

from moonmind.errors import ErrorInfo, InvalidRequest
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Failed, RetryMode
from moonmind.wire import AcceptFindings, RetryRun
from tests.support.databases import claim_run
from tests.support.engine_room import EngineRoom

ONE, TWO, OTHER = "1" * 16, "2" * 16, "3" * 16


def stopped(room: EngineRoom, code: str = "secret_suspected") -> UUID:
    run = room.reach(Stage.APPLY)
    details = {"findings": [{"fingerprint": ONE}, {"fingerprint": TWO}]}
    room.reports(Stage.APPLY, Failed(ErrorInfo(code, "why", details=details)))
    room.execute(run, Stage.APPLY)
    return run.id


def accepting(*fingerprints: str, mode: RetryMode = RetryMode.RESUME_FAILED_TASK) -> RetryRun:
    return RetryRun(mode=mode, accept_findings=AcceptFindings(fingerprints=list(fingerprints), reason="a test's key"))


def test_what_is_accepted_reaches_the_stage_and_the_journal(room: EngineRoom) -> None:
    run_id = stopped(room)
    room.runs.retry(run_id, accepting(ONE))
    said = [{"fingerprint": ONE, "why": "a test's key"}]
    assert room.context(claim_run(room.database, run_id, Stage.APPLY)).checkpoint["accepted"] == said
    (event,) = [one for one in room.runs.events(run_id) if one.type == "run.retried"]
    assert event.data["accepted"] == said


def test_what_was_accepted_before_stays_accepted(room: EngineRoom) -> None:
    run_id = stopped(room)
    room.runs.retry(run_id, accepting(ONE))
    again = Failed(ErrorInfo("secret_suspected", "why", details={"findings": [{"fingerprint": TWO}]}))
    room.reports(Stage.APPLY, again)
    room.execute(room.read(run_id), Stage.APPLY)
    room.runs.retry(run_id, accepting(TWO))
    kept = room.context(claim_run(room.database, run_id, Stage.APPLY)).checkpoint["accepted"]
    assert [one["fingerprint"] for one in kept] == [ONE, TWO]


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("secret_suspected", accepting(OTHER)),
        ("secret_suspected", accepting(ONE, OTHER)),
        ("secret_suspected", accepting(ONE, mode=RetryMode.RESTART_FROM_DISCOVERY)),
        # What MoonMind's own credentials are is known for certain: nobody can accept that.
        ("secret_found", accepting(ONE)),
        ("patch_refused", accepting(ONE)),
    ],
)
def test_nothing_else_can_be_accepted(room: EngineRoom, code: str, body: RetryRun) -> None:
    run_id = stopped(room, code)
    with pytest.raises(InvalidRequest) as refusal:
        room.runs.retry(run_id, body)
    assert refusal.value.details["field"] == "acceptFindings"
