"""A `var` that came with a clone, tried on every way to start something, and a person's own use in a clone."""

from collections.abc import Iterator

import pytest

from tests.e2e.test_env_files import COMMANDS, SPEAKS_OF_IT
from tests.support.team import Team, team


@pytest.fixture
def members() -> Iterator[Team]:
    with team() as made:
        (made.work / ".git").mkdir()
        del made.env["MOONMIND_LOCAL_REPOS"]
        yield made


@pytest.mark.sqlite
def test_every_command_refuses_a_clones_folder_and_leaves_it_as_it_was(members: Team) -> None:
    var = members.work / "var"
    hook = var / "repositories/acme/app.git/hooks/pre-receive"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {members.folder}/executed\n")
    hook.chmod(0o755)
    (var / "moonmind.db").write_bytes(b"theirs")
    sleeper = members.start("sleeper", "timeit", "-n", "1", "-r", "1", "import time; time.sleep(120)")
    (var / "server.json").write_text(f'{{"url": "http://127.0.0.1:1", "pid": {sleeper.pid}, "startTime": null}}')
    before = sorted(var.rglob("*"))
    commands = {
        **COMMANDS,
        "run": ("moonmind.cli.main", "run", "acme/app"),
        "db": ("moonmind.cli.main", "db", "upgrade"),
        "demo": ("moonmind.demo.demo",),
    }
    started = {name: members.start(name, *command, SPEC_WORKFLOW_TEST_MODE="1") for name, command in commands.items()}
    for name, process in started.items():
        assert process.wait(60) == SPEAKS_OF_IT, f"{name}: {process.text()}"
        assert f"{var} was not created by this MoonMind (it holds moonmind.db, server.json, repos" in process.text(), (
            name
        )
        assert "Traceback" not in process.text(), name
    assert sleeper.alive
    assert not (members.folder / "executed").exists()
    assert sorted(var.rglob("*")) == before
    assert not (members.folder / "home/.local").exists()


@pytest.mark.sqlite
def test_a_persons_own_use_in_a_clone_goes_on(members: Team) -> None:
    members.env["SPEC_WORKFLOW_TEST_MODE"] = "1"
    dry = members.start("dry", "moonmind.cli.main", "run", "moonmind/spec-kit-reference", "--dry-run")
    assert dry.wait(60) == 0, dry.text()
    members.migrate()
    up = members.up()
    members.succeed(members.create())
    runs = members.start("runs", "moonmind.cli.main", "runs")
    assert (runs.wait(60), "moonmind/spec-kit-reference" in runs.text()) == (0, True), runs.text()
    up.kill()
    members.up()
    (members.work / "var").rename(members.work / "before")
    (members.work / "var").symlink_to("before")
    refused = members.start("refused", "moonmind.cli.main", "runs")
    assert (refused.wait(60), "it is a link" in refused.text()) == (SPEAKS_OF_IT, True), refused.text()
