"""Boxes of what is there already are proposed, and a pull request ticks those that a person accepts, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import STAGES
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import Run, RunFilter
from moonmind.runtime.container import Container
from tests.support.databases import everything
from tests.support.git_repos import branches_of, commit_to, git, make_bare

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
NAME = "acme/rockets"
TASKS = (
    "# Tasks\r\n\r\n## Phase 1: Setup\r\n\r\n"
    "- [ ] T001 Create `src/a.py`\r\n- [ ] T002 Create `src/b.py` and `src/c.py`\r\n- [ ] T003 Create `src/d.py`\r\n"
    "\r\n## Phase 2: More\r\n\r\n"
    "- [ ] T004 Create `src/e.py`\r\n- [ ] T005 Update `src/a.py`\r\n- [ ] T006 [manual] Create `src/a.py`\r\n- [x] T007 Create `src/x.py`\r\n"
)
CODE = "def work() -> int:\n    return 41 + 1\n"
FILES: dict[str, bytes | str] = {
    "specs/001-a/tasks.md": TASKS,
    "src/a.py": CODE,
    "src/b.py": CODE,
    "src/c.py": CODE.replace("work", "other"),
    "src/d.py": "def work() -> int:\n    raise NotImplementedError\n",
}


@pytest.fixture
def bare(installation: Path) -> Path:
    place = installation / "repositories" / f"{NAME}.git"
    make_bare(place, FILES)
    return place


def head(bare: Path) -> str:
    return git(bare, "rev-parse", "main").decode().strip()


def newest(database: Database) -> Run:
    with database.read() as unit:
        return unit.runs.page(RunFilter(), 1)[0]


def work_through(container: Container, run: Run) -> Run:
    for stage in STAGES:
        container.executor.execute(run.id, stage)
    return newest(container.database)


def test_what_is_there_is_proposed_with_its_evidence_and_nothing_is_started(
    moonmind: Command, database: Database, bare: Path, capsys: Capture
) -> None:
    assert moonmind("reconcile", NAME) == 0
    out, err = capsys.readouterr()
    assert "Nothing was started: accept these boxes in a terminal, or with --yes." in err
    assert f"specs/001-a  at commit {head(bare)[:12]}\n" in out
    assert "T001" in out
    assert "src/a.py is there" in out
    assert "src/b.py, src/c.py are there" in out
    assert "T003 is not proposed: src/d.py is only a stub" in out
    assert "T005 is not proposed: it asks to change" in out
    assert "T004" not in out
    assert everything(database)["run"] == []


def test_programs_are_told_the_same(moonmind: Command, database: Database, bare: Path, capsys: Capture) -> None:
    assert moonmind("reconcile", NAME, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["commit"] == head(bare)
    assert (found["answer"], found["tasks"]) == ("work", ["T001", "T002"])
    assert [task["evidence"] for task in found["work"]] == ["src/a.py is there", "src/b.py, src/c.py are there"]
    assert everything(database)["run"] == []


def test_what_is_accepted_becomes_a_pull_request_of_these_boxes_alone(
    moonmind: Command, container: Container, bare: Path, capsys: Capture
) -> None:
    assert moonmind("reconcile", NAME, "--yes") == 0
    run = newest(container.database)
    assert (run.kind, run.requested_key) == ("ticks", "specs/001-a")
    assert run.selection == {"tasks": ["T001,T002"], "commit": head(bare)}
    ended = work_through(container, run)
    assert (ended.status, ended.error) == (RunStatus.SUCCEEDED, None)
    assert git(bare, "diff", "--name-only", "main", "moonmind/001-a").decode().split() == ["specs/001-a/tasks.md"]
    after = git(bare, "show", "moonmind/001-a:specs/001-a/tasks.md").decode()
    assert after == TASKS.replace("[ ] T001", "[x] T001").replace("[ ] T002", "[x] T002")
    (pull,) = json.loads((bare.parent / "rockets.pulls.json").read_text())["pulls"]
    assert "src/b.py, src/c.py are there" in pull["body"]
    assert "2 of 2 tasks ticked" in pull["body"]
    with container.database.read() as unit:
        assert unit.audits.get(run.id) is None or "codex" not in str(unit.attempts.results(run.id))


@pytest.mark.parametrize(
    ("tasks", "ticked"),
    [(["T004"], ["T004"]), (["T001-T003"], ["T001", "T002", "T003"]), (["T006", "T007"], ["T006"])],
)
def test_a_person_may_accept_other_boxes_and_the_pull_request_says_what_shows_them(
    container: Container, bare: Path, tasks: list[str], ticked: list[str]
) -> None:
    from moonmind.wire import CreateRun

    made = container.runs.create(
        CreateRun.model_validate({"repository": NAME, "kind": "ticks", "select": {"tasks": tasks}})
    )
    assert made.kind == "ticks"
    ended = work_through(container, newest(container.database))
    assert ended.status is RunStatus.SUCCEEDED
    after = git(bare, "show", "moonmind/001-a:specs/001-a/tasks.md").decode()
    assert [one for one in ("T001", "T002", "T003", "T004", "T005", "T006") if f"[x] {one}" in after] == ticked
    (pull,) = json.loads((bare.parent / "rockets.pulls.json").read_text())["pulls"]
    if "T004" in ticked:
        assert "nothing shows it" in pull["body"]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "body", [{}, {"select": {"story": "US1"}}, {"select": {"tasks": ["T001"]}, "forcePhase": "apply"}]
)
def test_boxes_that_nobody_named_are_not_ticked(container: Container, body: dict[str, Any]) -> None:
    from moonmind.errors import InvalidRequest
    from moonmind.wire import CreateRun

    with pytest.raises(InvalidRequest):
        container.runs.create(CreateRun.model_validate({"repository": NAME, "kind": "ticks", **body}))
    assert everything(container.database)["run"] == []


def test_tasks_that_are_done_leave_no_work(container: Container, bare: Path) -> None:
    from moonmind.wire import CreateRun

    container.runs.create(
        CreateRun.model_validate({"repository": NAME, "kind": "ticks", "select": {"tasks": ["T007"]}})
    )
    ended = work_through(container, newest(container.database))
    assert (ended.status, ended.reason) == (RunStatus.NO_WORK, "None of the selected tasks is open.")
    assert branches_of(bare) == ["main"]


def test_several_open_features_are_a_question(
    moonmind: Command, database: Database, installation: Path, capsys: Capture
) -> None:
    files = {f"specs/{name}/tasks.md": TASKS for name in ("001-a", "002-b")}
    make_bare(installation / "repositories" / f"{NAME}.git", files)
    assert moonmind("reconcile", NAME, "--yes") == 3
    err = capsys.readouterr().err
    assert "specs/002-b" in err
    assert "--feature specs/001-a" in err
    assert everything(database)["run"] == []


def test_nothing_to_tick_is_said(moonmind: Command, database: Database, installation: Path, capsys: Capture) -> None:
    bare = installation / "repositories" / f"{NAME}.git"
    make_bare(bare, {"specs/001-a/tasks.md": TASKS})
    assert moonmind("reconcile", NAME, "--yes") == 0
    out = capsys.readouterr().out
    assert "no open task of specs/001-a names files that are all there" in out
    assert f"specs/001-a  at commit {head(bare)[:12]}\n" in out
    assert everything(database)["run"] == []


UNNAMED = "# Tasks\n\n## Phase 1: Setup\n\n- [ ] Create `src/a.py`\n- [ ] Create `src/e.py`\n- [ ] Update `src/a.py`\n"


@pytest.mark.parametrize(
    ("tasks", "before", "ticked"),
    [
        (["L5"], "", "Create `src/a.py`"),
        (["L6"], "", None),
        (["L5-L7"], "", None),
        (["L5"], "\nWords that somebody put in since.\n", None),
        (["L7"], "- [ ] Create `src/f.py`\n", None),
    ],
)
def test_a_task_without_an_id_is_ticked_only_where_its_line_is_still_proposed(
    container: Container, bare: Path, tasks: list[str], before: str, ticked: str | None
) -> None:
    from moonmind.wire import CreateRun

    text = UNNAMED.replace("## Phase 1: Setup\n\n", f"## Phase 1: Setup\n\n{before}")
    make_bare(bare.parent / "lines.git", FILES | {"specs/001-a/tasks.md": text})
    container.runs.create(
        CreateRun.model_validate({"repository": "acme/lines", "kind": "ticks", "select": {"tasks": tasks}})
    )
    ended = work_through(container, newest(container.database))
    made = branches_of(bare.parent / "lines.git")
    if ticked is None:
        assert ended.status is RunStatus.FAILED
        assert ended.error is not None
        assert made == ["main"]
    else:
        assert ended.status is RunStatus.SUCCEEDED
        after = git(bare.parent / "lines.git", "show", "moonmind/001-a:specs/001-a/tasks.md").decode()
        assert after == text.replace(f"[ ] {ticked}", f"[x] {ticked}")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "T001 Create `src/a.py`",
            "T001 Create `src/z.py`",
            'T001 is now "Create `src/z.py`" and was "Create `src/a.py`"',
        ),
        (
            "- [ ] T001 Create `src/a.py`\r\n- [ ] T002",
            "- [ ] T001 Add more\r\n- [ ] T002 Create `src/a.py`\r\n- [ ] T003",
            "T002 is now",
        ),
        ("- [ ] T002 Create", "- [ ] T002 Remove all\r\n- [ ] T002 Create", 'T002 is now "Remove all" and was "Create'),
        ("- [ ] T002", "- [ ] T009", "there is no task T002"),
    ],
)
def test_boxes_that_stand_for_other_tasks_since_they_were_accepted_are_not_ticked(
    moonmind: Command, container: Container, bare: Path, before: str, after: str, said: str
) -> None:
    assert before in TASKS
    assert moonmind("reconcile", NAME, "--yes") == 0
    accepted_at = head(bare)
    commit_to(bare, "main", {"specs/001-a/tasks.md": TASKS.replace(before, after)}, "Plan anew")
    ended = work_through(container, newest(container.database))
    assert ended.status is RunStatus.FAILED
    assert ended.error is not None
    assert (ended.error.code, said in ended.error.message) == ("invalid_request", True), ended.error.message
    assert "no task" in said or f"has changed since commit {accepted_at[:12]}" in ended.error.message
    assert branches_of(bare) == ["main"]


@pytest.mark.parametrize(
    ("before", "after", "ticked"),
    [
        ("Update `src/a.py`", "Update `src/z.py`", ["T001", "T002"]),
        ("## Phase 1: Setup", "## Phase 1: Setting up", ["T001", "T002"]),
        ("- [ ] T003", "- [ ] T000 Create `src/0.py`\r\n- [ ] T003", ["T001", "T002"]),
        ("[ ] T001", "[x] T001", ["T002"]),
    ],
)
def test_boxes_that_were_accepted_are_ticked_whatever_else_has_changed(
    moonmind: Command, container: Container, bare: Path, before: str, after: str, ticked: list[str]
) -> None:
    assert moonmind("reconcile", NAME, "--yes") == 0
    changed = TASKS.replace(before, after)
    commit_to(bare, "main", {"specs/001-a/tasks.md": changed}, "Plan anew")
    assert work_through(container, newest(container.database)).status is RunStatus.SUCCEEDED
    for one in ticked:
        changed = changed.replace(f"[ ] {one}", f"[x] {one}")
    assert git(bare, "show", "moonmind/001-a:specs/001-a/tasks.md").decode() == changed


@pytest.mark.parametrize("commit", ["the commit", "a commit without the file", "no commit"])
def test_a_task_without_an_id_is_ticked_where_it_is_known_to_be_the_same(
    container: Container, bare: Path, commit: str
) -> None:
    from moonmind.wire import CreateRun

    lines = bare.parent / "lines.git"
    make_bare(lines, {"README.md": "Nothing yet."})
    names = {"a commit without the file": head(lines), "no commit": "0" * 40}
    names["the commit"] = commit_to(lines, "main", FILES | {"specs/001-a/tasks.md": UNNAMED}, "Plan")
    commit_to(lines, "main", {"README.md": "More."}, "Explain")
    select = {"tasks": ["L6"], "commit": names[commit]}
    container.runs.create(CreateRun.model_validate({"repository": "acme/lines", "kind": "ticks", "select": select}))
    ended = work_through(container, newest(container.database))
    if commit == "the commit":
        assert (ended.status, ended.error) == (RunStatus.SUCCEEDED, None)
    else:
        assert ended.error is not None
        assert "specs/001-a/tasks.md cannot be compared with commit" in ended.error.message
        assert branches_of(lines) == ["main"]
