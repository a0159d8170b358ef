import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.adapters.agents.scripted import ScriptedAgent, improvised
from moonmind.errors import NotConfigured
from moonmind.ports.agent import Brief, BriefTask, JobEnd, JobLimits
from moonmind.ports.check import CheckStatus
from moonmind.sample import source as sample
from tests.support.agents import Scene, ScriptedScene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[ScriptedScene]:
    made = ScriptedScene(tmp_path)
    yield made
    made.close()


BRIEF = Brief(
    "feature",
    "Phase 2: Work",
    (
        BriefTask("T004", "Add the reader", ("src/reader.py", "docs/")),
        BriefTask("T005", "Tell people\nabout it"),
        BriefTask("T006", "List it", ("index.json", "style.css", "README.md")),
    ),
)


def test_without_a_script_each_named_path_is_touched_and_all_tasks_are_claimed(scene: ScriptedScene) -> None:
    (scene.workspace / "README.md").write_text("# Title\n")
    agent = ScriptedAgent(replace(scene.options(), script=None, script_for=lambda *_: None))
    job = replace(scene.job(), brief=BRIEF)
    agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is JobEnd.COMPLETED
    assert result.report.splitlines() == [
        "[scripted] The script of Phase 2: Work is played.",
        "T004: done - added `task_T004`",
        "T005: done - added `task_T005`",
        "T006: done - added `task_T006`",
        "T004: done",
        "T005: done",
        "T006: done",
    ]
    made = {str(p.relative_to(scene.workspace)): p.read_text() for p in scene.workspace.rglob("*") if p.is_file()}
    assert made == {
        "src/reader.py": 'task_T004 = "Add the reader"\n',
        "docs/README.md": "T004: Add the reader\n",
        "notes/T005.md": "T005: Tell people about it\n",
        "index.json": '{"task_T006": "List it"}\n',
        "style.css": '.task_T006 { content: "List it"; }\n',
        "README.md": "# Title\nT006: List it\n",
    }


def test_a_packaged_script_is_chosen_by_the_phase(scene: ScriptedScene) -> None:
    agent = ScriptedAgent(replace(scene.options(), script=None, script_for=sample.script_for))
    brief = replace(BRIEF, feature=sample.FEATURE_PATH, phase="Phase 1: Setup (Shared Infrastructure)")
    job = replace(scene.job(), brief=brief)
    agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is JobEnd.COMPLETED, result.message
    assert (scene.workspace / "pyproject.toml").is_file()


@pytest.mark.parametrize("phase", ["Phase 1: Setup (Shared Infrastructure)", "Phase 2: Foundational", "Polish"])
def test_another_repository_gets_what_its_tasks_name_and_nothing_of_the_sample(
    scene: ScriptedScene, phase: str
) -> None:
    agent = ScriptedAgent(replace(scene.options(), script=None, script_for=sample.script_for))
    tasks = (BriefTask("T001", "Write src/cart.ts", ("src/cart.ts",)),)
    job = replace(scene.job(), brief=Brief("specs/001-shop", phase, tasks))
    agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is JobEnd.COMPLETED, result.message
    assert [str(p.relative_to(scene.workspace)) for p in scene.workspace.rglob("*") if p.is_file()] == ["src/cart.ts"]


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("tests/integration", "tests/integration/README.md"),
        ("src/models/", "src/models/README.md"),
        ("there", "there/README.md"),
        ("there/v1.2", "there/v1.2/README.md"),
        ("docker/Dockerfile", "docker/Dockerfile"),
        ("there/script", "there/script"),
        ("src", "src/README.md"),
    ],
)
def test_a_folder_gets_a_file_in_it(scene: ScriptedScene, named: str, file: str) -> None:
    (scene.workspace / "there/v1.2").mkdir(parents=True)
    (scene.workspace / "there/script").write_text("#!/bin/sh\n")
    tasks = (BriefTask("T001", "Fill it", (named,)), BriefTask("T002", "Go on", ("src/deeper/a.py",)))
    agent = ScriptedAgent(replace(scene.options(), script=None, script_for=lambda *_: None))
    job = replace(scene.job(), brief=Brief("specs/001-shop", "Phase 1: Setup", tasks))
    agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is JobEnd.COMPLETED, result.message
    assert "T001: " in (scene.workspace / file).read_text() or "task_T001" in (scene.workspace / file).read_text()


