"""What every public value shares: camelCase names, UTC times, text that a database can keep."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, cast

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from moonmind.runs.words import read_word


class WireModel(BaseModel):
    """The root of the public JSON: snake_case in Python, camelCase outside, frozen in between."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain the character U+0000")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"must not contain half of a surrogate pair (U+{ord(value[error.start]):04X})") from None
    return value


def writable(text: str) -> str:
    """Return text that UTF-8 can write: a question mark stands for each half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def must_match(pattern: str, otherwise: str) -> AfterValidator:
    """Return a validator that refuses a text in words where it does not match the whole pattern."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(otherwise)
        return value

    return AfterValidator(check)


class Shown:
    """Marks a field with words that may grow: a word that is not known here is passed on as it is."""

    def __get_pydantic_core_schema__(self, source: type[StrEnum], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the enumeration's schema, which takes `UnknownWord` and every other text too."""

        def read(value: object, known: core_schema.ValidatorFunctionWrapHandler) -> object:
            return read_word(source, value) if isinstance(value, str) else known(value)

        def word(value: StrEnum) -> str:
            return value.value

        written = core_schema.plain_serializer_function_ser_schema(word)
        return core_schema.no_info_wrap_validator_function(read, handler(source), serialization=written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the words that are known here."""
        return handler(cast("core_schema.WrapValidatorFunctionSchema", schema)["schema"])


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment; written as ISO 8601 in UTC with `Z`."""

Text = Annotated[str, AfterValidator(_storable)]
"""Text from outside; what a database cannot store is refused on arrival: U+0000, and half of a surrogate pair, which JSON
can spell and UTF-8 cannot write."""
