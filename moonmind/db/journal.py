"""The event of a transition, written in the transition's own transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, update

from moonmind.db import row_mapping
from moonmind.db.clock import db_now, transaction_number
from moonmind.db.tables import event, run
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.records import Run

# Built once: naming some forty columns again for every statement costs as much as sending it.
_CHANGED = update(run).returning(*row_mapping.RUN)
_NEW_EVENT = insert(event)


def move(connection: Connection, *guards: Any, **values: Any) -> list[Run]:
    """Change the guarded runs and number the event of each change; zero rows: the guard did not hold."""
    statement = _CHANGED.where(*guards).values(event_seq=run.c.event_seq + 1, updated_at=db_now(), **values)
    return row_mapping.runs_of(connection.execute(statement))


def move_one(connection: Connection, *guards: Any, **values: Any) -> Run | None:
    """Change one guarded run, or none."""
    return next(iter(move(connection, *guards, **values)), None)


def record(
    connection: Connection,
    changed: Run,
    kind: EventType,
    data: Mapping[str, Any],
    stage: Stage | None = None,
    *,
    actor: str | None = None,
) -> None:
    """Write the event of one change; `changed` is the row as the change left it, `stage` the one it is about.

    `actor` names who asked for the change; None: the program went on by itself.
    """
    connection.execute(_NEW_EVENT.values(_event(changed, kind, data, stage, actor)))


def record_all(connection: Connection, changes: Sequence[tuple[Run, EventType, Mapping[str, Any]]]) -> None:
    """Write one event for each of several changes."""
    if changes:
        connection.execute(insert(event).values([_event(*change, None, None) for change in changes]))


def _event(
    changed: Run, kind: EventType, data: Mapping[str, Any], stage: Stage | None, actor: str | None
) -> dict[str, Any]:
    return {
        "run_id": changed.id,
        "seq": changed.event_seq,
        "type": kind,
        "stage": stage or changed.stage,
        "data": dict(data),
        "created_at": changed.updated_at,
        "transaction_number": transaction_number(),
        "actor": actor,
    }
