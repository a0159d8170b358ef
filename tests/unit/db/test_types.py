import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from moonmind.db.types import Timestamp, Word, dump_json
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason

POSTGRES, SQLITE = (make_url(url).get_dialect()() for url in ("postgresql+psycopg://", "sqlite://"))

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_keeps_its_microseconds_and_its_order(instant: datetime) -> None:
    stamp = Timestamp()
    stored = stamp.process_bind_param(instant, SQLITE)
    assert isinstance(stored, int)
    assert stamp.process_result_value(stored, SQLITE) == instant
    if instant.year < 9999:
        assert stamp.process_bind_param(instant + timedelta(microseconds=1), SQLITE) == stored + 1


def test_instants_come_back_in_utc() -> None:
    east = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    found = Timestamp().process_result_value(east, POSTGRES)
    assert found == east
    assert found is not None
    assert found.tzinfo is UTC


def test_a_naive_instant_is_a_defect() -> None:
    with pytest.raises(ValueError, match="aware"):
        Timestamp().process_bind_param(datetime(2026, 1, 1), SQLITE)  # noqa: DTZ001 (the defect)


def test_stages_and_statuses_are_stored_as_words() -> None:
    for stage in Stage:
        assert Word(Stage).process_bind_param(stage, SQLITE) == stage.value
        assert Word(Stage).process_result_value(stage.value, SQLITE) is stage
    assert Word(RunStatus).process_bind_param(RunStatus.NO_WORK, SQLITE) == "no_work"
    assert Word(RunStatus).process_result_value("no_work", SQLITE) is RunStatus.NO_WORK
    with pytest.raises(ValueError, match="lost"):
        Word(RunStatus).process_bind_param("lost", SQLITE)  # type: ignore[arg-type]  # the defect


@pytest.mark.parametrize("words", [Stage, RunStatus, AttemptState, WaitingReason, EventType])
def test_a_word_of_another_program_is_read_and_written_as_itself(words: type[StrEnum]) -> None:
    found = Word(words).process_result_value("lost", SQLITE)
    assert (found, getattr(found, "value", None), found in set(words)) == ("lost", "lost", False)
    assert Word(words).process_bind_param(found, SQLITE) == "lost"


@given(values)
def test_json_holds_nothing_that_postgresql_refuses(value: object) -> None:
    text = dump_json(value)
    assert "\\u0000" not in text.replace("\\\\", "")
    found = json.loads(text)
    json.dumps(found, ensure_ascii=False).encode()
    if "\\u0000" not in json.dumps(value).replace("\\\\", "") and "\\ud" not in json.dumps(value):
        assert found == value


def test_read_only_mappings_are_objects_and_other_things_are_not_json() -> None:
    assert dump_json(MappingProxyType({"a": MappingProxyType({"b": (1, 2)})})) == '{"a":{"b":[1,2]}}'
    assert json.loads(dump_json({"\x00": ["\x00\ud800", {"é": "ü"}]})) == {"": ["\\ud800", {"é": "ü"}]}
    with pytest.raises(TypeError):
        dump_json({"a": object()})
    with pytest.raises(ValueError, match="JSON"):
        dump_json({"a": float("nan")})
