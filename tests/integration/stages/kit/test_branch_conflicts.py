"""Branch names that leave no room for each other are found before an agent is paid, with the way out."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from moonmind.errors import BranchConflict
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed
from moonmind.stages.kit.branch_conflicts import conflicts, refuse_conflicts
from tests.support.git_repos import branches_of, commit_to, delete_branch, git
from tests.support.stage_world import BRANCH, World

NEW = "moonmind/001-x"


@pytest.mark.parametrize(
    "other",
    [
        "moonmind",
        "moonmind/001-x/foo",
        "moonmind/001-x/a/b/c",
        "MoonMind",
        "Moonmind/001-X",
        "moonmind/001-X/notes",
        "MOONMIND/001-x/$(id)",
        "moonmind/001-x/größe",
    ],
)
def test_a_name_that_leaves_no_room_is_a_conflict(other: str) -> None:
    assert conflicts(NEW, ["main", other, NEW]) == (other,)


@pytest.mark.parametrize(
    "other",
    ["main", "moonmind/001-x-2", "moonmind/001", "moonmind-old", "moon", "x/moonmind", "Moonmind/002", "001-x", NEW],
)
def test_a_name_beside_it_is_none(other: str) -> None:
    assert conflicts(NEW, [other]) == ()


def refused(*names: str, default: str = "main") -> BranchConflict:
    with pytest.raises(BranchConflict) as caught:
        refuse_conflicts(NEW, (default, *names), default)
    return caught.value


def commands(error: BranchConflict) -> list[list[str]]:
    parts = error.advice.split("`")[1::2]
    return [shlex.split(command) for part in parts for command in part.split(" && ")]


@pytest.mark.parametrize("name", ["moonmind", f"{NEW}/foo", "Moonmind/001-x", f"{NEW}/$(touch$IFS'x');|&\"`id`"])
def test_the_commands_make_room_and_hold_names_as_one_word_each(name: str) -> None:
    error = refused(name)
    assert name in error.message
    words = shlex.split(error.advice.split("&& ")[1]) if "`id`" in name else commands(error)[1]
    old = words[3]
    assert old.startswith(f"refs/remotes/origin/{name}:refs/heads/")
    assert conflicts(NEW, [old.rpartition(":refs/heads/")[2]]) == ()


def test_a_branch_is_never_renamed_to_one_that_exists() -> None:
    assert ":refs/heads/moonmind-old-3 " in refused("moonmind", "moonmind-old", "Moonmind-OLD-2").advice


def test_of_many_a_few_are_shown_and_counted() -> None:
    error = refused(*(f"{NEW}/{number:03}" for number in range(40)))
    assert "and 35 more" in error.message
    assert len(error.message) < 500
    assert error.advice.count("refs/heads/") == 5


def test_a_default_branch_in_the_way_is_renamed_in_the_settings() -> None:
    assert "repository's settings" in refused(default="moonmind").advice


@pytest.mark.parametrize("name", [f"{NEW}/a\u202eb", f"{NEW}/caf\udce9", f"{NEW}/a\u200bb"])
def test_no_command_is_given_for_a_name_that_cannot_be_read(name: str) -> None:
    error = refused(name)
    assert "`" not in error.advice
    assert "\u202e" not in error.message
    error.message.encode()


def failed(world: World, stage: Stage) -> Failed:
    outcome = world.step(stage)
    assert isinstance(outcome, Failed), outcome
    assert not outcome.transient
    return outcome


@pytest.mark.parametrize("other", ["moonmind", f"{BRANCH}/foo", f"{BRANCH}/a/b", BRANCH.upper()])
def test_discovery_refuses_and_its_own_command_helps(tmp_path: Path, other: str) -> None:
    world = World(tmp_path)
    commit_to(world.bare, other, {"x": "y"}, "By hand", start=world.tip("main"))
    error = failed(world, Stage.DISCOVER).error
    assert (error.code, error.details["conflicts"]) == ("branch_conflict", [other])
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(world.bare), str(clone))
    for part in error.remediation.split("`")[1].split(" && "):
        git(clone, *shlex.split(part)[1:])
    assert other not in branches_of(world.bare)
    assert isinstance(world.step(Stage.DISCOVER), Done)


def test_a_tag_of_the_prefix_and_other_branches_are_no_obstacle(tmp_path: Path) -> None:
    world = World(tmp_path)
    git(world.bare, "tag", "moonmind", world.tip("main") or "")
    commit_to(world.bare, "moonmind/other/foo", {"x": "y"}, "By hand", start=world.tip("main"))
    world.succeed(through=Stage.PUBLISH)


def test_a_branch_that_goes_on_needs_no_new_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    commit_to(world.bare, BRANCH, {"x": "y"}, "Pushed", start=world.tip("main"))
    commit_to(world.bare, BRANCH.upper(), {"x": "y"}, "By hand", start=world.tip("main"))
    assert isinstance(world.step(Stage.DISCOVER), Done)


@pytest.mark.parametrize(("other", "moment"), [("moonmind", "before"), (f"{BRANCH}/foo", "during")])
def test_a_conflict_that_came_while_the_agent_worked_costs_no_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str, moment: str
) -> None:
    world = World(tmp_path)
    world.succeed(through=Stage.APPLY)
    push = world.vcs.push

    def conflict() -> None:
        commit_to(world.bare, other, {"x": "y"}, "By hand", start=world.tip("main"))

    def push_late(*arguments: Any) -> None:
        conflict()
        push(*arguments)

    if moment == "during":
        monkeypatch.setattr(world.vcs, "push", push_late)
    else:
        conflict()
    error = failed(world, Stage.PUBLISH).error
    assert error.code == "branch_conflict"
    assert f"refs/heads/{other}" in error.remediation
    delete_branch(world.bare, other)
    monkeypatch.undo()
    assert isinstance(world.step(Stage.PUBLISH), Done)
    world.agent.forget(str(world.run_id))
