"""The real Codex runs a project's tests with packages that were set up for it, which it could not fetch itself."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import git_repos, spec_kit, stranger
from tests.support.agents import adding
from tests.support.codex_team import KEY, codex_team
from tests.support.package_registry import PackageRegistry
from tests.support.responses_server import ResponsesServer
from tests.support.team import Team

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.codex_real,
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

REPOSITORY = "octo/hello"
BRANCH = "moonmind/001-hello"
TASKS = f"{spec_kit.FEATURE}/tasks.md"
OUT_OF_REACH = """import sys, urllib.request

reached = 0
for url in sys.argv[1:]:
    for way in (urllib.request.ProxyHandler(), urllib.request.ProxyHandler({})):
        try:
            urllib.request.build_opener(way).open(url, timeout=5)
            reached = 1
        except OSError as error:
            print(url, error)
sys.exit(reached)
"""
"""The outcome is good where none of the addresses can be reached, by the proxy or without it."""
PYTHON_TEST = """import unittest

import hello


class TestHello(unittest.TestCase):
    def test_it_greets(self) -> None:
        self.assertEqual(hello.GREETING, "HELLO!")
"""


@dataclass(frozen=True)
class Project:
    """A project whose tests need a package of a registry."""

    files: Mapping[str, str]
    setup: str
    """The first command that sets it up."""
    written: tuple[str, str]
    """What the agent writes in its first phase: a file and its content."""
    test: str
    """The command that runs the tests."""
    where: str
    """One that prints where the package is."""
    place: str
    """What it prints."""
    settings: Mapping[str, str]
    """Of the worker."""


def python_project(registry: PackageRegistry, other: PackageRegistry, python: str) -> Project:
    """Return one that says in `.moonmind.yml` how it is set up."""
    registry.add_wheel()
    setup = [
        f"{python} -m venv .venv",
        "PIP_CONFIG_FILE=/dev/null .venv/bin/pip install -r requirements.txt",
        f".venv/bin/python out_of_reach.py {other.url}/",
    ]
    return Project(
        files={
            ".moonmind.yml": json.dumps({"environment": {"setup": setup}}),
            ".gitignore": "__pycache__/\n",
            "requirements.txt": "loud==1.0\n",
            "test_hello.py": PYTHON_TEST,
        },
        setup=setup[0],
        written=("hello/__init__.py", 'import loud\n\nGREETING = loud.shout("hello")\n'),
        test="python -m unittest",
        where="python -c 'import loud, pathlib; print(pathlib.Path(loud.__file__).parts[2])'",
        place=".venv",
        settings={"PIP_INDEX_URL": f"{registry.url}/simple/", "PIP_TRUSTED_HOST": "127.0.0.1"},
    )


def node_project(registry: PackageRegistry, other: PackageRegistry, python: str) -> Project:
    """Return one whose build files show how it is set up."""
    locked = registry.add_tarball()
    about = {"name": "hello", "version": "1.0.0", "dependencies": {"loud": "1.0.0"}}
    scripts = {"postinstall": f"{python} out_of_reach.py {other.url}/", "test": "node test-hello.js"}
    lock = {
        "name": "hello",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {"": {**about, "hasInstallScript": True}, "node_modules/loud": locked},
    }
    return Project(
        files={
            "package.json": json.dumps({**about, "scripts": scripts}),
            "package-lock.json": json.dumps(lock),
            "test-hello.js": 'require("assert").equal(require("./hello"), "HELLO!");\n',
        },
        setup="npm ci",
        written=("hello/index.js", 'module.exports = require("loud")("hello");\n'),
        test="npm test",
        where='node -p \'require.resolve("loud").split("/")[2]\'',
        place="node_modules",
        settings={"npm_config_registry": f"{registry.url}/"},
    )


@pytest.fixture
def other() -> Iterator[PackageRegistry]:
    """A port that no list of hosts names."""
    with PackageRegistry() as made:
        yield made


@pytest.fixture
def registry() -> Iterator[PackageRegistry]:
    """A registry that answers nobody before its test says so."""
    with PackageRegistry(opened=False) as made:
        yield made


DOCKER = pytest.param("docker", None, marks=[pytest.mark.docker, pytest.mark.full])
STRANGER = pytest.param("bubblewrap", stranger.USER, marks=[pytest.mark.full], id="another-user")


@pytest.mark.parametrize(("wall", "user"), [("bubblewrap", None), DOCKER, STRANGER])
@pytest.mark.full
def test_tests_of_python_run_with_what_was_installed_once(
    wall: str,
    user: int | None,
    registry: PackageRegistry,
    other: PackageRegistry,
    empty_postgres_url: str,
    request: pytest.FixtureRequest,
) -> None:
    python, shown = str(Path(sys.executable).resolve()), {}
    if user is not None:
        stranger.require_stranger("ensurepip", "venv", "psycopg", "pydantic_core")
        python = stranger.PYTHON
    elif wall == "bubblewrap":
        shown = {"MOONMIND_SANDBOX_READ": sys.base_prefix}
    project = python_project(registry, other, python)
    with codex_team(wall, request, empty_postgres_url, user, **project.settings, **shown) as members:
        two_phases_are_published(members, project, python, registry, other)


@pytest.mark.full
def test_tests_of_node_run_with_what_a_lock_file_names(
    registry: PackageRegistry, other: PackageRegistry, empty_postgres_url: str, request: pytest.FixtureRequest
) -> None:
    if not all(Path("/usr/bin", program).exists() for program in ("node", "npm")):
        pytest.skip("machine: there is no Node in /usr, where jobs see it")
    python = str(Path(sys.executable).resolve())
    project = node_project(registry, other, python)
    settings = {**project.settings, "MOONMIND_SANDBOX_READ": sys.base_prefix}
    with codex_team("bubblewrap", request, empty_postgres_url, **settings) as members:
        two_phases_are_published(members, project, python, registry, other)


def two_phases_are_published(
    members: Team, project: Project, python: str, registry: PackageRegistry, other: PackageRegistry
) -> None:
    spec_kit.initialize(members.folder / "author", members.folder / "home")
    bare = members.bare(REPOSITORY)
    base = spec_kit.publish(members.folder / "author", bare, tasks_for(project))
    members.hand_over()
    name, content = project.written
    turns: list[dict[str, Any]] = [
        {"patch": adding(name, content)},
        {"exec": proof(project, python, registry, 1)},
        {"message": "T001: done"},
        {"patch": adding("hello/greet.txt", "Hello\n")},
        {"exec": proof(project, python, registry, 2)},
        {"message": "T002: done"},
    ]
    with ResponsesServer({"turns": turns, "per_request": True}, members.folder / "model.jsonl", KEY) as model:
        members.env["CODEX_BASE_URL"] = model.url
        members.migrate()
        members.api()
        members.worker()

        first_id = members.create(REPOSITORY)
        members.await_run(
            first_id, lambda run: (run.get("waiting") or {}).get("reason") == "environment", "the wait for the build"
        )
        assert model.requests() == []
        registry.opened.set()
        first = members.succeed(first_id)
        log = (members.artifacts(first_id) / "environment/1-root.log").read_text("utf-8")
        assert f"{other.url}/ HTTP Error 403: {other.address} is not allowed" in log
        assert other.asked == []
        assert registry.asked
        fetched, builds = list(registry.asked), builds_of(members)

        second = members.succeed(members.create(REPOSITORY, featureKey="001-hello"))
        assert registry.asked == fetched, "neither an agent nor another build could reach it, or had to"
        assert builds_of(members) == builds

    for number, run, files in ((1, first, {name: content}), (2, second, {"hello/greet.txt": "Hello\n"})):
        of_the_agents_tests(members, run, project)
        commit = git_repos.log_of(bare, BRANCH)[2 - number]
        before, after = (git_repos.tree_of(bare, at) for at in (commit.parents[0], commit.commit))
        expected = {path: text.encode() for path, text in files.items()}
        expected |= {f"proof-{number}.txt": f"{project.place}\n".encode(), TASKS: after[TASKS]}
        assert after == before | expected, "and nothing of the environment"
    (pull,) = members.pulls(REPOSITORY)["pulls"]
    assert f"**Set up for the agent:** `{project.setup}`" in pull["body"]
    assert git_repos.log_of(bare, BRANCH)[1].parents == (base,)


def tasks_for(project: Project) -> dict[str, str]:
    """Return the feature's files, with tasks that name the project's, and the project itself."""
    tasks = spec_kit.FILES[TASKS].replace("hello/__init__.py", project.written[0]).replace("greet.py", "greet.txt")
    return {**spec_kit.FILES, **project.files, TASKS: tasks, "out_of_reach.py": OUT_OF_REACH}


def proof(project: Project, python: str, registry: PackageRegistry, number: int) -> str:
    """Return a command that succeeds where the tests do, the package is there, and its registry is out of reach."""
    return f"{project.test} && {python} out_of_reach.py {registry.url}/ && {project.where} > proof-{number}.txt"


def of_the_agents_tests(members: Team, run: Mapping[str, Any], project: Project) -> None:
    """The agent's log says that the command succeeded."""
    log = (members.artifacts(run["id"]) / run["codexLogsPath"]).read_text("utf-8").splitlines()
    items = [line.get("item", {}) for line in map(json.loads, log) if line["type"] == "item.completed"]
    (command,) = [item for item in items if item["type"] == "command_execution"]
    assert command["exit_code"] == 0, command
    assert project.test in command["command"]
    assert "refused" in command["aggregated_output"]


def builds_of(members: Team) -> list[str]:
    """List the jobs that have built environments."""
    return sorted(path.name for path in (members.state / "jobs/env").iterdir())
