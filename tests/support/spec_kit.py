"""A repository as Spec Kit's own command makes it, with a feature in it, on the local forge."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import git_repos
from tests.support.processes import PYTHON

FEATURE = "specs/001-hello"
FILES = {
    f"{FEATURE}/spec.md": """# Feature Specification: Hello

## User Scenarios & Testing

### User Story 1 - Greet (Priority: P1)

A caller asks for a greeting and gets one.

## Requirements

- **FR-001**: The package greets by name.
""",
    f"{FEATURE}/plan.md": """# Implementation Plan: Hello

**Language/Version**: Python 3.11

One package, `hello`, with the standard library alone.
""",
    f"{FEATURE}/tasks.md": """# Tasks: Hello

**Input**: Design documents from `/specs/001-hello/`

## Phase 1: Setup (Shared Infrastructure)

- [ ] T001 Create the package with its version in hello/__init__.py

## Phase 2: User Story 1 - Greet (Priority: P1)

- [ ] T002 [US1] Greet by name in hello/greet.py
""",
}


SPECIFY = Path(PYTHON).with_name("specify")
"""The version that the project is tested with."""


def older_specify(place: Path, version: str) -> Path:
    """Install another version of `specify` into an environment of its own; skips where that cannot be, but not in CI."""
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run([str(base), "-m", "venv", str(place)], check=True, capture_output=True, timeout=60)
    done = subprocess.run(
        [str(place / "bin/python"), "-m", "pip", "install", "--quiet", f"specify-cli=={version}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        assert not os.environ.get("CI"), done.stderr
        pytest.skip(f"specify-cli {version} cannot be installed here")
    return place / "bin/specify"


def initialize(folder: Path, home: Path, *, specify: Path = SPECIFY) -> None:
    """Run `specify init` for Codex in an empty folder; it needs no network."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        [str(specify), "init", "--here", "--force", "--integration", "codex",
         "--script", "sh", "--ignore-agent-tools"],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / ".specify/memory/constitution.md").is_file()


def publish(folder: Path, bare: Path, files: Mapping[str, str] = FILES) -> str:
    """Commit the folder with the feature and push it to a new bare repository; returns the commit."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    git_repos.git(folder, "init", "--quiet", "--template=", "--initial-branch=main", ".")
    git_repos.git(folder, "add", "--all", ".")
    git_repos.git(folder, "commit", "--quiet", "-m", "Describe the first feature")
    bare.parent.mkdir(parents=True)
    git_repos.git(folder, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(bare))
    git_repos.git(folder, "push", "--quiet", str(bare), "main")
    commit = git_repos.tip_of(bare, "main")
    assert commit is not None
    return commit
