import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.errors import CredentialInvalid
from moonmind.ports.agent import JobLimits, JobState
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Suspend, WaitingReason
from moonmind.sample import source
from tests.support.processes import alive
from tests.support.stage_parts import REPOSITORY, checkpoint_of
from tests.support.stage_world import FOLDER, KEY, TASKS, World, discovered, failed


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with discovered(World(tmp_path)) as made:
        yield made


def test_the_agent_is_started_once_and_its_work_is_captured(world: World) -> None:
    suspended = world.step(Stage.SUBMIT)
    assert isinstance(suspended, Suspend)
    assert suspended.reason is WaitingReason.AGENT
    assert suspended.seconds == 60.0
    assert checkpoint_of(suspended)["jobKey"] == f"{world.run_id}/submit-1"
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["codexTaskId"]
    assert done.result["codexLogsPath"] == "codex/attempt-1.jsonl"
    assert "T001: done" in done.result["report"]
    changed = world.vcs.changes(REPOSITORY, str(world.tip("main")), done.result["wip"])
    assert "refresh_docs/__init__.py" in {change.path for change in changed}
    assert done.result["usage"]["inputTokens"] > 0


def test_log_prompt_and_patch_are_artifacts_with_their_digests(world: World) -> None:
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done)
    assert b"thread.started" in world.artifacts.read("codex/attempt-1.jsonl")
    prompt = world.artifacts.read("codex/prompt-1.md").decode()
    assert "T001" in prompt
    assert FOLDER in prompt
    assert "T004" not in prompt
    assert all(digest for _, digest in world.artifacts.rows.values())
    path = done.result["patchPath"]
    assert world.artifacts.of("codex_patch") == [path]
    kept = world.artifacts.hidden(path) or b""
    assert done.result["patchDigest"] == f"sha256:{hashlib.sha256(kept).hexdigest()}"


def test_a_second_claim_while_the_agent_works_starts_nothing(world: World, tmp_path: Path) -> None:
    go = tmp_path / "go"
    world.plays({"wait_for": str(go)}, {"write": "a.py", "content": "x"})
    assert isinstance(world.step(Stage.SUBMIT), Suspend)
    first = world.agent.poll(f"{world.run_id}/submit-1")
    assert isinstance(world.step(Stage.SUBMIT), Suspend)
    assert world.agent.poll(f"{world.run_id}/submit-1").pid == first.pid
    assert len(world.services.audits) == 1
    go.touch()
    assert isinstance(world.drive(Stage.SUBMIT), Done)


def test_a_worker_that_died_after_the_start_finds_the_job_again(world: World) -> None:
    world.step(Stage.SUBMIT)
    world.checkpoints.clear()  # the suspension was never recorded
    suspended = world.step(Stage.SUBMIT)
    if isinstance(suspended, Suspend):
        world.wait_for_agent()
        suspended = world.step(Stage.SUBMIT)
    assert isinstance(suspended, Done)
    assert len(world.services.audits) == 1


def test_a_lease_lost_right_before_the_start_starts_no_agent(world: World) -> None:
    world.lease.break_after = 1
    with pytest.raises(Exception, match="lost"):
        world.step(Stage.SUBMIT)
    assert world.agent.poll(f"{world.run_id}/submit-1").state is JobState.ABSENT


def test_without_a_free_slot_the_run_waits_and_nothing_is_started(world: World) -> None:
    world.services.slots = 0
    suspended = world.step(Stage.SUBMIT)
    assert isinstance(suspended, Suspend)
    assert (suspended.reason, suspended.seconds) == (WaitingReason.CAPACITY, 60.0)
    assert world.services.audits == []  # whoever waits asks nobody anything
    assert world.agent.poll(f"{world.run_id}/submit-1").state is JobState.ABSENT
    world.services.slots = 1
    assert isinstance(world.drive(Stage.SUBMIT), Done)


