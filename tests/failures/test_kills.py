"""Kill what runs the stages, wherever it hurts: one agent, one branch, one pull request, and the run succeeds."""

import json
import os
import shutil
import signal
from pathlib import Path

from tests.support import git_repos
from tests.support.engines import Engine, assert_published_once, attempts, script_that_waits
from tests.support.processes import alive, start_time
from tests.support.waiting import until


def test_the_agent_outlives_its_worker_and_is_found_again(engine: Engine, tmp_path: Path) -> None:
    script, release = tmp_path / "script.json", tmp_path / "release"
    script_that_waits(script, release)
    engine.team.env["MOONMIND_SCRIPT"] = str(script)
    first = engine.start()
    run_id = engine.team.create()
    engine.team.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
    handle = until(lambda: engine.team.handle(run_id), "the agent")
    agent = (handle["agent_pid"], handle["agent_started"])
    first.kill()
    assert alive(agent[0])
    engine.start()
    assert engine.team.handle(run_id) == handle
    assert start_time(agent[0]) == str(agent[1])
    release.touch()
    run = engine.team.succeed(run_id)
    assert_published_once(engine.team, run)
    assert not alive(agent[0])


def test_the_next_attempt_takes_over_when_the_agents_supervisor_is_killed(engine: Engine, tmp_path: Path) -> None:
    script, release = tmp_path / "script.json", tmp_path / "release"
    script_that_waits(script, release)
    engine.team.env["MOONMIND_SCRIPT"] = str(script)
    engine.start()
    run_id = engine.team.create()
    engine.team.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
    first = until(lambda: engine.team.handle(run_id), "the agent")
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: engine.team.handle(run_id, attempt=2), "the second attempt's agent", 60)
    assert not alive(first["agent_pid"])
    release.touch()
    run = engine.team.succeed(run_id)
    assert_published_once(engine.team, run)
    assert attempts(engine.team, run, "submit") == {1, 2}


def test_a_run_ends_at_its_limit_although_the_agents_supervisor_is_stopped(engine: Engine, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    steps = [{"write": "refresh_docs/half.py", "content": "HALF = True\n"}, {"say": "half done"}, {"hang": True}]
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    engine.team.env |= {"MOONMIND_SCRIPT": str(script), "MOONMIND_AGENT_TOTAL_SECONDS": "6"}
    engine.start()
    run_id = engine.team.create()
    # Not at the handle already: a supervisor that has not answered yet is waited for much longer than this limit.
    engine.team.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
    handle = until(lambda: engine.team.handle(run_id), "the agent")
    os.kill(handle["pid"], signal.SIGSTOP)
    run = engine.team.finish(run_id, 60)
    assert (run["status"], run["error"]["code"]) == ("failed", "agent_timeout")
    assert "supervisor" in run["error"]["message"]
    assert not alive(handle["agent_pid"])
    assert not alive(handle["pid"])
    assert run["codexTaskId"]
    (patch,) = [each for each in run["artifacts"] if each["artifactType"] == "codex_patch"]
    assert b"HALF = True" in (engine.team.artifacts(run_id) / patch["path"]).read_bytes()


def test_a_cancel_while_the_agent_works_leaves_no_process_and_keeps_its_patch(engine: Engine, tmp_path: Path) -> None:
    script, release = tmp_path / "script.json", tmp_path / "never"
    steps = [
        {"write": "refresh_docs/half.py", "content": "HALF = True\n"},
        {"say": "half done"},
        {"wait_for": str(release)},
        {"end": "completed"},
    ]
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    engine.team.env["MOONMIND_SCRIPT"] = str(script)
    engine.start()
    run_id = engine.team.create()
    engine.team.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
    handle = until(lambda: engine.team.handle(run_id), "the agent")
    log = engine.team.artifacts(run_id)
    until(lambda: any("half done" in each.read_text() for each in log.rglob("*.jsonl")), "the agent's words")
    assert engine.team.post(f"/{run_id}/cancel").status_code == 202
    run = engine.team.finish(run_id)
    assert run["status"] == "cancelled"
    assert not alive(handle["agent_pid"])
    assert not alive(handle["pid"])
    patches = [each for each in run["artifacts"] if each["artifactType"] == "codex_patch"]
    assert patches, run["artifacts"]
    assert b"HALF = True" in (log / patches[-1]["path"]).read_bytes()
    assert [name for name in git_repos.branches_of(engine.team.bare()) if name.startswith("moonmind/")] == []
    shutil.rmtree(log, ignore_errors=True)
