"""What artifacts are sent as, and so what they are listed as: agent output is hostile, and no browser may run it."""

from moonmind import wire

_INERT = frozenset({"application/json", "application/x-ndjson", "application/gzip"})
"""Types that a browser shows or saves, and never runs."""


def content_type(stored: str) -> str:
    """Say what is sent in a way that no browser runs."""
    plain = stored.partition(";")[0].strip().lower()
    if plain.startswith("text/"):
        return "text/plain; charset=utf-8"
    return plain if plain in _INERT else "application/octet-stream"


def artifact(listed: wire.WorkflowArtifact) -> wire.WorkflowArtifact:
    """List an artifact under the type that it is sent as."""
    return listed.model_copy(update={"content_type": content_type(listed.content_type or "")})


def run(shown: wire.SpecWorkflowRun) -> wire.SpecWorkflowRun:
    """Show a run whose artifacts are listed under the types that they are sent as."""
    if shown.artifacts is None:
        return shown
    return shown.model_copy(update={"artifacts": [artifact(each) for each in shown.artifacts]})
