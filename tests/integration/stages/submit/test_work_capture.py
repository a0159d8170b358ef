import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.engine.lease import LeaseLost
from moonmind.ports.agent import JobState
from moonmind.runs.chain import Stage
from moonmind.stages.kit.stage_results import SubmitCheckpoint
from moonmind.stages.submit.work_capture import keep_work
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World, discovered
from tests.support.trees import deepen
from tests.support.waiting import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with discovered(World(tmp_path)) as made:
        yield made


def test_stopping_a_run_ends_its_agent_and_keeps_patch_and_thread(world: World) -> None:
    world.plays({"write": "half.py", "content": "half\n"}, {"hang": True})
    world.step(Stage.SUBMIT)
    until = time.monotonic() + 20
    while not (world.workspace / "half.py").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    kept = keep_work(world.context(Stage.SUBMIT))
    assert world.agent.poll(f"{world.run_id}/submit-1").state is JobState.ENDED
    assert kept["codexTaskId"]
    assert b"half.py" in world.artifacts.read(kept["partialPatch"])


@pytest.mark.parametrize("stage", list(Stage))
def test_stopping_a_run_that_has_neither_job_nor_folder_is_no_error(world: World, stage: Stage) -> None:
    assert SubmitCheckpoint.read(keep_work(world.context(stage))) == SubmitCheckpoint()


def test_a_run_stopped_after_its_job_ended_keeps_the_work_all_the_same(world: World) -> None:
    world.plays({"write": "whole.py", "content": "x"})
    world.step(Stage.SUBMIT)
    world.wait_for_agent()
    assert b"whole.py" in world.artifacts.read(keep_work(world.context(Stage.SUBMIT))["partialPatch"])


def test_a_job_that_was_started_but_never_recorded_is_stopped_too(world: World) -> None:
    world.plays({"hang": True})
    world.step(Stage.SUBMIT)
    world.job_key = None
    world.checkpoints.clear()
    keep_work(world.context(Stage.SUBMIT))
    assert world.agent.poll(f"{world.run_id}/submit-1").state is JobState.ENDED


def test_work_that_cannot_be_read_is_said_and_hinders_nothing(world: World) -> None:
    world.plays({"hang": True})
    world.step(Stage.SUBMIT)
    world.agent.stop(f"{world.run_id}/submit-1")
    (world.workspace / ".GIT").mkdir()
    (world.workspace / ".GIT" / "odd").touch()
    assert "odd" in keep_work(world.context(Stage.SUBMIT))["notKept"]


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), OSError(36, "File name too long"), KeyError("x")])
def test_whatever_goes_wrong_with_the_folder_the_threads_record_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    world.plays({"hang": True})
    world.step(Stage.SUBMIT)

    until(lambda: world.agent.poll(f"{world.run_id}/submit-1").thread_id, "the agent's thread")

    def broken(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(world.vcs, "capture", broken)
    kept = keep_work(world.context(Stage.SUBMIT))
    assert type(error).__name__ in kept["notKept"]
    assert kept["codexTaskId"]
    assert world.agent.poll(f"{world.run_id}/submit-1").state is JobState.ENDED


@pytest.mark.parametrize(("levels", "name"), [(1005, "d"), (12, "n" * 200)])
def test_work_in_deep_folders_is_kept_and_removed_again(world: World, levels: int, name: str) -> None:
    world.plays({"write": "half.py", "content": "half\n"}, {"hang": True})
    world.step(Stage.SUBMIT)
    until((world.workspace / "half.py").exists, "the agent's first file")
    folder = world.workspace
    deepen(folder / "deep", levels, name=name)
    kept = keep_work(world.context(Stage.SUBMIT))
    patch = world.artifacts.read(kept["partialPatch"])
    assert b"half.py" in patch
    assert f"/{name}/{name}/f".encode() in patch
    world.vcs.forget(REPOSITORY, world.run_id)
    assert not folder.exists()


def test_a_lost_lease_keeps_nothing(world: World) -> None:
    world.plays({"write": "whole.py", "content": "x"})
    world.step(Stage.SUBMIT)
    world.wait_for_agent()
    world.artifacts._lease = world.lease
    world.lease.lost = True
    with pytest.raises(LeaseLost):
        keep_work(world.context(Stage.SUBMIT))
