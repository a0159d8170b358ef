"""What is said when something goes wrong, and in words what a refused value has to be."""

import re
from collections.abc import Mapping
from typing import Any

from moonmind.errors import ErrorInfo
from moonmind.wire.base import WireModel

_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "too_short": "must not be empty",
    "too_long": "at most {max_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "must be a string",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "uuid_parsing": "must be a run ID (a UUID)",
    "uuid_type": "must be a run ID (a UUID)",
    "string_unicode": "must be valid Unicode",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}
"""By the validator's stable names of what is wrong."""

_MEMBER = re.compile(r"<[A-Za-z.]+[A-Z_.]*: ('[^']*')>")
"""How Python writes an enumeration's member; people are told its value."""


def in_words(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with one value, without repeating it; `problem` is one of pydantic's `errors()`."""
    words = _WORDS.get(str(problem["type"]))
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    try:
        return _MEMBER.sub(r"\1", words.format_map(problem.get("ctx") or {}))
    except KeyError:
        return str(problem["msg"])


class RunError(WireModel):
    """Why a run failed and what a person does next."""

    code: str
    """Stable, for programs."""
    message: str
    remediation: str | None = None
    details: dict[str, Any] | None = None

    @classmethod
    def of(cls, error: ErrorInfo) -> "RunError":
        """Return the public form of a recorded error."""
        return cls(
            code=error.code,
            message=error.message,
            remediation=error.remediation or None,
            details=dict(error.details) or None,
        )


class Problem(RunError):
    """The one error body of every answer that is not a success."""

    request_id: str | None = None
    """Names the request in the server's log."""
