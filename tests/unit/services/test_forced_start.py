"""Starting at a later stage with what an earlier run of the feature left."""

from typing import Any

import pytest

from moonmind.db.clock import db_now
from moonmind.errors import ErrorInfo, InvalidRequest, NothingToResume, RunActive
from moonmind.runs.chain import Stage
from moonmind.runs.kinds import TICKS
from moonmind.runs.machine import Done, Failed, NothingToDo, RunStatus
from moonmind.runs.records import Run
from moonmind.speckit.feature import short_path
from moonmind.wire import CreateRun
from tests.support.databases import add_run, everything, read_run, set_columns
from tests.support.engine_room import EngineRoom

FEATURE = "specs/001-demo"
TIP, LATER_TIP = "1" * 40, "2" * 40


def plan(commit: str = TIP, feature: str = FEATURE) -> dict[str, Any]:
    return {
        "v": 1,
        "repository": {"fullName": "octo/demo"},
        "featureKey": feature,
        "startingCommit": commit,
        "branchName": "moonmind/001-demo",
        "phase": "Phase 1",
        "tasks": [{"id": "T001"}],
    }


def request(**values: object) -> CreateRun:
    return CreateRun.model_validate({"repository": "octo/demo", **values})


def ended_at(room: EngineRoom, stage: Stage, outputs: dict[str, Any] | None = None) -> Run:
    """Let a run of octo/demo fail at a stage, its agent's patch stored."""
    room.reports(Stage.DISCOVER, Done(outputs or plan()))
    room.reports(Stage.SUBMIT, Done({"v": 1, "codexTaskId": "thread", "codexLogsPath": "a.jsonl", "usage": {"k": 1}}))
    run = room.reach(stage, repository="octo/demo", requested_key="")
    room.store.put(run.id, "patches/agent-1.diff", b"patch")
    with room.database.write() as unit:
        for kind, path in (("codex_patch", "patches/agent-1.diff"), ("prompt", "codex/prompt-1.md")):
            unit.artifacts.save(run.id, type=kind, path=path, content_type="text/plain", size=5, digest="sha256:0")
    room.reports(stage, Failed(ErrorInfo("e", "why")))
    room.execute(run, stage)
    room.told.runs.clear()
    return room.read(run)


def test_a_forced_phase_starts_from_what_the_last_run_left_patches_included(room: EngineRoom) -> None:
    ended_at(room, Stage.PUBLISH)
    last = ended_at(room, Stage.PUBLISH)
    made = room.runs.create(request(featureKey="1", forcePhase="apply"))
    run = room.read(made.id)
    assert (run.stage, run.feature_key, room.told.runs) == (Stage.APPLY, last.feature_key, [made.id])
    with room.database.read() as unit:
        outputs, before = unit.attempts.results(made.id), unit.attempts.results(last.id)
    assert outputs == {stage: before[stage] for stage in (Stage.DISCOVER, Stage.SUBMIT)}
    assert [(one.artifact_type, one.path) for one in room.runs.artifacts(made.id)] == [
        ("codex_patch", "patches/agent-1.diff")
    ]
    content = room.runs.open_artifact(made.id, "patches/agent-1.diff")
    assert (b"".join(content.chunks), content.size, content.growing) == (b"patch", 5, False)
    assert made.tasks is not None
    assert [task.state for task in made.tasks] == ["succeeded", "succeeded", "waiting", "waiting", "waiting"]


def test_a_forced_run_shows_what_its_outputs_tell_and_no_job_log_or_usage_of_another(room: EngineRoom) -> None:
    ended_at(room, Stage.PUBLISH)
    made = room.runs.create(request(forcePhase="apply"))
    assert (made.branch_name, made.phase, made.codex_task_id) == ("moonmind/001-demo", "Phase 1", "thread")
    assert (made.feature_key, made.codex_logs_path, made.usage) == ("001-demo", None, None)
    assert room.read(made.id).job_key is None


def test_a_forced_discover_is_a_plain_start(room: EngineRoom) -> None:
    assert room.read(room.runs.create(request(forcePhase="discover")).id).stage is Stage.DISCOVER


@pytest.mark.parametrize("phase", ["submit", "apply", "publish"])
def test_nothing_to_start_from_is_refused_before_anything_is_written(room: EngineRoom, phase: str) -> None:
    with pytest.raises(NothingToResume) as refused:
        room.runs.create(request(forcePhase=phase))
    assert refused.value.details == {"forcePhase": phase}
    assert everything(room.database)["run"] == []


def test_what_is_missing_is_named(room: EngineRoom) -> None:
    ended_at(room, Stage.SUBMIT)
    with pytest.raises(NothingToResume, match=r"missing: submit, apply"):
        room.runs.create(request(featureKey="1", forcePhase="publish"))


def test_a_refused_forced_run_leaves_no_files(room: EngineRoom) -> None:
    ended_at(room, Stage.PUBLISH)
    room.runs.create(request(featureKey="1"))
    before = sorted(room.folder.rglob("*.diff"))
    with pytest.raises(RunActive):
        room.runs.create(request(featureKey="1", forcePhase="apply"))
    assert sorted(room.folder.rglob("*.diff")) == before


