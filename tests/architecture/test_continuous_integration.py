"""What runs elsewhere runs what script/test runs, and gets no more rights than it needs."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def read(path: Path) -> dict[Any, Any]:
    parsed: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return parsed


def test_a_workflow_may_only_read_and_pins_its_actions() -> None:
    assert WORKFLOWS
    for path in WORKFLOWS:
        workflow = read(path)
        assert workflow["permissions"] == {"contents": "read"}, path
        for job in workflow["jobs"].values():
            assert "permissions" not in job, path
            actions = [step["uses"] for step in job["steps"] if "uses" in step]
            assert [action for action in actions if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []


def test_continuous_integration_runs_what_people_run() -> None:
    (job,) = read(ROOT / ".github/workflows/ci.yml")["jobs"].values()
    assert job["steps"][-1]["run"] == ".ci/run"


def test_hooks_before_a_commit_are_checks_of_script_test_and_download_nothing() -> None:
    checks = dict(re.findall(r'^begin "(.+)" (.+)$', (ROOT / "script/test").read_text("utf-8"), re.MULTILINE))
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert {hook["name"]: hook["entry"] for hook in repository["hooks"]} == {
        label: f".venv/bin/{command}" for label, command in checks.items()
    }
