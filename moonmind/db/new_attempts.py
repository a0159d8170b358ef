"""Opening further attempts."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert

from moonmind.db.tables import attempt
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState
from moonmind.runs.records import Attempt, Run


def newest(latest: Sequence[Attempt], stage: Stage) -> Attempt:
    """Return a stage's attempt out of the latest ones; every run has one of each stage."""
    return next(one for one in latest if one.stage == stage)


def successor(
    before: Attempt,
    changed: Run,
    *,
    checkpoint: Mapping[str, Any] | None,
    note: str | None,
    operator_retry: bool = False,
) -> dict[str, Any]:
    """Return the attempt that takes its turn next and resumes from the checkpoint."""
    fresh = _next(before, changed, AttemptState.RETRYING)
    return fresh | {
        "checkpoint": None if checkpoint is None else dict(checkpoint),
        "note": note,
        "operator_retry": operator_retry,
    }


def reopened(latest: Sequence[Attempt], changed: Run, after: Stage) -> list[dict[str, Any]]:
    """Make fresh attempts of the stages behind one, but for those whose turn never came."""
    return [
        _next(one, changed, AttemptState.WAITING)
        for one in latest
        if one.stage.position > after.position and one.state is not AttemptState.WAITING
    ]


def open_attempts(connection: Connection, attempts: Sequence[Mapping[str, Any]]) -> None:
    """Write new attempts."""
    if attempts:
        connection.execute(insert(attempt), list(attempts))


def _next(before: Attempt, changed: Run, state: AttemptState) -> dict[str, Any]:
    return {
        "run_id": before.run_id,
        "stage": before.stage,
        "number": before.number + 1,
        "state": state,
        "claims": 0,
        "checkpoint": None,
        "note": None,
        "operator_retry": False,
        "created_at": changed.updated_at,
    }
