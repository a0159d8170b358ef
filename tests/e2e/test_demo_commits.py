"""What the demo leaves in the repository: honest commits, each of them a phase whose tests fail before and pass after."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import git_repos
from tests.support.processes import PYTHON, processes_of
from tests.support.team import Team, team

pytestmark = [pytest.mark.sqlite, pytest.mark.slow]

STAGES = ["discover", "submit", "apply", "publish", "finalize"]
TASKS = "specs/spec-42-refresh-docs/tasks.md"
# Each phase of the sample: what its tasks name, and the test module that they begin with.
PHASES = [
    ({"tests/test_setup.py", "refresh_docs/__init__.py", "pyproject.toml"}, "tests/test_setup.py"),
    ({"tests/test_pages.py", "refresh_docs/pages.py", "refresh_docs/reviews.py"}, "tests/test_pages.py"),
]


@pytest.fixture(scope="module")
def demos() -> Iterator[tuple[Team, list[dict[str, Any]], list[str]]]:
    """Show the demo twice in a folder of its own; returns the runs that it printed and the processes it left."""
    with team() as members:
        env = {name: members.env[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH")}
        runs = []
        for number in (1, 2):
            done = subprocess.run(
                [PYTHON, "-m", "moonmind.demo.demo", "--json"], cwd=members.work, env=env, timeout=60,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"demo {number}: {done.stderr}"
            (line,) = done.stdout.splitlines()
            runs.append(json.loads(line))
        yield members, runs, processes_of(str(members.folder))


def test_the_one_line_is_the_run(demos: tuple[Team, list[dict[str, Any]], list[str]]) -> None:
    members, runs, _ = demos
    for run in runs:
        assert run["status"] == "succeeded"
        assert run["id"]
        assert [(task["taskName"], task["state"]) for task in run["tasks"]] == [(name, "succeeded") for name in STAGES]
        kinds = {artifact["artifactType"] for artifact in run["artifacts"]}
        assert kinds >= {"codex_logs", "codex_patch", "apply_output", "pr_payload"}
        files = members.work / "var/demo/artifacts" / run["id"]
        assert all((files / artifact["path"]).is_file() for artifact in run["artifacts"])
    assert len({run["id"] for run in runs}) == 2
    assert len({(run["branchName"], run["pullRequestUrl"]) for run in runs}) == 1


def test_nothing_is_left_running(demos: tuple[Team, list[dict[str, Any]], list[str]]) -> None:
    _, _, left = demos
    assert left == []


def test_two_demos_make_two_commits_on_one_pull_request(demos: tuple[Team, list[dict[str, Any]], list[str]]) -> None:
    members, runs, _ = demos
    bare, pulls = places(members)
    (pull,) = pulls["pulls"]
    assert pulls["creates"] == 1
    second, first = git_repos.log_of(bare, f"main..{runs[0]['branchName']}")
    assert second.parents == (first.commit,)
    assert first.parents == (git_repos.tip_of(bare, "main"),)
    for run, commit in zip(runs, (first, second), strict=True):
        assert run["id"] in commit.body
        assert run["id"] in pull["body"]


@pytest.mark.parametrize("phase", [0, 1])
def test_a_phase_changes_what_its_tasks_name_and_ticks_them(
    phase: int, demos: tuple[Team, list[dict[str, Any]], list[str]]
) -> None:
    members, runs, _ = demos
    bare, _ = places(members)
    commit = git_repos.log_of(bare, f"main..{runs[0]['branchName']}")[1 - phase]
    changed = git_repos.git(bare, "diff", "--name-only", commit.parents[0], commit.commit).decode().split()
    assert set(changed) == PHASES[phase][0] | {TASKS}
    before, after = (boxes(bare, ref) for ref in (commit.parents[0], commit.commit))
    assert after - before == ({"T001", "T002", "T003"}, {"T004", "T005", "T006"})[phase]
    assert before <= after


@pytest.mark.parametrize("phase", [0, 1])
def test_the_tests_of_a_phase_fail_before_it_and_pass_after(
    phase: int, demos: tuple[Team, list[dict[str, Any]], list[str]]
) -> None:
    members, runs, _ = demos
    bare, _ = places(members)
    commit = git_repos.log_of(bare, f"main..{runs[0]['branchName']}")[1 - phase]
    test = PHASES[phase][1]
    before = git_repos.tree_of(bare, commit.parents[0])
    after = git_repos.tree_of(bare, commit.commit)
    assert test not in before
    code, said = unittest(before | {test: after[test]}, test)
    assert code != 0, said
    # It is the missing work that fails, not the test itself.
    assert re.search(r"(ModuleNotFoundError|ImportError|FileNotFoundError)\b.*", said), said
    code, said = unittest(after, test)
    assert (code, re.search(r"Ran [1-9]\d* test", said) is not None) == (0, True), said


def places(members: Team) -> tuple[Path, dict[str, Any]]:
    folder = members.work / "var/demo/repositories"
    pulls = json.loads((folder / "moonmind/spec-kit-reference.pulls.json").read_text())
    return folder / "moonmind/spec-kit-reference.git", pulls


def boxes(bare: Path, ref: str) -> set[str]:
    """List the tasks that are ticked in a commit."""
    return set(re.findall(r"^- \[[xX]\] (T\d+)", git_repos.tree_of(bare, ref)[TASKS].decode(), re.MULTILINE))


def unittest(tree: dict[str, bytes], test: str) -> tuple[int, str]:
    """Run one test module in a folder that holds these files."""
    folder = Path(tempfile.mkdtemp())
    try:
        for name, content in tree.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        done = subprocess.run(
            [PYTHON, "-B", "-m", "unittest", test.removesuffix(".py").replace("/", ".")], cwd=folder,
            env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr
    finally:
        shutil.rmtree(folder)
