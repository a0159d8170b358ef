"""The embedded MoonMind from outside: the commands of `moonmind` against a server at work, and how it ends."""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from moonmind.os_user import own_name
from tests.support import git_repos
from tests.support.processes import PYTHON, group_of, processes_of
from tests.support.reader import Reader
from tests.support.team import RUNS, Team, team
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.sqlite

SAMPLE = "moonmind/spec-kit-reference"
STAGES = ["discover", "submit", "apply", "publish", "finalize"]


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read standard output, which is JSON and nothing else."""
        return json.loads(self.out)


class Shell:
    """A second terminal, with the environment of the first."""

    def __init__(self, members: Team) -> None:
        self._members = members

    def moonmind(self, *arguments: str, seconds: float = 60) -> Answer:
        done = subprocess.run(
            [PYTHON, "-m", "moonmind.cli.main", *arguments], cwd=self._members.work, env=self._members.env,
            capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def members() -> Iterator[Team]:
    with team(SPEC_WORKFLOW_TEST_MODE="1") as made:
        yield made


@pytest.fixture
def shell(members: Team) -> Shell:
    return Shell(members)


def waits(members: Team, release: Path) -> None:
    """Let the agent begin, and go on when it is told to."""
    script = members.folder / "script.json"
    steps = [
        {"say": "at work"},
        {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
        {"wait_for": str(release)},
        {"claim": ["T001", "T002", "T003"]},
        {"end": "completed", "message": "done"},
    ]
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    members.env["MOONMIND_SCRIPT"] = str(script)


def is_with_its_agent(run: dict[str, Any]) -> bool:
    return (run.get("waiting") or {}).get("reason") == "agent"


@pytest.mark.slow
def test_every_command_speaks_to_the_server_at_work(members: Team, shell: Shell) -> None:
    queued = shell.moonmind("run", SAMPLE, "--json")
    assert (queued.code, queued.json["status"]) == (0, "pending")
    assert queued.err == "No worker is online; the run stays queued until one starts. Start one with `moonmind up`.\n"
    members.up()
    first = members.succeed(queued.json["id"])
    assert [task["state"] for task in first["tasks"]] == ["succeeded"] * 5

    doctor = shell.moonmind("doctor", "--json")
    assert (doctor.code, doctor.json["ready"]) == (0, True)
    assert {check["status"] for check in doctor.json["checks"]} <= {"passed", "skipped"}

    shown = shell.moonmind("show", first["id"][:8], "--json")
    assert (shown.code, shown.json) == (0, first)
    listed = shell.moonmind("runs", "--json")
    assert [run["id"] for run in listed.json["items"]] == [first["id"]]
    logs = shell.moonmind("logs", first["id"], "--json")
    lines = [json.loads(line) for line in logs.out.splitlines()]
    assert (logs.code, lines[0]) == (0, {"type": "thread.started", "thread_id": first["codexTaskId"]})
    assert shell.moonmind("logs", first["id"][:8]).out.strip()

    git_repos.install_hook(members.bare(), "pre-receive", "echo not today >&2; exit 1")
    failed = shell.moonmind("run", SAMPLE, "--watch", "--json")
    run = json.loads(failed.out.splitlines()[-1])
    assert (failed.code, run["status"], run["currentTaskName"]) == (1, "failed", "publish")
    assert "not today" in shell.moonmind("show", run["id"][:8]).out
    (members.bare() / "hooks/pre-receive").unlink()
    retried = shell.moonmind("retry", run["id"][:8], "--notes", "The hook is gone", "--json")
    assert (retried.code, retried.json["status"]) == (0, "retrying")
    second = members.succeed(run["id"])
    assert [task["taskName"] for task in second["tasks"]] == [*STAGES, "retry"]
    assert second["pullRequestUrl"] == first["pullRequestUrl"]

    refused = shell.moonmind("retry", run["id"][:8], "--json")
    assert (refused.code, refused.json["code"]) == (3, "not_retryable")
    nobody = shell.moonmind("show", "00000000-0000-4000-8000-000000000000", "--json")
    assert (nobody.code, nobody.json["code"]) == (3, "not_found")


def test_a_run_at_work_is_cancelled_from_another_terminal(members: Team, shell: Shell) -> None:
    waits(members, members.folder / "never")
    server = members.up()
    run_id = shell.moonmind("run", SAMPLE, "--json").json["id"]
    members.await_run(run_id, is_with_its_agent, "the suspension")
    cancelled = shell.moonmind("cancel", run_id[:8], "--json")
    assert cancelled.code == 0
    assert cancelled.json["cancelRequestedAt"]
    assert members.finish(run_id)["status"] == "cancelled"
    server.send(signal.SIGINT)  # as Ctrl-C does
    ends_well(members, [server.wait(PATIENCE)])


def test_a_server_that_is_asked_to_end_does_so_with_0_and_its_run_goes_on_next_time(members: Team) -> None:
    release = members.folder / "release"
    waits(members, release)
    server = members.up()
    assert (members.work / "var/server.json").exists()
    run_id = members.create()
    members.await_run(run_id, is_with_its_agent, "the suspension")
    assert server.terminate() == 0, server.text()
    assert group_of(server.pid) == []
    assert not (members.work / "var/server.json").exists()
    assert "Traceback" not in server.text()
    # The agent is no part of the server: it is still at work, and is found again.
    handle = members.handle(run_id)
    members.up()
    assert members.handle(run_id) == handle
    release.touch()
    run = members.succeed(run_id)
    assert [task["retryCount"] for task in run["tasks"]] == [0] * 5
    ends_well(members, [members.processes[-1].terminate()])


@pytest.mark.slow
def test_a_server_that_reloads_goes_on_with_its_run(members: Team) -> None:
    release = members.folder / "release"
    waits(members, release)
    reader = Reader(members)
    script = members.env["MOONMIND_SCRIPT"]  # it waits for a file that is not there behind a wall
    reader.env |= {"SPEC_WORKFLOW_TEST_MODE": "1", "MOONMIND_SCRIPT": script, "MOONMIND_SANDBOX": "none"}
    server = reader.leaves_running("api", f"poetry run uvicorn api_service.main:app --reload --port {members.port}")
    members.await_api(server)
    assert "using WatchFiles" in server.text()  # the other watcher dies when a folder goes while it looks, as git's do
    run_id = members.create()
    members.await_run(run_id, is_with_its_agent, "the suspension")
    (reader.root / "api_service/main.py").touch()
    until(lambda: server.text().count("Application startup complete") == 2, "the second start")
    release.touch()
    run = members.succeed(run_id)
    assert [task["retryCount"] for task in run["tasks"]] == [0] * 5
    server.terminate()
    until(lambda: group_of(server.pid) == [], "the end of the server's processes")


def test_uvicorn_alone_runs_the_embedded_engine_too(members: Team) -> None:
    server = members.api()
    assert members.succeed(members.create())["startedBy"] == own_name()
    server.terminate()
    assert group_of(server.pid) == []
    ends_well(members, [0])


@pytest.mark.full
def test_a_named_token_asks_by_its_name_until_it_is_revoked(members: Team, shell: Shell) -> None:
    waits(members, members.folder / "never")
    server = members.up()
    tokens = {name: shell.moonmind("token", "create", *name.split()).out.strip() for name in ("ci", "dash --read")}

    def ask(name: str, method: str = "GET", **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {tokens[name]}"}
        return httpx.request(method, f"{members.url}{RUNS}", headers=headers, timeout=30, **given)

    started = ask("ci", "POST", json={"repository": SAMPLE})
    assert (started.status_code, started.json()["startedBy"]) == (202, "ci")
    assert (ask("dash --read").status_code, ask("dash --read", "POST", json={}).status_code) == (200, 403)
    run_id = started.json()["id"]
    members.await_run(run_id, is_with_its_agent, "the suspension")
    cancelled = shell.moonmind("cancel", run_id, "--json")
    assert (cancelled.code, members.finish(run_id)["status"]) == (0, "cancelled")
    asked = [(event["type"], event["actor"]) for event in members.events(run_id) if event["actor"]]
    assert asked == [("run.created", "ci"), ("run.cancel_requested", own_name())]
    assert shell.moonmind("token", "revoke", "ci").code == 0
    until(lambda: ask("ci").status_code == 401, "the refusal of a revoked token", 5)
    server.terminate()
    assert [text for text in tokens.values() if text in server.text()] == []
    files = [place.read_bytes() for place in members.folder.rglob("*") if place.is_file()]
    assert [name for name, text in tokens.items() if any(text.encode() in content for content in files)] == []


def ends_well(members: Team, codes: list[int]) -> None:
    """Every code is 0, and no process of this installation is left."""
    assert codes == [0] * len(codes)
    until(lambda: processes_of(str(members.folder)) == [], "the end of every process")


@pytest.mark.slow
@pytest.mark.full
def test_a_suspected_secret_goes_back_to_the_agent_with_notes(members: Team, shell: Shell) -> None:
    token = "ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"
    end = [{"claim": ["T001", "T002", "T003"]}, {"end": "completed", "message": "done"}]
    bad = [
        {"write": "refresh_docs/a.py", "content": f"T = '{token}'\n"},
        {"write": "refresh_docs/__init__.py", "content": "B = 1\n"},
    ]
    good = [{"write": "refresh_docs/a.py", "content": "import os\n\nT = os.environ['T']\n"}]
    script = members.folder / "script.json"
    script.write_text(json.dumps({"version": 1, "attempts": [{"steps": [*bad, *end]}, {"steps": [*good, *end]}]}))
    members.env["MOONMIND_SCRIPT"] = str(script)
    members.up()
    failed = json.loads(shell.moonmind("run", SAMPLE, "--watch", "--json").out.splitlines()[-1])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "secret_suspected")
    assert shell.moonmind("retry", failed["id"][:8], "--notes", "Read it from the environment", "--json").code == 0
    done = members.succeed(failed["id"])
    assert done["codexTaskId"] == failed["codexTaskId"]
    assert {"refresh_docs/a.py", "refresh_docs/__init__.py"} <= set(
        git_repos.tree_of(members.bare(), f"refs/heads/{done['branchName']}")
    )