def test_a_bad_credential_stops_the_run_before_an_agent_starts(world: World) -> None:
    world.services.refuses = CredentialInvalid("no login", check="codex.login")
    outcome = failed(world.step(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("credential_invalid", False)
    assert world.vcs.find_workspace(REPOSITORY, world.run_id) is None


@pytest.mark.parametrize(
    ("task", "named"),
    [
        ("Add CI in `.github/workflows/ci.yml`", ".github/workflows/ci.yml"),
        ("Move CI to the folder .github/workflows/", ".github/workflows"),
        ("Rename .GITHUB\\workflows\\old.yaml", ".GITHUB/workflows/old.yaml"),
    ],
)
def test_workflows_that_the_token_may_not_change_stop_the_run_before_an_agent_starts(
    tmp_path: Path, task: str, named: str
) -> None:
    tasks = f"# Tasks\n\n## Phase 1: CI\n\n- [ ] T001 Write README.md\n- [ ] T002 {task}\n"
    world = World(tmp_path, files={**source.files(), f"{FOLDER}/tasks.md": tasks})
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.services.refuses_workflows = CredentialInvalid("the token lacks the scope `workflow`")
    outcome = failed(world.step(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("credential_invalid", False)
    assert world.services.audits == ["audited", f"workflows: {named}"]
    assert world.agent.running() == ()


def test_a_failed_agents_work_and_thread_go_on_in_the_next_attempt(world: World) -> None:
    world.plays(
        {"write": "half.py", "content": "half\n"},
        {"end": "failed", "message": "I broke"},
        then=({"append": "half.py", "content": "whole\n"}, {"end": "completed", "message": "ok"}),
    )
    outcome = failed(world.drive(Stage.SUBMIT))
    assert outcome.error.code == "agent_failed"
    assert "I broke" in outcome.error.message
    assert checkpoint_of(outcome)["partialPatch"] == "patches/partial-1.diff"
    assert b"half.py" in world.artifacts.read("patches/partial-1.diff")
    thread = checkpoint_of(outcome)["codexTaskId"]
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["codexTaskId"] == thread
    assert done.result["jobKey"].endswith("submit-2")
    assert world.vcs.read(REPOSITORY, done.result["wip"], "half.py") == b"half\nwhole\n"
    assert "I broke" in world.artifacts.read("codex/prompt-2.md").decode()


def test_partial_work_goes_on_on_another_machine_from_its_patch(world: World) -> None:
    world.plays(
        {"write": "half.py", "content": "half\n"},
        {"end": "unavailable", "message": "overloaded"},
    )
    assert failed(world.drive(Stage.SUBMIT)).transient
    world.on_host("two")
    world.plays({"append": "half.py", "content": "whole\n"})
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert world.vcs.read(REPOSITORY, done.result["wip"], "half.py") == b"half\nwhole\n"


@pytest.mark.parametrize("root", ["backend", "w2/shop"])
def test_a_nested_project_is_told_to_the_agent_as_it_is_at_the_starting_commit(tmp_path: Path, root: str) -> None:
    files: dict[str, bytes | str] = {
        f"{root}/specs/{KEY}/tasks.md": "# Tasks\n\n## Phase 1: A\n\n- [x] T001 Begin\n- [ ] T002 Write src/b.py like src/a.py\n- [ ] T003 Manual test\n",
        f"{root}/src/a.py": "A = 1\n",
        f"{root}/pyproject.toml": "[tool.pytest.ini_options]\n[project]\nname = 'x'\n",
        "CLAUDE.md": "Use tabs.\n",
        "AGENTS.md": "Read by itself.\n",
    }
    nested = World(tmp_path, files=files)
    nested.succeed(through=Stage.SUBMIT)
    prompt = nested.artifacts.read("codex/prompt-1.md").decode()
    assert f"belongs to the project in `{root}`" in prompt
    assert f"there already: src/a.py (at {root}/src/a.py)\nnot there yet: src/b.py" in prompt
    assert f"test: pytest (in {root}), from {root}/pyproject.toml" in prompt
    assert "`CLAUDE.md`:\n\n```text (data: instructions)\nUse tabs.\n```" in prompt
    assert "Read by itself." not in prompt
    assert "Phase 1: A: T001\n" in prompt
    assert "## Not yours; do not do these\n\nT003 (manual)\n" in prompt
    assert nested.results[Stage.DISCOVER]["leftBecause"][0].startswith("T003: a person (manual")
    assert (nested.workspace / root / "src/b.py").is_file(), "a scripted agent works below the root, too"
    nested.agent.forget(str(nested.run_id))


def test_an_agent_that_changes_nothing_fails_with_its_own_words(world: World) -> None:
    world.plays({"end": "completed", "message": "The plan contradicts itself."})
    outcome = failed(world.drive(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("agent_no_change", False)
    assert "The plan contradicts itself." in outcome.error.message
    assert checkpoint_of(outcome)["codexTaskId"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "not done - there is no staging server here; needs STAGING_URL",
            "there is no staging server here; needs STAGING_URL",
        ),
        ("skipped, the SDK is not installed", "the SDK is not installed"),
        ("could not be done without the owner's decision", "could not be done without the owner's decision"),
    ],
)
def test_an_agent_that_changes_nothing_and_says_why_made_no_progress(world: World, said: str, reason: str) -> None:
    world.plays({"end": "completed", "message": f"T001: {said}\nT002: done\nT003: done"})
    outcome = failed(world.drive(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("no_progress", False)
    assert f"T001: the agent says it is not done ({reason})." in outcome.error.message
    assert "T002: the agent says it is done, and changed no file." in outcome.error.message
    assert "tick its box in specs/spec-42-refresh-docs/tasks.md on the branch main" in outcome.error.remediation
    assert outcome.error.details["tasks"][0] == {
        "id": "T001", "because": "the agent says it is not done", "said": reason,
    }  # fmt: skip
    assert checkpoint_of(outcome)["ended"] == outcome.error.message


@pytest.mark.parametrize(
    ("task", "said", "because"),
    [
        (
            "Run the test suite",
            "All 214 tests pass.",
            "no agent's: whoever runs the checks; nothing is to be changed (verify",
        ),
        (
            "Verify that the quickstart works",
            "T001: done - it works",
            "no agent's: whoever runs the checks; nothing is",
        ),
        pytest.param(
            "Check that the build passes",
            "T001: not done - no compiler",
            "the agent says it is not done (no compiler)",
            marks=pytest.mark.full,
        ),
        pytest.param(
            "Deploy to production",
            "I have no access.",
            "no agent's: a person who may deploy or release (deploy",
            marks=pytest.mark.full,
        ),
    ],
)
def test_a_task_that_asks_for_no_change_is_no_fault_of_an_agent_that_made_none(
    tmp_path: Path, task: str, said: str, because: str
) -> None:
    world = World(tmp_path, files={TASKS: f"# Tasks: X\n\n## Phase 1: A\n\n- [ ] T001 {task}\n"})
    world.selection = {"tasks": ["T001"]}
    with discovered(world):
        world.plays({"end": "completed", "message": said})
        outcome = failed(world.drive(Stage.SUBMIT))
    assert outcome.error.code == "no_progress"
    assert f"T001: {because}" in outcome.error.message
    assert said.rpartition(" - ")[2] in outcome.error.message
    assert f"tick its box in {TASKS} on the branch main" in outcome.error.remediation
    assert "retry this run with notes" in outcome.error.remediation
    assert "retry" not in outcome.error.details, "it asks the agent again"


def test_a_quota_with_a_reset_suspends_until_then_and_goes_on_with_a_fresh_job(world: World) -> None:
    world.plays(
        {"write": "half.py", "content": "half\n"},
        {"end": "quota", "message": "usage limit reached", "resetsInSeconds": 3600},
        then=({"write": "rest.py", "content": "x\n"},),
    )
    suspended = world.drive(Stage.SUBMIT)
    assert isinstance(suspended, Suspend)
    assert suspended.reason is WaitingReason.QUOTA
    assert suspended.until is not None
    assert suspended.until.timestamp() > time.time() + 3000
    waits = world.step(Stage.SUBMIT)
    assert isinstance(waits, Suspend)
    assert (waits.reason, waits.until) == (WaitingReason.QUOTA, suspended.until)
    world.services.cooldowns.clear()
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"] == f"{world.run_id}/submit-1.1"
    assert done.result["codexTaskId"] == checkpoint_of(suspended)["codexTaskId"]
    assert world.vcs.read(REPOSITORY, done.result["wip"], "half.py") == b"half\n"
    assert len(world.artifacts.of("codex_logs")) == 2


def test_a_quota_without_a_reset_fails_and_can_be_resumed(world: World) -> None:
    world.plays({"end": "quota", "message": "no credits"})
    outcome = failed(world.drive(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("quota", False)


def test_a_silent_agent_is_stopped_and_its_work_kept(world: World) -> None:
    world.limits = JobLimits(stall_seconds=0.5, total_seconds=30)
    world.plays({"write": "half.py", "content": "x"}, {"hang": True})
    outcome = failed(world.drive(Stage.SUBMIT))
    assert outcome.error.code == "agent_stalled"
    assert checkpoint_of(outcome)["partialPatch"]


def test_a_job_whose_supervisor_was_killed_is_lost_and_nothing_of_it_runs_on(world: World) -> None:
    world.plays({"write": "half.py", "content": "x"}, {"hang": True}, then=({"write": "b.py", "content": "y"},))
    world.step(Stage.SUBMIT)
    key = f"{world.run_id}/submit-1"
    until = time.monotonic() + 20
    while world.agent.poll(key).agent_pid is None or not (world.workspace / "half.py").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    seen = world.agent.poll(key)
    assert seen.pid
    assert seen.agent_pid
    os.kill(seen.pid, signal.SIGKILL)
    world.wait_for_agent()
    outcome = failed(world.step(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("agent_lost", True)
    assert not alive(seen.agent_pid)
    assert isinstance(world.drive(Stage.SUBMIT), Done)


def test_a_secret_in_unfinished_work_is_not_stored(tmp_path: Path) -> None:
    secret = "ghp_averysecrettokenvalue0123456789"
    world = World(tmp_path, secrets=(secret,))
    world.step(Stage.DISCOVER)
    world.plays({"write": "a.py", "content": f"token = '{secret}'\n"}, {"end": "failed", "message": secret})
    outcome = failed(world.drive(Stage.SUBMIT))
    assert "partialPatch" not in checkpoint_of(outcome)
    assert checkpoint_of(outcome)["leaks"] == ["a.py"]
    assert secret not in outcome.error.message
    assert world.artifacts.of("codex_patch") == []


def test_a_new_plan_begins_with_a_fresh_folder_and_a_fresh_thread(world: World) -> None:
    world.plays({"write": "old.py", "content": "x"}, {"end": "failed", "message": "no"}, then=({"write": "n.py"},))
    old = checkpoint_of(failed(world.drive(Stage.SUBMIT)))["codexTaskId"]
    world.checkpoints.clear()  # as restart_from_discovery does
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["codexTaskId"] != old
    assert world.vcs.read(REPOSITORY, done.result["wip"], "old.py") is None
