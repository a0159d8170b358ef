import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.agents import scripted_player
from moonmind.sample import source
from moonmind.speckit.spec_tasks import Phase
from moonmind.speckit.tasks_md import read_tasks

FEATURE = f"specs/{source.FEATURE_KEY}"
TASKS = read_tasks(source.files()[f"{FEATURE}/tasks.md"])
PHASES = TASKS.phases
CHANGES = ("write", "append", "delete")
PLAYER = str(Path(scripted_player.__file__))


def steps_of(phase: Phase) -> list[dict[str, Any]]:
    script = source.script_for(phase.title)
    assert script is not None, phase.title
    steps: list[dict[str, Any]] = json.loads(script)["steps"]
    return steps


def checkout(parent: Path) -> Path:
    folder = parent / "checkout"
    for path, content in source.files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def perform(folder: Path, steps: list[dict[str, Any]]) -> None:
    """Let the shipped player play the steps in the folder, without the pauses that are there to be watched."""
    script = folder.parent / "script.json"
    script.write_text(json.dumps({"version": 1, "steps": [step for step in steps if "run_for_seconds" not in step]}))
    command = [sys.executable, "-I", "-B", PLAYER, str(script), str(folder.parent / "state.json"), ""]
    result = subprocess.run(command, cwd=folder, input="", capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(result.stdout.splitlines()[-1])["type"] == "turn.completed", result.stdout


def unittest(folder: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    """Run the sample's tests on nothing but Python: isolated from our environment and its packages."""
    code = "import sys, unittest; sys.path.insert(0, '.'); unittest.main(module=None, argv=['unittest', *sys.argv[1:]])"
    command = [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", code, *modules]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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


def test_the_sample_passes_its_tests_before_any_phase(tmp_path: Path) -> None:
    result = unittest(checkout(tmp_path))
    assert result.returncode == 0, result.stderr


def test_every_phase_turns_its_tests_from_failing_to_passing(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    for phase in PHASES:
        steps = steps_of(phase)
        first = next(step for step in steps if step.keys() & set(CHANGES))
        module = first["write"].removesuffix(".py").replace("/", ".")
        assert module.startswith("tests.test_"), "tests come first"

        perform(folder, [first])
        before = unittest(folder, module)
        assert before.returncode == 1, f"{phase.title}: {module} passes before its phase"

        perform(folder, steps)
        assert (done := unittest(folder, module)).returncode == 0, done.stderr
        assert (whole := unittest(folder)).returncode == 0, whole.stderr


def test_every_phase_changes_exactly_the_files_that_its_tasks_name(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    for phase in PHASES:
        before = contents(folder)
        perform(folder, steps_of(phase))
        after = contents(folder)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert changed == {path for task in phase.tasks for path in task.paths}, phase.title


def test_every_script_claims_its_phases_tasks_reports_usage_and_ends_well() -> None:
    for phase in PHASES:
        steps = steps_of(phase)
        assert [task for step in steps for task in step.get("claim", ())] == [task.id for task in phase.tasks]
        assert sum(step["usage"]["outputTokens"] for step in steps if "usage" in step) > 0
        assert [step["end"] for step in steps if "end" in step] == ["completed"] == [steps[-1]["end"]]
        assert 1 <= sum(step.get("run_for_seconds", 0) for step in steps) <= 3


def test_the_finished_sample_refreshes_its_own_docs(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    for phase in PHASES:
        perform(folder, steps_of(phase))
    command = [sys.executable, "-m", "refresh_docs", "docs", "--today", "2026-03-02", "--check"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "configuration.md: last reviewed 2025-06-14\n"


@pytest.mark.parametrize("title", ["Phase 1: Setup (Shared Infrastructure)", "Setup (Shared Infrastructure)", "SETUP"])
def test_a_phase_is_found_with_and_without_its_number(title: str) -> None:
    script = source.script_for(title)
    assert script is not None
    assert re.search(rb"refresh_docs/__init__\.py", script)


@pytest.mark.parametrize("title", ["", "User Story 10 - Another", "Setups", "Phase 5: Convergence", "The Setup"])
def test_a_phase_of_another_repository_has_no_script(title: str) -> None:
    assert source.script_for(title) is None
