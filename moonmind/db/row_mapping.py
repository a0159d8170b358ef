"""From rows to records, and the columns that each record is read from."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import Column, Row, Table

from moonmind.db import tables
from moonmind.runs.records import Artifact, Attempt, Cooldown, CredentialAudit, Event, Host, Run

AnyRow = Row[*tuple[Any, ...]]


def _columns(table: Table, record: type[Any]) -> list[Column[Any]]:
    return [table.c[field.name] for field in fields(record)]


RUN = _columns(tables.run, Run)
ATTEMPT = _columns(tables.attempt, Attempt)
EVENT = _columns(tables.event, Event)
ARTIFACT = _columns(tables.artifact, Artifact)
AUDIT = _columns(tables.credential_audit, CredentialAudit)
COOLDOWN = _columns(tables.cooldown, Cooldown)
HOST = _columns(tables.host, Host)


def run_of(row: AnyRow | None) -> Run | None:
    """Read a run, if there is one."""
    return None if row is None else Run(*row)


def runs_of(rows: Iterable[AnyRow]) -> list[Run]:
    """Read runs."""
    return [Run(*row) for row in rows]


def attempts_of(rows: Iterable[AnyRow]) -> list[Attempt]:
    """Read attempts."""
    return [Attempt(*row) for row in rows]
