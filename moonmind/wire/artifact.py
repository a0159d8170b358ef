"""The files that a run leaves."""

from typing import Annotated

from pydantic import AfterValidator

from moonmind.wire.base import Instant, WireModel

_INERT = frozenset({"application/json", "application/x-ndjson", "application/gzip"})
"""Types that a browser shows or saves, and never runs."""


def served_type(stored: str) -> str:
    """Return what an artifact is sent as, in a way that no browser runs: agent output is hostile."""
    plain = stored.partition(";")[0].strip().lower()
    if plain.startswith("text/"):
        return "text/plain; charset=utf-8"
    return plain if plain in _INERT else "application/octet-stream"


class WorkflowArtifact(WireModel):
    """One file; size and digest are null while it grows."""

    artifact_type: str
    """`codex_logs`, `codex_patch`, `work_archive`, `apply_output`, `pr_payload`, `retry_context`, and more."""
    path: str
    """Relative to the run's folder."""
    content_type: Annotated[str, AfterValidator(served_type)] | None = None
    """What the file is sent as, whatever it was stored as."""
    size_bytes: int | None = None
    digest: str | None = None
    """`sha256:<hex>`."""
    created_at: Instant | None = None
