"""Column types: one meaning on PostgreSQL and SQLite."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

from moonmind.errors import ErrorInfo
from moonmind.runs.stored_text import storable
from moonmind.runs.words import UnknownWord, read_word

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""A growing row number; SQLite numbers only what is declared INTEGER."""


class Timestamp(TypeDecorator[datetime]):
    """An aware UTC instant: timestamptz on PostgreSQL, microseconds since 1970 on SQLite, so that SQL can compare."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the database's own type for an instant."""
        native: TypeEngine[Any] = TIMESTAMP(timezone=True) if dialect.name == "postgresql" else BigInteger()
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write an instant; a naive one is a defect and raises ValueError."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a Timestamp takes aware datetimes only")
        return value if dialect.name == "postgresql" else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read an instant, always in UTC."""
        if value is None:
            return None
        found: datetime = value if dialect.name == "postgresql" else _EPOCH + value * _MICROSECOND
        return found.astimezone(UTC)


class Prose(TypeDecorator[str]):
    """Text from people and agents, without the characters that PostgreSQL cannot store (NUL, lone surrogates)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the base's signature)
        """Write the text."""
        return None if value is None else storable(value)


class Word(TypeDecorator[StrEnum]):
    """A member of a list of words, stored as the word. A word that only another program knows is read as itself."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (the base's signature)
        """Write the word; raises ValueError for one that is neither in the list nor read from a row."""
        return None if value is None else value.value if isinstance(value, UnknownWord) else self.words(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002 (the base's signature)
        """Read the member, or the word itself."""
        return None if value is None else read_word(self.words, value)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Problem(TypeDecorator[ErrorInfo]):
    """What is kept of an error."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the database's own JSON type."""
        native: TypeEngine[Any] = JSONB(none_as_null=True) if dialect.name == "postgresql" else JSON(none_as_null=True)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: ErrorInfo | None, dialect: Dialect) -> Any:  # noqa: ARG002 (the base's signature)
        """Write the stored form."""
        return None if value is None else value.as_json()

    def process_result_value(self, value: Any, dialect: Dialect) -> ErrorInfo | None:  # noqa: ARG002 (the base's signature)
        """Read this or the previous version."""
        return None if value is None else ErrorInfo.from_json(value)


def dump_json(value: Any) -> str:
    """Write JSON that both databases take; read-only mappings count as objects, NaN raises ValueError."""
    text = _dumps(value)
    return _dumps(_storable(value)) if "\\u" in text else text


def _dumps(value: Any) -> str:
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): _storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(part) for part in value]
    return value