@pytest.mark.parametrize("named", ["file/below.py", "out/a.py", "loop/a.py", "a" * 300 + ".py"])
def test_a_task_whose_path_cannot_be_is_reported_as_not_done(scene: ScriptedScene, named: str) -> None:
    (scene.workspace / "file").write_text("a file\n")
    (scene.workspace / "out").symlink_to(scene.root)
    (scene.workspace / "loop").symlink_to("loop")
    tasks = (BriefTask("T001", "Impossible", (named,)), BriefTask("T002", "Possible", ("b.py",)))
    agent = ScriptedAgent(replace(scene.options(), script=None, script_for=lambda *_: None))
    job = replace(scene.job(), brief=Brief("specs/001-shop", "Phase 1: Setup", tasks))
    agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is JobEnd.COMPLETED, result.message
    assert "T001: not done" in result.report
    assert "T002: done" in result.report
    assert (scene.workspace / "b.py").is_file()
    assert sorted(entry.name for entry in scene.root.iterdir() if entry.name == "a.py") == []


def test_each_attempt_plays_its_own_part_and_the_last_serves_all_later_ones(scene: ScriptedScene) -> None:
    scene.behave("failed", "work")
    ends, thread = [], None
    for attempt in (1, 2, 3):
        job = scene.job(attempt, resume=thread)
        scene.agent.start(job)
        result = scene.ended(job).result
        assert result is not None
        ends.append(result.end)
        assert thread in (None, result.thread_id)
        thread = result.thread_id
    assert ends == [JobEnd.FAILED, JobEnd.COMPLETED, JobEnd.COMPLETED]


@pytest.mark.parametrize("path", ["../escape.txt", "/tmp/escape.txt", "link/escape.txt", "", "."])
@pytest.mark.parametrize("verb", ["write", "append", "delete"])
def test_a_path_that_leaves_the_workspace_ends_the_play(scene: Scene, path: str, verb: str) -> None:
    (scene.workspace / "link").symlink_to(scene.root)
    (scene.root / "escape.txt").write_text("kept")
    (scene.root / "script.json").write_text(json.dumps({"version": 1, "steps": [{verb: path, "content": "x"}]}))
    job = scene.job()
    scene.agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is JobEnd.FAILED
    assert "leaves the workspace" in result.message
    assert (scene.root / "escape.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("not json", "cannot be played"),
        ("[]", "not an object"),
        ('{"version": 9, "steps": []}', "version 1"),
        ("{}", "steps must be"),
        ('{"attempts": []}', "neither steps nor attempts"),
        ('{"steps": [{"sya": "x"}]}', "step 1 has 0 verbs"),
        ('{"steps": [{"say": "x", "hang": true}]}', "step 1 has 2 verbs"),
    ],
)
def test_a_script_that_cannot_be_played_says_where(scene: Scene, script: str, words: str) -> None:
    (scene.root / "script.json").write_text(script)
    job = scene.job()
    scene.agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is JobEnd.FAILED
    assert words in result.message


def test_a_crash_is_told_as_one(scene: ScriptedScene) -> None:
    (scene.root / "script.json").write_text('{"steps": [{"say": "now"}, {"crash": true}]}')
    job = scene.job()
    scene.agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert (result.end, "SIGKILL" in result.message) == (JobEnd.FAILED, True)


def test_reconnect_notices_end_in_a_stall(scene: ScriptedScene) -> None:
    (scene.root / "script.json").write_text('{"steps": [{"reconnect_for_seconds": 30}]}')
    job = scene.job(limits=JobLimits(stall_seconds=1.0))
    scene.agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert (result.end, "waiting for network" in result.message) == (JobEnd.STALLED, True)


def test_a_missing_script_is_said_before_anything_starts(scene: ScriptedScene) -> None:
    with pytest.raises(NotConfigured, match=r"script\.json"):
        scene.agent.start(scene.job())
    check, _ = scene.agent.check()
    assert (check.status, "MOONMIND_SCRIPT" in check.remediation) == (CheckStatus.FAILED, True)


def test_codex_is_skipped_where_a_script_does_the_work(scene: ScriptedScene) -> None:
    scene.behave("work")
    check, _ = scene.agent.check()
    assert (check.name, check.status) == ("codex", CheckStatus.SKIPPED)


def test_an_improvised_script_is_a_script(tmp_path: Path) -> None:
    assert json.loads(improvised(BRIEF, tmp_path))["version"] == 1
