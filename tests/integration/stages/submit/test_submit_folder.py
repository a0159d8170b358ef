"""An agent that loses the folder it works in: by its own hand, or by another's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.adapters.trees import remove_tree
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from tests.support.stage_world import World, discovered, failed
from tests.support.waiting import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with discovered(World(tmp_path)) as made:
        yield made


@pytest.mark.parametrize("put", [None, "link", "file", "dangling"])
def test_an_agent_that_removes_its_folder_is_told_so_once(world: World, put: str | None) -> None:
    def remove(folder: Path) -> None:
        until(lambda: world.agent.poll(f"{world.run_id}/submit-1").thread_id, "the agent at work", 60)
        remove_tree(folder)
        if put == "file":
            folder.write_text("x")
        elif put is not None:
            folder.symlink_to("/" if put == "link" else "/nowhere")

    outcome = failed(world.submit_with(remove))
    assert (outcome.error.code, outcome.transient) == ("agent_failed", False)
    assert "removed its folder" in outcome.error.message
    world.plays({"write": "a.py", "content": "x"})
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert "removed its folder" in world.artifacts.read("codex/prompt-2.md").decode()


def test_a_folder_that_others_lost_is_made_again(world: World) -> None:
    def lose(folder: Path) -> None:
        until(lambda: world.agent.poll(f"{world.run_id}/submit-1").thread_id, "the agent at work", 60)
        remove_tree(folder.parent)

    outcome = failed(world.submit_with(lose))
    assert (outcome.error.code, outcome.transient) == ("agent_lost", True), outcome.error.message
