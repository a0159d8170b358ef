"""The real Codex against a model service on loopback: it succeeds, and it outlives what runs the stages."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import git_repos
from tests.support.agents import KEY, codex_binary
from tests.support.crashes import killed_at
from tests.support.engines import (
    ENGINES,
    SHORT_LEASES,
    Engine,
    assert_published_once,
    attempts,
    engine_of,
)
from tests.support.processes import alive, inner_pid, marked_with, start_time
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until

pytestmark = pytest.mark.codex_real

REPOSITORY = "octo/phases"
BRANCH = "moonmind/001-greeting"
FEATURE: dict[str, bytes | str] = {
    "README.md": "# Phases\n",
    "specs/001-greeting/spec.md": "# Greeting\n\nA file that greets.\n",
    "specs/001-greeting/plan.md": "# Plan\n\nOne file.\n",
    "specs/001-greeting/tasks.md": "# Tasks: Greeting\n\n## Phase 1: Setup\n\n- [ ] T001 Write the greeting in greeting.txt\n",
}


def add_file(name: str, line: str) -> dict[str, Any]:
    return {"patch": f"*** Begin Patch\n*** Add File: {name}\n+{line}\n*** End Patch"}


WORK = add_file("greeting.txt", "Hello")
DONE = {"message": "T001: done"}

Scene = Callable[..., tuple[Engine, ResponsesServer]]


@pytest.fixture(params=ENGINES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Makes a model service that takes these turns, a repository, and an engine whose agent is Codex; not started."""
    binary = codex_binary()
    if binary is None:
        pytest.skip("there is no codex binary")
    with ExitStack() as stack:

        def make(*turns: Mapping[str, Any], **more: str) -> tuple[Engine, ResponsesServer]:
            script = {"turns": [dict(turn) for turn in turns], "per_request": True}
            server = stack.enter_context(ResponsesServer(script, tmp_path / "server.jsonl", KEY))
            settings = SHORT_LEASES | {
                "MOONMIND_AGENT": "codex",
                "MOONMIND_FORGE": "local",
                # No user namespaces where tests run; and the harder case, since nothing but us holds its commands.
                "MOONMIND_SANDBOX": "none",
                "CODEX_BIN": str(binary),
                "CODEX_BASE_URL": server.url,
                "CODEX_API_KEY": KEY,
                "CODEX_MODEL": "gpt-5.5",
                **more,
            }
            engine = stack.enter_context(engine_of(request.param, request, settings))
            engine.team.repositories.mkdir(exist_ok=True)
            git_repos.make_bare(engine.team.bare(REPOSITORY), FEATURE)
            return engine, server

        yield make


def threads(server: ResponsesServer) -> list[str]:
    return sorted({each["conversation"] for each in server.requests() if "turn" in each})


def asked(server: ResponsesServer) -> int:
    """Count the requests that took a turn."""
    return len([each for each in server.requests() if "turn" in each])


def holders_of_the_key(engine: Engine) -> list[Path]:
    """List the files of the installation that hold Codex's key."""
    found = []
    for path in engine.team.folder.rglob("*"):
        try:
            if path.is_file() and KEY.encode() in path.read_bytes():
                found.append(path)
        except FileNotFoundError:  # a file of the moment
            continue
    return found


def succeeded(engine: Engine, server: ResponsesServer, run_id: str, requests: int = 2) -> dict[str, Any]:
    run = engine.team.succeed(run_id)
    assert_published_once(engine.team, run, BRANCH, REPOSITORY)
    tree = git_repos.tree_of(engine.team.bare(REPOSITORY), BRANCH)
    assert tree["greeting.txt"] == b"Hello\n"
    assert b"- [x] T001" in tree["specs/001-greeting/tasks.md"]
    assert threads(server) == [run["codexTaskId"]]
    assert asked(server) == requests
    assert marked_with(run_id) == []
    return run


@pytest.mark.full
def test_codex_finishes_a_phase_and_its_key_is_nowhere(scene: Scene) -> None:
    engine, server = scene(WORK, DONE)
    engine.start()
    run = succeeded(engine, server, engine.team.create(REPOSITORY))
    assert run["usage"] == {
        "inputTokens": 200,
        "cachedInputTokens": 0,
        "outputTokens": 20,
        "reasoningOutputTokens": 0,
    }
    assert (run["modelCalls"], run["modelCallsCapped"]) == (2, True)
    summary = json.loads((engine.team.artifacts(run["id"]) / "finalize/summary.json").read_text())
    assert summary["usage"]["modelCalls"] == 2
    assert run["credentialAudit"]["codexStatus"] == "passed"
    assert holders_of_the_key(engine) == []


@pytest.mark.parametrize("place", ["after-workspace", "after-result"])
@pytest.mark.in_every_run(1)
def test_a_run_of_codex_survives_a_kill(place: str, scene: Scene, tmp_path: Path) -> None:
    engine, server = scene(WORK, DONE)
    run_id = killed_at(place, engine, tmp_path, REPOSITORY)
    before = engine.team.handle(run_id)
    assert (before is None) == (place == "after-workspace")
    engine.start()
    run = succeeded(engine, server, run_id)
    assert attempts(engine.team, run, "submit") == {1}


