"""A start that nobody watches makes no run that would only ask."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.cli import run_commands
from moonmind.db.unit_of_work import Database
from tests.support.databases import everything
from tests.support.git_repos import make_bare

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
NAME = "acme/rockets"
OPEN = "## Phase 1: Setup\n\n- [ ] T001 Create `src/a.py`\n- [ ] T002 Create `src/b.py`\n- [ ] T003 Create `src/c.py`\n"
CODE = "def work():\n    return compute(41) + 1\n"
TWO: dict[str, bytes | str] = {"specs/001-a/tasks.md": OPEN, "specs/002-b/tasks.md": OPEN}
STALE: dict[str, bytes | str] = {"specs/001-a/tasks.md": OPEN, "src/a.py": CODE, "src/b.py": CODE, "src/c.py": CODE}
DONE: dict[str, bytes | str] = {"specs/001-a/tasks.md": OPEN.replace("[ ]", "[x]")}


@pytest.fixture
def repository(installation: Path) -> Callable[[dict[str, bytes | str]], None]:
    def make(files: dict[str, bytes | str]) -> None:
        make_bare(installation / "repositories" / f"{NAME}.git", files)

    return make


def test_candidates_are_listed_with_their_facts_and_the_option_that_chooses(
    moonmind: Command, database: Database, repository: Callable[..., None], capsys: Capture
) -> None:
    repository(TWO)
    assert moonmind("run", NAME) == 3
    err = capsys.readouterr().err
    assert "specs/001-a: 3 of 3 tasks open" in err
    assert "specs/002-b: 3 of 3 tasks open" in err
    assert "--feature specs/001-a" in err
    assert everything(database)["run"] == []


def test_stale_boxes_are_asked_about_with_numbers(
    moonmind: Command, database: Database, repository: Callable[..., None], capsys: Capture
) -> None:
    repository(STALE)
    assert moonmind("run", NAME) == 3
    err = capsys.readouterr().err
    assert "3 of 3" in err
    assert "moonmind reconcile" in err
    assert everything(database)["run"] == []


def test_programs_get_the_candidates(
    moonmind: Command, database: Database, repository: Callable[..., None], capsys: Capture
) -> None:
    repository(TWO)
    assert moonmind("run", NAME, "--json") == 3
    found = json.loads(capsys.readouterr().out)
    assert found["code"] == "choice_needed"
    assert [one["feature"] for one in found["details"]["candidates"]] == ["specs/001-a", "specs/002-b"]
    assert everything(database)["run"] == []


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (TWO, ["--feature", "002"]),
        (STALE, ["--phase", "1"]),
        (STALE, ["--task", "T001"]),
        (DONE, []),
        ({"README.md": "nothing"}, []),
        ({}, []),
    ],
)
def test_every_other_run_is_started(
    moonmind: Command,
    database: Database,
    repository: Callable[..., None],
    files: dict[str, bytes | str],
    options: list[str],
) -> None:
    repository(files)
    assert moonmind("run", NAME, *options) == 0
    assert len(everything(database)["run"]) == 1


def test_in_a_terminal_the_run_asks(
    moonmind: Command, database: Database, repository: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(TWO)
    monkeypatch.setattr(run_commands, "attended", lambda: True)
    assert moonmind("run", NAME) == 0
    assert len(everything(database)["run"]) == 1


@pytest.mark.parametrize(("files", "code"), [(TWO, 3), (STALE, 3), (DONE, 0)])
def test_a_dry_run_says_so_by_its_exit_code(
    moonmind: Command, database: Database, repository: Callable[..., None], files: dict[str, bytes | str], code: int
) -> None:
    repository(files)
    assert moonmind("run", NAME, "--dry-run") == code
    assert everything(database)["run"] == []
