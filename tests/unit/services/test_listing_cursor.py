import base64
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import InvalidRequest
from moonmind.services.listing_cursor import read_cursor, write_cursor

RUN = UUID("0f4c8d3a-4b55-4c6e-9d6f-1f1f5f1f7b11")


@given(st.integers(0, 100 * 366 * 86_400_000_000), st.uuids())
def test_a_position_is_read_back_to_the_microsecond(micros: int, run_id: UUID) -> None:
    at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    cursor = write_cursor(at, run_id)
    assert read_cursor(cursor) == (at, run_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_one_instant_has_one_cursor_in_every_time_zone() -> None:
    at = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)
    assert write_cursor(at.astimezone(timezone(timedelta(hours=5, minutes=45))), RUN) == write_cursor(at, RUN)


def test_no_cursor_is_the_beginning() -> None:
    assert read_cursor(None) is None


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "not base64!",
        "é",
        encoded("1"),
        encoded(f"1:{RUN.hex}:2"),
        encoded(f"soon:{RUN.hex}"),
        encoded("1:not-a-run"),
        encoded(f"{10**30}:{RUN.hex}"),
        encoded(f"{-(10**30)}:{RUN.hex}"),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_anything_else_is_refused_with_the_fields_name(cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_cursor(cursor)
    assert refused.value.details == {"field": "cursor"}


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    try:
        found = read_cursor(text)
    except InvalidRequest:
        return
    assert found is not None
