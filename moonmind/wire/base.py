"""What every public value shares: camelCase names, UTC times, text that a database can keep."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """The root of the public JSON: snake_case in Python, camelCase outside, frozen in between."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold the character U+0000")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment; written as ISO 8601 in UTC with `Z`."""

Text = Annotated[str, AfterValidator(_no_nul)]
"""Text from outside; PostgreSQL cannot store U+0000, so it is refused at the door."""