def test_codex_outlives_a_kill_while_it_thinks(scene: Scene, tmp_path: Path) -> None:
    release = tmp_path / "release"
    engine, server = scene(WORK | {"wait_for": str(release)}, DONE)
    first = engine.start()
    run_id = engine.team.create(REPOSITORY)
    engine.team.await_run(run_id, lambda run: (run["waiting"] or {}).get("reason") == "agent", "the suspension")
    until(lambda: asked(server) == 1, "the model's turn")
    handle = until(lambda: engine.team.handle(run_id), "the agent")
    agent, started = handle["agent_pid"], str(handle["agent_started"])
    assert agent in marked_with(run_id)
    assert holders_of_the_key(engine) == []
    for pid in {*marked_with(run_id), handle["pid"]}:
        assert KEY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert KEY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    first.kill()
    engine.start()
    assert (engine.team.handle(run_id), start_time(agent)) == (handle, started)
    release.touch()
    run = succeeded(engine, server, run_id)
    assert attempts(engine.team, run, "submit") == {1}


@pytest.mark.full
def test_after_a_quota_without_a_reset_a_retry_goes_on_in_the_same_thread(scene: Scene) -> None:
    error = {"code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your current quota."}
    refusal = {"status": 429, "body": {"error": error}}
    engine, server = scene(add_file("half.txt", "Half"), refusal, WORK, DONE)
    engine.start()
    run_id = engine.team.create(REPOSITORY)
    failed = engine.team.finish(run_id)
    assert (failed["status"], failed["currentTaskName"]) == ("failed", "submit"), failed
    assert failed["error"]["code"] == "quota", failed["error"]
    assert threads(server) == [failed["codexTaskId"]]
    assert engine.team.post(f"/{run_id}/retry").status_code == 202
    run = succeeded(engine, server, run_id, requests=4)
    assert run["codexTaskId"] == failed["codexTaskId"]
    assert attempts(engine.team, run, "submit") == {1, 2}
    assert git_repos.tree_of(engine.team.bare(REPOSITORY), BRANCH)["half.txt"] == b"Half\n"
    # Resumed: the conversation that the model is shown begins with what it did before the limit.
    shown = json.dumps([each["input"] for each in server.requests() if each.get("turn") == 2])
    assert "half.txt" in shown


def test_at_the_limit_of_model_calls_a_run_stops_and_a_retry_goes_on_in_the_same_thread(scene: Scene) -> None:
    more = {"exec": "echo more >> notes.txt"}
    engine, server = scene(add_file("half.txt", "Half"), more, more, WORK, DONE, MOONMIND_MAX_MODEL_CALLS="3")
    engine.start()
    run_id = engine.team.create(REPOSITORY)
    failed = engine.team.finish(run_id)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "model_call_limit"), failed
    assert "MOONMIND_MAX_MODEL_CALLS" in failed["error"]["remediation"]
    assert (failed["modelCalls"], failed["modelCallsCapped"], asked(server)) == (3, True, 3)
    assert attempts(engine.team, failed, "submit") == {1}
    assert any("partial" in artifact["path"] for artifact in failed["artifacts"])
    assert engine.team.post(f"/{run_id}/retry").status_code == 202
    run = succeeded(engine, server, run_id, requests=5)
    assert (run["codexTaskId"], run["modelCalls"]) == (failed["codexTaskId"], 5)
    assert git_repos.tree_of(engine.team.bare(REPOSITORY), BRANCH)["half.txt"] == b"Half\n"


def test_a_cancel_while_codex_works_leaves_no_process_and_keeps_its_patch(scene: Scene, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = f"setsid sleep 3600 & echo $! > {pids}; sleep 3600"
    engine, server = scene(add_file("half.txt", "Half"), {"exec": command}, DONE)
    engine.start()
    run_id = engine.team.create(REPOSITORY)
    until(lambda: pids.exists() and pids.read_text().strip(), "a command of the agent")
    # The agent may count processes of its own.
    left = next(pid for pid in marked_with(run_id) if inner_pid(pid) == pids.read_text().strip())
    handle = engine.team.handle(run_id)
    assert handle is not None
    assert {left, handle["agent_pid"]} <= set(marked_with(run_id))
    assert engine.team.post(f"/{run_id}/cancel").status_code == 202
    run = engine.team.finish(run_id)
    assert (run["status"], run["modelCalls"]) == ("cancelled", 2)
    assert marked_with(run_id) == []
    assert not [pid for pid in (left, handle["agent_pid"], handle["pid"]) if alive(pid)]
    kept = [each for each in run["artifacts"] if each["artifactType"] == "codex_patch"]
    assert b"+Half" in (engine.team.artifacts(run_id) / kept[-1]["path"]).read_bytes()
    assert git_repos.branches_of(engine.team.bare(REPOSITORY)) == ["main"]
    assert asked(server) == 2
