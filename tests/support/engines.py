"""The two ways to run stages, and what must be true of a run that succeeded, however rough the way."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from moonmind.sample import source as sample
from tests.support import git_repos
from tests.support.databases import emptied
from tests.support.processes import Process
from tests.support.team import Team, new_queue, rabbitmq_url, team

SAMPLE = "moonmind/spec-kit-reference"
BRANCH = "moonmind/spec-42-refresh-docs"
TASKS = "specs/spec-42-refresh-docs/tasks.md"
ENGINES = [
    pytest.param("embedded", marks=pytest.mark.sqlite),
    pytest.param("rabbitmq", marks=[pytest.mark.postgres, pytest.mark.rabbitmq]),
]
# Leases end soon after a kill, so that a test need not wait for them.
SHORT_LEASES = {"MOONMIND_LEASE_SECONDS": "3", "MOONMIND_HEARTBEAT_SECONDS": "0.5"}
TEST_MODE = {"SPEC_WORKFLOW_TEST_MODE": "1"}


class Engine:
    """One way to run stages: embedded, or a worker on RabbitMQ; started, killed and started again."""

    def __init__(self, members: Team, *, embedded: bool) -> None:
        self.team = members
        self.embedded = embedded

    def prepare(self) -> None:
        if not self.embedded:
            self.team.migrate()
            self.team.api()

    def start(self, **env: str) -> Process:
        if not self.embedded:
            return self.team.worker(**env)
        process = self.team.start("up", "moonmind.cli.main", "up", "--port", str(self.team.port), **env)
        self.team.await_api(process)
        return process


@contextmanager
def engine_of(kind: str, request: pytest.FixtureRequest, settings: Mapping[str, str]) -> Iterator[Engine]:
    """Return an engine of a kind of `ENGINES`, prepared but not started."""
    with team(**(place_of(kind, request) | dict(settings))) as members:
        made = Engine(members, embedded=kind == "embedded")
        made.prepare()
        yield made


def place_of(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the settings that say where messages go and rows live."""
    if kind == "embedded":
        return {}
    return {
        "CELERY_BROKER_URL": rabbitmq_url(),
        "DATABASE_URL": emptied(request.getfixturevalue("migrated_postgres_url")),
        "SPEC_WORKFLOW_CODEX_QUEUE": new_queue(),
    }


def script_that_waits(place: Path, release: Path) -> None:
    """Write a script of an agent that has begun its work and goes on when it is told to."""
    steps = [
        {"say": "at work"},
        {"wait_for": str(release)},
        {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
        {"claim": ["T001", "T002", "T003", "T004"]},
        {"end": "completed", "message": "done"},
    ]
    place.write_text(json.dumps({"version": 1, "steps": steps}))


def make_sample(members: Team, repository: str = SAMPLE, tasks_md: bytes | None = None) -> Path:
    """Make the sample repository before MoonMind does, so that the test can set it up; returns its place."""
    bare = members.bare(repository)
    git_repos.make_bare(bare, {**sample.files(), **({} if tasks_md is None else {TASKS: tasks_md})})
    return bare


def assert_published_once(
    members: Team, run: Mapping[str, Any], branch: str = BRANCH, repository: str = SAMPLE, status: str = "succeeded"
) -> None:  # fmt: skip
    """One branch with one commit, one pull request, and no stage done twice."""
    bare = members.bare(repository)
    assert (run["status"], run["branchName"]) == (status, branch)
    assert [name for name in git_repos.branches_of(bare) if name.startswith("moonmind/")] == [branch]
    assert len(git_repos.log_of(bare, f"main..{branch}")) == 1
    assert members.pulls(repository)["creates"] == 1
    assert done(members, run) == ["discover", "submit", "apply", "publish"]


def done(members: Team, run: Mapping[str, Any]) -> list[str]:
    """List the stages that were completed, each as often as it was; the last one closes the run instead."""
    return [event["taskName"] for event in members.events(str(run["id"])) if event["type"] == "attempt.succeeded"]


def attempts(members: Team, run: Mapping[str, Any], stage: str) -> set[int]:
    """Number the attempts that were started at a stage."""
    started = [event for event in members.events(str(run["id"])) if event["type"] == "attempt.started"]
    return {event["data"]["attempt"] for event in started if event["taskName"] == stage}
