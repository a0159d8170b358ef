"""A pull request's body as a row of sections, one per run, between words that people wrote."""

import re
from collections.abc import Iterable
from uuid import UUID

LIMIT = 60_000
"""Characters; GitHub takes 65,536 at most."""

_SECTION = re.compile(
    r"<!-- moonmind:run:(?P<id>[0-9a-f-]{36}) -->\n(?P<text>.*?)\n<!-- /moonmind:run:(?P=id) -->", re.DOTALL
)
_SHORTENED = "_The details are in the run's artifacts._"


def marker(run_id: UUID) -> str:
    """Return the hidden comment that marks a run's section of a pull request's body."""
    return f"<!-- moonmind:run:{run_id} -->"


def runs_in(body: str) -> tuple[str, ...]:
    """List the ids of the runs that have a section in the body, in order."""
    return tuple(match["id"] for match in _SECTION.finditer(body))


def phases_in(body: str) -> int:
    """Count the phases that the sections are about, by their headings: two runs of one phase are one."""
    return len({match["text"].partition("\n")[0].strip() for match in _SECTION.finditer(body)})


def merge(existing: str | None, run_id: UUID, section: str) -> str:
    """Put a run's section into a body: over its earlier one, else behind everything.

    All other text stays, but where the whole would be longer than a forge takes, the oldest sections keep their
    heading only.
    """
    body = (existing or "").replace("\r\n", "\n").rstrip()
    own = _wrap(str(run_id), section)
    if str(run_id) in runs_in(body):
        merged = _SECTION.sub(lambda match: own if match["id"] == str(run_id) else match[0], body)
    else:
        merged = f"{body}\n\n{own}" if body else own
    return _fit(merged, [*(key for key in runs_in(merged) if key != str(run_id)), str(run_id)]) + "\n"


def _fit(body: str, oldest_first: Iterable[str]) -> str:
    for key in oldest_first:
        if len(body) <= LIMIT:
            break
        body = _SECTION.sub(lambda match, key=key: _short(match) if match["id"] == key else match[0], body)  # type: ignore[misc]  # mypy infers no type for a lambda with a default
    return body


def _short(match: re.Match[str]) -> str:
    return _wrap(match["id"], f"{match['text'].splitlines()[0]}\n\n{_SHORTENED}")


def _wrap(key: str, text: str) -> str:
    return f"<!-- moonmind:run:{key} -->\n{text}\n<!-- /moonmind:run:{key} -->"
