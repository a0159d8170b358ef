"""A person ticks tasks of an ended run: the pull request says who, when and why, and ticks nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.os_user import own_name
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import Run, RunFilter
from moonmind.runtime.container import Container
from tests.support.databases import everything
from tests.support.git_repos import commit_to, git, make_bare

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
NAME = "acme/rockets"
TASKS = (
    "# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 Create `src/a.py`\n- [ ] T002 Decide how to round\n"
    "- [ ] T003 Configure the linter\n- [ ] T004 [manual] Ask legal\n\n## Phase 2: More\n\n- [ ] T005 Create `src/e.py`\n"
)
FILES: dict[str, bytes | str] = {"specs/001-a/tasks.md": TASKS}


@pytest.fixture
def bare(installation: Path) -> Path:
    place = installation / "repositories" / f"{NAME}.git"
    make_bare(place, FILES)
    return place


@pytest.fixture
def ended(moonmind: Command, container: Container, bare: Path) -> Run:
    """A run that knows its tasks, and was cancelled."""
    assert bare.exists()
    assert moonmind("run", NAME) == 0
    run = newest(container.database)
    container.executor.execute(run.id, Stage.DISCOVER)
    assert moonmind("cancel", str(run.id)) == 0
    while not newest(container.database).status.terminal:
        container.executor.execute(run.id, Stage.SUBMIT)
    return newest(container.database)


def newest(database: Database) -> Run:
    with database.read() as unit:
        return unit.runs.page(RunFilter(), 1)[0]


def work_through(container: Container) -> Run:
    for stage in STAGES:
        container.executor.execute(newest(container.database).id, stage)
    return newest(container.database)


def ticked(bare: Path) -> list[str]:
    after = git(bare, "show", "moonmind/001-a:specs/001-a/tasks.md").decode()
    return [one for one in ("T001", "T002", "T003", "T004", "T005") if f"[x] {one}" in after]


@pytest.mark.parametrize(
    "tasks", [["T002"], ["T003", "T002"], ["T001,T004"], ["T002", "T002"]], ids=["one", "two", "comma", "twice"]
)
def test_what_a_person_accepts_is_ticked_in_their_name(
    moonmind: Command, container: Container, bare: Path, ended: Run, tasks: list[str]
) -> None:
    assert moonmind("accept", str(ended.id)[:8], *tasks, "--why", "Seen on @staging; closes #7") == 0
    made = work_through(container)
    assert (made.status, made.kind, made.started_by) == (RunStatus.SUCCEEDED, "ticks", own_name())
    assert ticked(bare) == sorted({one for text in tasks for one in text.split(",")})
    assert git(bare, "diff", "--name-only", "main", "moonmind/001-a").decode().split() == ["specs/001-a/tasks.md"]
    (pull,) = json.loads((bare.parent / "rockets.pulls.json").read_text())["pulls"]
    message = git(bare, "log", "-1", "--format=%B", "moonmind/001-a").decode()
    for text in (pull["body"], message):
        assert f"accepted: by {own_name()} on {made.created_at:%Y-%m-%d %H:%M} UTC" in text
        assert "Seen on" in text
        assert "@staging" not in text
        assert "closes #7" not in text


@pytest.mark.parametrize("tasks", [["T005"], ["T009"], ["T001-T003"], ["T002", "T9"], ["x; y"]])
def test_only_tasks_of_the_run_are_accepted(
    moonmind: Command, database: Database, ended: Run, capsys: Capture, tasks: list[str]
) -> None:
    capsys.readouterr()
    assert moonmind("accept", str(ended.id), *tasks, "--why", "done") == 2
    assert "its tasks are T001, T002, T003, T004" in capsys.readouterr().err
    assert len(everything(database)["run"]) == 1


def test_a_run_at_work_has_no_verdicts_yet(
    moonmind: Command, container: Container, bare: Path, capsys: Capture
) -> None:
    assert bare.exists()
    assert moonmind("run", NAME) == 0
    run = newest(container.database)
    container.executor.execute(run.id, Stage.DISCOVER)
    capsys.readouterr()
    assert moonmind("accept", str(run.id), "T001", "--why", "done") == 3
    err = capsys.readouterr().err
    assert "still at work" in err
    assert "Accept them once it has ended" in err


@pytest.mark.usefixtures("bare")
def test_a_run_that_chose_no_tasks_has_none(moonmind: Command, container: Container, capsys: Capture) -> None:
    assert moonmind("run", NAME) == 0
    run = newest(container.database)
    assert moonmind("cancel", str(run.id)) == 0
    container.executor.execute(run.id, Stage.DISCOVER)
    capsys.readouterr()
    assert moonmind("accept", str(run.id), "T001", "--why", "done") == 2
    assert "chose no tasks" in capsys.readouterr().err


def test_a_task_that_became_another_one_is_not_ticked(
    moonmind: Command, container: Container, bare: Path, ended: Run
) -> None:
    changed = TASKS.replace("T002 Decide how to round", "T002 Create `src/round.py`")
    commit_to(bare, "main", {"specs/001-a/tasks.md": changed}, "Renumber")
    assert moonmind("accept", str(ended.id), "T002", "--why", "we round half up") == 0
    made = work_through(container)
    assert made.status is RunStatus.FAILED
    assert made.error is not None
    assert "T002 is now" in made.error.message


def test_an_id_of_several_open_tasks_is_nobodys(
    moonmind: Command, container: Container, bare: Path, ended: Run
) -> None:
    commit_to(bare, "main", {"specs/001-a/tasks.md": TASKS + "- [ ] T002 Create `src/round.py`\n"}, "Repeat an id")
    assert moonmind("accept", str(ended.id), "T002", "--why", "we round half up") == 0
    made = work_through(container)
    assert made.status is RunStatus.FAILED
    assert made.error is not None
    assert "T002 on lines 6, 13" in made.error.message


@pytest.mark.parametrize("arguments", [["T001"], ["T001", "--why", ""], ["--why", "done"], [" ", "--why", "done"]])
def test_a_person_names_tasks_and_a_reason(
    moonmind: Command, database: Database, ended: Run, arguments: list[str]
) -> None:
    assert moonmind("accept", str(ended.id), *arguments) == 2
    assert len(everything(database)["run"]) == 1


def test_an_unknown_run_is_not_found(moonmind: Command, ended: Run) -> None:
    assert ended.status.terminal
    assert moonmind("accept", str(UUID(int=7)), "T001", "--why", "done") != 0
