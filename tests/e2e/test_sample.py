"""The sample in a checkout: its phases turn its own tests from failing to passing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from moonmind.adapters.agents import scripted_player
from moonmind.sample import source
from moonmind.speckit.spec_tasks import Phase
from moonmind.speckit.tasks_md import read_tasks

PHASES = read_tasks(source.files()[f"specs/{source.FEATURE_KEY}/tasks.md"]).phases
CHANGES = ("write", "append", "delete")
PLAYER = str(Path(scripted_player.__file__))


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


def test_the_finished_sample_refreshes_its_own_docs(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    for phase in PHASES:
        perform(folder, steps_of(phase))
    command = [sys.executable, "-m", "refresh_docs", "docs", "--today", "2026-03-02", "--check"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "configuration.md: last reviewed 2025-06-14\n"


def steps_of(phase: Phase) -> list[dict[str, Any]]:
    script = source.script_for(source.FEATURE_PATH, phase.title)
    assert script is not None, phase.title
    steps: list[dict[str, Any]] = json.loads(script)["steps"]
    return steps
