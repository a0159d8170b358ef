"""Projects whose phases the real Codex does at the same time in one team, each as its own script says, and whose tests are run."""

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.support import git_repos
from tests.support.codex_team import KEY, codex_team
from tests.support.git_repos import Logged
from tests.support.package_registry import PackageRegistry
from tests.support.responses_server import ResponsesServer
from tests.support.team import Team

Turns = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Project:
    """A repository with one feature, and what the agent does in its first phase."""

    name: str
    tasks: str
    """The lines of the phase."""
    turns: Turns
    """What the model says, one answer after the other."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Of the base branch, beside the feature's."""
    tested_in: str = ""
    """The phase's title; a default where it does not matter."""

    @property
    def folder(self) -> str:
        """The feature's folder."""
        return f"specs/001-{self.name}"

    @property
    def tree(self) -> dict[str, bytes | str]:
        """The files of the base branch."""
        title = self.name.capitalize()
        return {
            **self.files,
            f"{self.folder}/spec.md": f"# Feature Specification: {title}\n",
            f"{self.folder}/plan.md": f"# Plan: {title}\n",
            f"{self.folder}/tasks.md": f"# Tasks: {title}\n\n## Phase 1: {self.tested_in or title}\n\n{self.tasks}",
        }


class ModelOfProjects(ResponsesServer):
    """Plays each project's own answers: a conversation is of the project whose feature's folder it names."""

    def __init__(self, projects: Sequence[Project], log: Path) -> None:
        super().__init__([], log, KEY)
        self._projects = {f"{one.folder}/": one for one in projects}
        self._of: dict[str, Project] = {}
        self._lock = threading.Lock()
        self.answers: Counter[str] = Counter()
        """How many each project's agent was given."""

    def next_turn(self, conversation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the next answer of the conversation's project; the last one again where there are no more."""
        with self._lock:
            if conversation not in self._of:
                said = json.dumps(body)
                (self._of[conversation],) = (one for folder, one in self._projects.items() if folder in said)
            project = self._of[conversation]
            number = self.answers[project.name]
            self.answers[project.name] += 1
        return number, dict(project.turns[min(number, len(project.turns) - 1)])


@dataclass(frozen=True)
class Verified:
    """What became of a project's phase, for whoever looks."""

    project: Project
    run: Mapping[str, Any]
    """As the API shows it."""
    output: Mapping[str, Any]
    """`apply/output.json`."""
    pull: Mapping[str, Any]
    commit: Logged
    before: Mapping[str, bytes]
    """The tree of the base branch."""
    after: Mapping[str, bytes]
    """The published one."""
    artifacts: Path
    events: Sequence[Mapping[str, Any]]
    answers: int
    """What the model was asked for."""
    wall: str

    @property
    def body(self) -> str:
        """The pull request's text."""
        return str(self.pull["body"])

    @property
    def words(self) -> dict[str, str]:
        """The verdict on each task."""
        return {one["id"]: one["verdict"] for one in self.output["verdicts"]}

    @property
    def reasons(self) -> dict[str, str]:
        """The reason of each verdict."""
        return {one["id"]: one["because"] for one in self.output["verdicts"]}

    @property
    def commands(self) -> list[dict[str, Any]]:
        """What came of each test command."""
        return list(self.output["tests"]["commands"])

    @property
    def lines(self) -> list[str]:
        """The lines of the pull request's text."""
        return self.body.splitlines()

    @property
    def trailers(self) -> str:
        """What the commit says of the tests, and of a person who let it pass."""
        own = ("Verified: ", "Approved: ")
        return "\n".join(line for line in self.commit.body.splitlines() if line.startswith(own))

    @property
    def changed(self) -> set[str]:
        """The paths that differ between the base branch and what is published, but for the tasks."""
        paths = {*self.before, *self.after} - {f"{self.project.folder}/tasks.md"}
        return {path for path in paths if self.before.get(path) != self.after.get(path)}

    @property
    def kept(self) -> set[str]:
        """Names of the files that verification left with the run."""
        folder = self.artifacts / "verification"
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    def log(self, name: str) -> str:
        """Read one of them."""
        return (self.artifacts / "verification" / name).read_text("utf-8")

    def agents_commands(self) -> list[dict[str, Any]]:
        """List the commands that the agent ran, with what came of them."""
        logs = [path.read_text("utf-8").splitlines() for path in sorted(self.artifacts.glob("codex/*.jsonl"))]
        lines = [json.loads(line) for log in logs for line in log]
        items = [line.get("item", {}) for line in lines if line["type"] == "item.completed"]
        return [item for item in items if item["type"] == "command_execution"]

    @property
    def waits(self) -> list[str]:
        """What the run waited for, by its events, in order."""
        return [str(one["data"]["reason"]) for one in self.events if one["type"] == "attempt.parked"]

    @property
    def phases(self) -> list[str]:
        """What it waited for, each once however often it looked."""
        return [reason for reason, _ in groupby(self.waits)]


class ProjectTeam:
    """A team at work on all projects."""

    def __init__(self, members: Team, model: ModelOfProjects, projects: Sequence[Project], wall: str) -> None:
        self.members = members
        self.model = model
        self.wall = wall
        self._projects = {one.name: one for one in projects}
        self._runs: dict[str, str] = {}
        self.of = cache(self._of)
        """`of(name)` waits for the end of a project's run, which has to succeed."""

    @property
    def starts_postgres(self) -> bool:
        """Return True if a job may start one: its programs are there, and it is not root's."""
        there = any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        # In the image one user has a name: whom root's jobs run as.
        return there and (self.wall == "docker") is (self.members.user is None and os.geteuid() == 0)

    def start(self) -> None:
        """Publish the repositories, and ask for a run of each."""
        for one in self._projects.values():
            bare = self.members.bare(f"octo/{one.name}")
            bare.parent.mkdir(parents=True, exist_ok=True)
            git_repos.make_bare(bare, one.tree)
        self.members.hand_over()
        self.members.migrate()
        self.members.api()
        self.members.worker()
        for name in self._projects:
            self._runs[name] = self.members.create(f"octo/{name}")

    def asked(self, name: str) -> dict[str, Any]:
        """Wait until a project's run asks something, and return that."""
        run = self.members.await_run(self._runs[name], lambda run: run["attention"] is not None, "the question", 400)
        return dict(run["attention"])

    def approve(self, name: str, why: str) -> None:
        """Approve what a project's run asks about."""
        accepted = self.members.post(f"/{self._runs[name]}/answer", approve=True, why=why)
        assert accepted.status_code == 202, accepted.text

    def _of(self, name: str) -> Verified:
        project, members, run_id = self._projects[name], self.members, self._runs[name]
        run = members.succeed(run_id, 400)
        bare = members.bare(f"octo/{name}")
        artifacts = members.artifacts(run_id)
        (pull,) = members.pulls(f"octo/{name}")["pulls"]
        (commit, *_) = git_repos.log_of(bare, run["branchName"])
        return Verified(
            project=project,
            run=run,
            output=json.loads((artifacts / "apply/output.json").read_text("utf-8")),
            pull=pull,
            commit=commit,
            before=git_repos.tree_of(bare, commit.parents[0]),
            after=git_repos.tree_of(bare, commit.commit),
            artifacts=artifacts,
            events=members.events(run_id),
            answers=self.model.answers[name],
            wall=self.wall,
        )


@contextmanager
def project_team(
    wall: str, request: pytest.FixtureRequest, database_url: str, projects: Sequence[Project], index: PackageRegistry,
    user: int | None = None, /, **settings: str,
) -> Iterator[ProjectTeam]:  # fmt: skip
    """Yield a team that has begun with all projects; their environments may have what the index serves."""
    given = {
        "MOONMIND_VERIFICATION": "auto",
        # More than there are cores: most of a job is waiting for its start and its end.
        "MOONMIND_MAX_AGENTS": "3",
        "MOONMIND_MAX_JOBS": "4",
        "PIP_INDEX_URL": f"{index.url}/simple/",
        "PIP_TRUSTED_HOST": "127.0.0.1",
        **settings,
    }
    with (
        codex_team(wall, request, database_url, user, **given) as members,
        ModelOfProjects(projects, members.folder / "model.jsonl") as model,
    ):
        members.env["CODEX_BASE_URL"] = model.url
        made = ProjectTeam(members, model, projects, wall)
        made.start()
        yield made
