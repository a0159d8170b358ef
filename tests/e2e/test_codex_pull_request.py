"""The whole of it: RabbitMQ, PostgreSQL, uvicorn, one worker and the real Codex publish two phases in one pull request."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import git_repos, spec_kit
from tests.support.agents import adding, codex_binary
from tests.support.codex_team import KEY, TOKEN, codex_team
from tests.support.leaks import files_with, rows_with
from tests.support.processes import argv_with
from tests.support.responses_server import ResponsesServer
from tests.support.team import RUNS, TERMINAL, Team
from tests.support.waiting import until

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.codex_real,
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

REPOSITORY = "octo/hello"
BRANCH = "moonmind/001-hello"
PACKAGE = '"""Greets the reader."""\n\n__version__ = "1.0"\n'
GREET = 'def greet(name: str) -> str:\n    return f"Hello, {name}!"\n'
CURIOUS = "env; cat /proc/self/environ $CODEX_HOME/*.toml $CODEX_HOME/*.json ../*; cat .git/config; git remote -v; true"


DOCKER = pytest.param("docker", marks=[pytest.mark.docker])


NONE, CODEX = (pytest.param(kind, marks=[pytest.mark.full]) for kind in ("none", "codex"))


@pytest.fixture(params=[NONE, CODEX, "bubblewrap", DOCKER])
def members(request: pytest.FixtureRequest, empty_postgres_url: str) -> Iterator[Team]:
    with codex_team(request.param, request, empty_postgres_url) as made:
        yield made


def test_two_phases_are_published_in_one_pull_request_and_no_key_is_seen(
    members: Team, empty_postgres_url: str
) -> None:
    spec_kit.initialize(members.folder / "author", members.folder / "home")
    bare = members.bare(REPOSITORY)
    base = spec_kit.publish(members.folder / "author", bare)
    go = members.folder / "go"
    turns: list[dict[str, Any]] = [
        {"exec": CURIOUS},
        {"patch": adding("hello/__init__.py", PACKAGE), "wait_for": str(go)},
        {"message": "T001: done"},
        {"patch": adding("hello/greet.py", GREET)},
        {"message": "T002: done"},
    ]
    with ResponsesServer({"turns": turns, "per_request": True}, members.folder / "model.jsonl", KEY) as model:
        members.env["CODEX_BASE_URL"] = model.url
        members.migrate()
        members.api()
        members.worker()

        asked = curl(members, "", repository=REPOSITORY)
        assert asked["status"] in {"pending", "running"}
        first_id = asked["id"]
        until(lambda: len(turns_served(model)) >= 2, "the agent's second turn", 60)
        an_agent_at_work_holds_no_key(members, first_id)
        go.touch()
        first = ended(members, first_id)
        succeeded(members, first, bare, base, {"hello/__init__.py": PACKAGE}, "T001")
        of_the_model(first, model, requests=3, before=0)
        # The agent did look for keys, and what it saw is in its log.
        assert "SPECIFY_FEATURE=001-hello" in (members.artifacts(first_id) / first["codexLogsPath"]).read_text("utf-8")

        second = ended(members, curl(members, "", repository=REPOSITORY, featureKey="001-hello")["id"])
        tip = git_repos.log_of(bare, BRANCH)[1].commit
        succeeded(members, second, bare, tip, {"hello/greet.py": GREET}, "T002")
        of_the_model(second, model, requests=2, before=3)
        assert second["pullRequestUrl"] == first["pullRequestUrl"]
        assert second["codexTaskId"] != first["codexTaskId"]

        pulls = members.pulls(REPOSITORY)
        assert (pulls["creates"], len(pulls["pulls"])) == (1, 1)
        assert curl(members, "?status=succeeded")["items"][0]["id"] == second["id"]
    for secret in (KEY, TOKEN):
        assert files_with(members.folder, secret) == []
        assert rows_with(empty_postgres_url, secret) == []
        assert argv_with(secret) == []


def an_agent_at_work_holds_no_key(members: Team, run_id: str) -> None:
    handle = members.handle(run_id)
    assert handle is not None
    for pid in (handle["pid"], handle["agent_pid"]):
        around = Path(f"/proc/{pid}/environ").read_bytes()
        assert KEY.encode() not in around
        assert TOKEN.encode() not in around
    assert argv_with(KEY) == argv_with(TOKEN) == []
    homes = members.state / "homes"
    assert [path.stat().st_mode & 0o777 for path in homes.iterdir()] == [0o700]
    assert files_with(members.state, KEY) == files_with(members.state, TOKEN) == []


def succeeded(members: Team, run: dict[str, Any], bare: Path, parent: str, files: dict[str, str], task: str) -> None:
    """The run's one commit holds the agent's files and a box that MoonMind ticked, and its log says what Codex did."""
    assert run["status"] == "succeeded", run
    assert run["branchName"] == BRANCH
    commit = git_repos.log_of(bare, BRANCH)[0]
    assert commit.parents == (parent,)
    before, after = git_repos.tree_of(bare, parent), git_repos.tree_of(bare, commit.commit)
    tasks = f"{spec_kit.FEATURE}/tasks.md"
    ticked = before[tasks].replace(f"- [ ] {task}".encode(), f"- [x] {task}".encode())
    assert ticked != before[tasks]
    assert after == before | {name: content.encode() for name, content in files.items()} | {tasks: ticked}
    log = (members.artifacts(run["id"]) / run["codexLogsPath"]).read_text("utf-8").splitlines()
    assert json.loads(log[0]) == {"type": "thread.started", "thread_id": run["codexTaskId"]}
    audit = run["credentialAudit"]
    assert (audit["codexStatus"], audit["githubStatus"]) == ("passed", "skipped")
    said = subprocess.run([str(codex_binary()), "--version"], capture_output=True, text=True, check=True).stdout
    assert audit["environmentSnapshot"]["version"] == said.removeprefix("codex-cli").strip()
    assert audit["environmentSnapshot"]["label"] == "prod"


def of_the_model(run: dict[str, Any], model: ResponsesServer, *, requests: int, before: int) -> None:
    """What the model service saw and counted is what the run says."""
    served = turns_served(model)[before:]
    assert len(served) == requests
    assert {request["conversation"] for request in served} == {run["codexTaskId"]}
    assert all(request["authorized"] for request in served)
    assert (run["usage"]["inputTokens"], run["usage"]["outputTokens"]) == (100 * requests, 10 * requests)


def turns_served(model: ResponsesServer) -> list[dict[str, Any]]:
    return [request for request in model.requests() if "turn" in request]


def curl(members: Team, path: str, **body: str) -> dict[str, Any]:
    """Ask as the quickstart does."""
    argv = ["curl", "--silent", "--show-error", f"{members.url}{RUNS}{path}"]
    if body:
        argv += ["-X", "POST", "-H", "Content-Type: application/json", "-d", json.dumps(body)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "code" not in answer, answer
    return answer


def ended(members: Team, run_id: str) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        run = curl(members, f"/{run_id}")
        return run if run["status"] in TERMINAL else None

    return until(over, f"the end of run {run_id}", 90, pause=0.2)