# --- which run it starts from --------------------------------------------------------------------------------------


def test_a_run_that_was_cancelled_before_it_left_anything_hides_none_that_did(room: EngineRoom) -> None:
    used = ended_at(room, Stage.PUBLISH)
    room.runs.cancel(room.runs.create(request(featureKey="1")).id)
    shorter = ended_at(room, Stage.SUBMIT)
    made = room.runs.create(request(featureKey="1", forcePhase="publish"))
    with room.database.read() as unit:
        assert unit.attempts.results(made.id)[Stage.APPLY] == unit.attempts.results(used.id)[Stage.APPLY]
    assert shorter.id != used.id


def test_a_run_that_found_no_work_left_no_plan(room: EngineRoom) -> None:
    run = add_run(room.database, repository="octo/demo")
    room.reports(Stage.DISCOVER, NothingToDo("All boxes are ticked.", {"v": 1, "featureKey": FEATURE, "choice": "one"}))
    room.execute(run, Stage.DISCOVER)
    assert room.read(run).status is RunStatus.NO_WORK
    with pytest.raises(NothingToResume):
        room.runs.create(request(forcePhase="submit"))


def test_what_was_left_before_a_run_that_started_elsewhere_is_refused(room: EngineRoom) -> None:
    old = ended_at(room, Stage.PUBLISH)
    ended_at(room, Stage.SUBMIT, plan(LATER_TIP))
    with pytest.raises(
        NothingToResume, match=rf"run {old.id} has them, but for commit 111111111111; .* from 222222222222"
    ):
        room.runs.create(request(featureKey="1", forcePhase="apply"))
    assert room.runs.create(request(featureKey="1", forcePhase="submit")).current_task_name == "submit"


@pytest.mark.parametrize("key", ["001-demo", "1", "001"])
def test_a_key_that_fits_features_in_two_places_is_refused_and_a_path_is_not(room: EngineRoom, key: str) -> None:
    ended_at(room, Stage.PUBLISH)
    ended_at(room, Stage.PUBLISH, plan(feature="backend/specs/001-demo"))
    before = everything(room.database)
    with pytest.raises(InvalidRequest, match=r"2 features: backend/specs/001-demo, specs/001-demo"):
        room.runs.create(request(featureKey=key, forcePhase="publish"))
    assert everything(room.database) == before
    for path in (FEATURE, "backend/001-demo"):
        made = room.runs.create(request(featureKey=path, forcePhase="publish"))
        assert short_path(read_run(room.database, made.id).feature_key or "") == short_path(path)


def test_without_a_feature_the_one_of_the_newest_plan_is_meant(room: EngineRoom) -> None:
    ended_at(room, Stage.PUBLISH)
    ended_at(room, Stage.SUBMIT, plan(LATER_TIP, "specs/002-other"))
    with pytest.raises(NothingToResume, match="missing: submit, apply"):
        room.runs.create(request(forcePhase="publish"))
    made = room.runs.create(request(featureKey="1", forcePhase="publish"))
    assert read_run(room.database, made.id).feature_key == FEATURE


def test_a_run_whose_files_retention_removed_can_only_be_submitted_again(room: EngineRoom) -> None:
    run = ended_at(room, Stage.PUBLISH)
    set_columns(room.database, run.id, pruned_at=db_now())
    room.store.delete(run.id)
    with pytest.raises(NothingToResume, match="retention"):
        room.runs.create(request(forcePhase="apply"))
    made = room.runs.create(request(forcePhase="submit"))
    assert (made.artifacts, made.current_task_name) == ([], "submit")


@pytest.mark.parametrize("stage", ["submit", "apply", "publish"])
def test_what_was_published_is_not_published_again(room: EngineRoom, stage: str) -> None:
    room.reports(Stage.PUBLISH, Done({"v": 1, "branchName": "moonmind/001-demo"}))
    published = ended_at(room, Stage.FINALIZE)
    with pytest.raises(NothingToResume, match=f"run {published.id} has already published them"):
        room.runs.create(request(featureKey="1", forcePhase=stage))


def test_what_a_run_of_ticks_left_is_no_start_for_an_agent(room: EngineRoom) -> None:
    last = ended_at(room, Stage.PUBLISH)
    ticks = ended_at(room, Stage.PUBLISH, plan() | {"phase": "Ticks"})
    set_columns(room.database, ticks.id, kind=TICKS)
    made = room.runs.create(request(featureKey="1", forcePhase="apply"))
    with room.database.read() as unit:
        assert unit.attempts.results(made.id)[Stage.DISCOVER]["phase"] == "Phase 1"
    room.runs.cancel(made.id)
    set_columns(room.database, last.id, kind=TICKS)
    set_columns(room.database, made.id, kind=TICKS)
    with pytest.raises(NothingToResume):
        room.runs.create(request(featureKey="1", forcePhase="apply"))
