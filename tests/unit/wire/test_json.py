"""How public values are written."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from pydantic import ValidationError

from moonmind import wire
from moonmind.errors import ErrorInfo
from moonmind.runs.machine import RunStatus

RUN = UUID("0f4c8d3a-4b55-4c6e-9d6f-1f1f5f1f7b11")


def a_run(created_at: datetime) -> wire.SpecWorkflowRun:
    return wire.SpecWorkflowRun(id=RUN, repository="a/b", status=RunStatus.NO_WORK, created_at=created_at)


def test_names_are_camel_case_and_statuses_are_words() -> None:
    written = json.loads(a_run(datetime(2026, 11, 22, tzinfo=UTC)).model_dump_json(by_alias=True))
    assert list(written)[:4] == ["id", "repository", "status", "createdAt"]
    assert written["status"] == "no_work"
    assert written["id"] == str(RUN)


def test_times_are_written_in_utc_with_a_z() -> None:
    east = timezone(timedelta(hours=2))
    written = json.loads(a_run(datetime(2026, 11, 22, 1, 30, 0, 250000, tzinfo=east)).model_dump_json(by_alias=True))
    assert written["createdAt"] == "2026-11-21T23:30:00.250000Z"


def test_a_time_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValidationError):
        a_run(datetime(2026, 11, 22))  # noqa: DTZ001 - the mistake itself


def test_what_was_written_is_read_back() -> None:
    run = a_run(datetime(2026, 11, 22, tzinfo=UTC))
    assert wire.SpecWorkflowRun.model_validate_json(run.model_dump_json(by_alias=True)) == run


def test_an_error_leaves_empty_parts_out() -> None:
    bare = wire.RunError.of(ErrorInfo("quota", "used up"))
    full = wire.RunError.of(ErrorInfo("quota", "used up", "Wait.", {"end": "quota"}))
    assert (bare.remediation, bare.details) == (None, None)
    assert (full.remediation, full.details) == ("Wait.", {"end": "quota"})
