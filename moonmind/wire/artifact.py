"""The files that a run leaves."""

from moonmind.wire.base import Instant, WireModel


class WorkflowArtifact(WireModel):
    """One file; size and digest are null while it grows."""

    artifact_type: str
    """`codex_logs`, `codex_patch`, `apply_output`, `pr_payload`, `retry_context`, and more."""
    path: str
    """Relative to the run's folder."""
    content_type: str | None = None
    size_bytes: int | None = None
    digest: str | None = None
    """`sha256:<hex>`."""
    created_at: Instant | None = None
