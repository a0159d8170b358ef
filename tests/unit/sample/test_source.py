import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from moonmind.sample import source
from moonmind.speckit.spec_tasks import Phase
from moonmind.speckit.tasks_md import read_tasks

FEATURE = source.FEATURE_PATH
TASKS = read_tasks(source.files()[f"{FEATURE}/tasks.md"])
PHASES = TASKS.phases


def steps_of(phase: Phase) -> list[dict[str, Any]]:
    script = source.script_for(FEATURE, phase.title)
    assert script is not None, phase.title
    steps: list[dict[str, Any]] = json.loads(script)["steps"]
    return steps


def test_the_sample_has_four_phases_and_every_task_is_open() -> None:
    assert [len(phase.pending) for phase in PHASES] == [3, 3, 4, 3]
    assert [task.id for task in TASKS.tasks] == [f"T{number:03}" for number in range(1, 14)]
    assert TASKS.warnings == ()
    assert not any(task.flags for task in TASKS.tasks)


def test_the_repository_is_complete_with_its_hidden_files() -> None:
    files = source.files()
    assert {f"{FEATURE}/{name}.md" for name in ("spec", "plan", "tasks")} <= files.keys()
    assert {".gitignore", ".specify/.gitignore", ".specify/memory/constitution.md"} <= files.keys()
    assert json.loads(files[".specify/init-options.json"])["integration"] == "codex"
    assert json.loads(files[".specify/integration.json"])["default_integration"] == "codex"
    assert list(files) == sorted(files)


def test_files_that_installers_compile_are_no_part_of_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = tmp_path / "sample"
    shutil.copytree(Path(source.__file__).parent, packaged, ignore=shutil.ignore_patterns("__pycache__"))
    compiled = packaged / "repository" / "tests" / "__pycache__"
    compiled.mkdir()
    (compiled / "test_docs.cpython-311.pyc").write_bytes(b"")
    expected = source.files()
    monkeypatch.setattr("moonmind.sample.source.resources.files", lambda _: packaged)
    assert source.files() == expected


def test_every_script_claims_its_phases_tasks_reports_usage_and_ends_well() -> None:
    for phase in PHASES:
        steps = steps_of(phase)
        assert [task for step in steps for task in step.get("claim", ())] == [task.id for task in phase.tasks]
        assert sum(step["usage"]["outputTokens"] for step in steps if "usage" in step) > 0
        assert [step["end"] for step in steps if "end" in step] == ["completed"] == [steps[-1]["end"]]
        assert 1 <= sum(step.get("run_for_seconds", 0) for step in steps) <= 3


@pytest.mark.parametrize("title", ["Phase 1: Setup (Shared Infrastructure)", "Setup (Shared Infrastructure)", "SETUP"])
def test_a_phase_is_found_with_and_without_its_number(title: str) -> None:
    script = source.script_for(FEATURE, title)
    assert script is not None
    assert re.search(rb"refresh_docs/__init__\.py", script)


@pytest.mark.parametrize("title", ["", "User Story 10 - Another", "Setups", "Phase 5: Convergence", "The Setup"])
def test_a_phase_that_the_sample_does_not_have_has_no_script(title: str) -> None:
    assert source.script_for(FEATURE, title) is None


@pytest.mark.parametrize(
    "feature",
    ["specs/001-shop", "specs/042-refresh-docs", "backend/specs/spec-42-refresh-docs", "spec-42-refresh-docs", ""],
)
def test_a_phase_of_another_feature_has_no_script_whatever_its_title(feature: str) -> None:
    assert [source.script_for(feature, phase.title) for phase in PHASES] == [None] * 4
