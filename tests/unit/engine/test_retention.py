"""Files of runs that ended long ago go; rows stay."""

from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from moonmind.adapters.artifact_stores.filesystem import FilesystemArtifactStore
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.db.clock import db_now_plus
from moonmind.engine.retention import LONGEST_PAUSE_SECONDS, Retention
from moonmind.errors import StoreError
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, RunStatus
from moonmind.runs.records import Run
from moonmind.settings import ambient_environment
from moonmind.stages.discover.discover import mirrored_repository
from moonmind.wire import RetryRun
from tests.support.databases import add_run, events_of, set_columns
from tests.support.engine_room import PLAN, EngineRoom, complaints

DAY = 86400.0


def retention(room: EngineRoom) -> Retention:
    return Retention(room.database, room.store, room.agent, room.vcs, mirrored=mirrored_repository, days=30.0)


def ended(room: EngineRoom, days_ago: float) -> Run:
    run = add_run(room.database)
    room.store.put(run.id, "codex/prompt-1.md", b"prompt")
    set_columns(
        room.database,
        run.id,
        status=RunStatus.FAILED,
        dispatch_after=None,
        completed_at=db_now_plus(-DAY * days_ago),
    )
    return run


def test_files_of_runs_older_than_the_setting_go_and_their_rows_stay(room: EngineRoom) -> None:
    old, young, active = ended(room, 30.1), ended(room, 29.9), add_run(room.database)
    room.store.put(active.id, "log", b"x")
    with capture_logs() as logs:
        assert retention(room).sweep() == 1
    assert room.store.size(old.id, "codex/prompt-1.md") is None
    assert room.store.size(young.id, "codex/prompt-1.md") == 6
    assert room.store.size(active.id, "log") == 1
    assert room.agent.forgotten == [str(old.id)]
    assert room.read(old).pruned_at is not None
    assert room.read(young).pruned_at is room.read(active).pruned_at is None
    assert len(events_of(room.database, old.id)) == 1
    assert [line["count"] for line in logs if line["event"] == "runs.pruned"] == [1]


def test_what_is_gone_is_not_removed_again(room: EngineRoom) -> None:
    ended(room, 31)
    assert [retention(room).sweep() for _ in range(2)] == [1, 0]
    assert len(room.agent.forgotten) == 1


class Stuck(FilesystemArtifactStore):
    """The shipped store, on a disk that keeps one run's files."""

    stuck: UUID | None = None
    error: Exception = StoreError("the disk is read-only")
    asked: int = 0

    def delete(self, run_id: UUID) -> None:
        """Refuse the one run."""
        if run_id == self.stuck:
            self.asked += 1
            raise self.error
        super().delete(run_id)


@pytest.mark.parametrize(
    "error", [StoreError("the disk is read-only"), RecursionError(), OSError(5, "I/O"), KeyError()]
)
def test_a_run_whose_files_cannot_be_removed_is_tried_next_time_and_holds_no_other_up(
    room: EngineRoom, error: Exception
) -> None:
    stuck, fine = ended(room, 40), ended(room, 31)
    store = Stuck(room.folder / "artifacts")
    store.stuck, store.error = stuck.id, error
    sweeper = Retention(room.database, store, room.agent, room.vcs, mirrored=mirrored_repository, days=30.0)
    with capture_logs() as logs:
        assert sweeper.sweep() == 1
    assert complaints(logs) == ["run.not_pruned"]
    assert (room.read(stuck).pruned_at, room.read(fine).pruned_at is not None) == (None, True)
    store.stuck = None
    assert sweeper.sweep() == 1
    assert room.read(stuck).pruned_at is not None


def test_a_run_that_stays_stuck_is_tried_ever_more_seldom_and_takes_no_place_meanwhile(room: EngineRoom) -> None:
    stuck, fine = ended(room, 40), ended(room, 31)
    store = Stuck(room.folder / "artifacts")
    store.stuck = stuck.id
    now = [0.0]
    sweeper = Retention(
        room.database,
        store,
        room.agent,
        room.vcs,
        mirrored=mirrored_repository,
        days=30.0,
        batch=1,
        clock=lambda: now[0],
    )
    with capture_logs():
        assert [sweeper.sweep() for _ in range(3)] == [0, 0, 1]
        assert room.read(fine).pruned_at is not None
        tried = []
        for hour in range(1, 24 * 7):
            now[0] = hour * 3600.0
            before = store.asked
            sweeper.sweep()
            tried += [hour] if store.asked > before else []
    assert len(tried) < 16
    assert max(later - earlier for earlier, later in pairwise(tried)) <= LONGEST_PAUSE_SECONDS / 3600 + 1
    assert room.read(stuck).pruned_at is None


def test_a_retry_of_a_pruned_run_gets_files_that_are_kept_again(room: EngineRoom) -> None:
    run = ended(room, 31)
    retention(room).sweep()
    room.runs.retry(run.id, RetryRun())
    assert room.read(run).pruned_at is None
    assert retention(room).sweep() == 0


class Letting(GitVcs):
    """The shipped git, which remembers what it was to let go."""

    def __init__(self, options: VcsOptions) -> None:
        super().__init__(options)
        self.names: list[str] = []

    def forget(self, repository: str, run_id: UUID) -> None:
        self.names.append(repository)
        super().forget(repository, run_id)


def test_what_a_run_pinned_is_let_go_under_the_name_that_the_forge_gave(room: EngineRoom, tmp_path: Path) -> None:
    room.reports(Stage.DISCOVER, Done({**PLAN, "repository": {**PLAN["repository"], "fullName": "octo/renamed"}}))
    run = room.reach(Stage.SUBMIT)
    set_columns(
        room.database, run.id, status=RunStatus.FAILED, dispatch_after=None, completed_at=db_now_plus(-DAY * 31)
    )
    before = ended(room, 31)
    vcs = Letting(VcsOptions(tmp_path / "other", "file", dict, ambient_environment()))
    assert Retention(room.database, room.store, room.agent, vcs, mirrored=mirrored_repository, days=30.0).sweep() == 2
    assert sorted(vcs.names) == sorted(["octo/renamed", before.repository])


def test_a_sweep_that_is_told_to_stop_leaves_the_rest_to_the_next(room: EngineRoom) -> None:
    for _ in range(2):
        ended(room, 31)
    sweeper = retention(room)
    answers = iter([False, True])
    assert sweeper.sweep(lambda: next(answers)) == 1
    assert sweeper.sweep() == 1
