"""What Codex may take from the repository it works on: its AGENTS.md as words, and nothing that names a command."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_INSTRUCTIONS = ("AGENTS.override.md", "AGENTS.md")
INSTRUCTIONS_BYTES = 32 * 1024
"""Of a repository's instructions; Codex's own limit for such files."""


def distrusting(config: Mapping[str, Any], workspace: Path) -> dict[str, Any]:
    """Return the configuration with the workspace untrusted, so that Codex loads no `.codex` folder of the repository.

    Codex looks a decision up by the folder itself, the project's root and the repository's, each as it was spelled or
    with its links resolved, and takes a folder without one for trusted where it may write. So every folder from the
    workspace up is named in both spellings, and no other decision, the operator's profile's included, is left in place.
    """
    folders = (workspace, workspace.resolve())
    named = dict.fromkeys(str(folder) for path in folders for folder in (path, *path.parents))
    return {**config, "projects": {name: {"trust_level": "untrusted"} for name in named}}


def instructions(workspace: Path, config: Mapping[str, Any]) -> str:
    """Return the words of the repository's AGENTS.md, which Codex does not read in an untrusted project; "" without one.

    The operator's profile may name further files that stand for it, and the most bytes, as it may to Codex. A link may
    lead to another file of the workspace and nowhere else.
    """
    root = workspace.resolve()
    most = int(config.get("project_doc_max_bytes", INSTRUCTIONS_BYTES))
    for name in (*_INSTRUCTIONS, *config.get("project_doc_fallback_filenames", ())):
        path = Path(os.path.realpath(root / name))
        words = _head(path, most).decode("utf-8", "replace").strip() if path.is_relative_to(root) else ""
        if words:
            return f"# {name} of the repository\n\n{words}\n"
    return ""


def _head(path: Path, most: int) -> bytes:
    try:
        # Not blocking: a pipe of that name has nobody at its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # it is not there, or is nothing that Codex, which runs as the same user, could have read
        return b""
    try:
        return os.read(descriptor, max(most, 0)) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)
