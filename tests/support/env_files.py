"""A `.env` that came with a clone."""

from pathlib import Path

import pytest

from moonmind.errors import EnvFileRefused
from moonmind.settings import load_settings

EVIL = "CODEX_BIN=/tmp/evil\n"


def go_to_a_clone(parent: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a stranger's work tree, and go there."""
    folder = parent / "clone"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def refusal() -> str:
    """Return the words by which the settings of this folder are refused."""
    with pytest.raises(EnvFileRefused) as refused:
        load_settings()
    return refused.value.message
