"""What a stage would try again by itself, in words for a person at a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from moonmind.errors import MoonMindError, Unavailable
from moonmind.redact import Redactor


@contextmanager
def in_words(redactor: Redactor) -> Iterator[None]:
    """Raise Unavailable for an error that may not come again, without secrets; others pass."""
    try:
        yield
    except Unavailable:
        raise
    except MoonMindError as error:
        if not error.retryable:
            raise
        said = redactor.text(error.message)
        advice = "Run the command again; if the error persists, check with `moonmind doctor`."
        raise Unavailable(said, remediation=advice) from error
