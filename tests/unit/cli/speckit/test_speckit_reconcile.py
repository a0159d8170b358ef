"""`speckit reconcile` proposes boxes of a checkout, and changes nothing."""

import json
from pathlib import Path

import pytest

from moonmind.cli.speckit.speckit_command import main
from tests.support.git_repos import git

Capture = pytest.CaptureFixture[str]
TASKS = (
    "## Phase 1: Setup\n\n- [ ] T001 Create `src/a.py`\n- [ ] T002 Create `src/b.py`\n- [ ] T003 Update `src/a.py`\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "specs" / "001-a").mkdir(parents=True)
    (tmp_path / "specs" / "001-a" / "tasks.md").write_text(TASKS)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("def work():\n    return compute(41) + 1\n")
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {place: place.read_bytes() for place in folder.rglob("*") if place.is_file()}


def test_proposals_and_doubts_are_shown_and_nothing_is_changed(folder: Path, capsys: Capture) -> None:
    before = contents(folder)
    assert main(["reconcile", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "src/a.py is there" in out
    assert "T003 is not proposed: it asks to change" in out
    assert contents(folder) == before


def test_programs_are_told_the_same(folder: Path, capsys: Capture) -> None:
    assert main(["reconcile", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["feature"], found["commit"], found["tasks_differ"]) == ("specs/001-a", None, None)
    (proposal,) = found["proposals"]
    assert proposal == {
        "id": "T001",
        "line": 3,
        "text": "Create `src/a.py`",
        "files": ["src/a.py"],
        "evidence": "src/a.py is there",
    }
    assert [one["id"] for one in found["doubts"]] == ["T003"]


@pytest.mark.parametrize(("content", "words"), [("", "is empty"), ("# later\n", "is only comments")])
def test_a_file_without_substance_is_no_evidence(folder: Path, capsys: Capture, content: str, words: str) -> None:
    (folder / "src" / "b.py").write_text(content)
    assert main(["reconcile", str(folder)]) == 0
    assert f"T002 is not proposed: src/b.py {words}" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["/dev/zero", "a.py", "../../outside.py", "/nowhere"])
def test_a_link_is_not_followed(folder: Path, capsys: Capture, target: str) -> None:
    (folder.parent / "outside.py").write_text("def work():\n    return compute(41) + 1\n")
    (folder / "src" / "b.py").symlink_to(target)
    assert main(["reconcile", str(folder)]) == 0
    assert "src/b.py is no file that can be looked into" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tasks", "arguments", "code"),
    [(TASKS, ["--feature", "999"], 3), ("no box\n", [], 4), (TASKS.replace("[ ]", "[x]"), [], 3)],
)
def test_what_cannot_be_looked_at_is_an_error(
    folder: Path, capsys: Capture, tasks: str, arguments: list[str], code: int
) -> None:
    (folder / "specs" / "001-a" / "tasks.md").write_text(tasks)
    assert main(["reconcile", str(folder), *arguments]) == code
    assert capsys.readouterr().err.startswith("error: ")


def test_of_several_open_features_one_has_to_be_named(folder: Path, capsys: Capture) -> None:
    (folder / "specs" / "002-b").mkdir()
    (folder / "specs" / "002-b" / "tasks.md").write_text(TASKS)
    assert main(["reconcile", str(folder)]) == 3
    assert "specs/002-b" in capsys.readouterr().err
    assert main(["reconcile", str(folder), "--feature", "1"]) == 0


@pytest.mark.parametrize(
    ("project", "now", "committed", "differs"),
    [
        (".", TASKS, TASKS, False),
        ("apps/web", TASKS.replace("\n", "\r\n"), TASKS, False),
        ("apps/web", TASKS.replace("T002", "T009"), TASKS, True),
        (".", TASKS, None, True),
    ],
)
def test_the_commit_that_is_checked_out_is_named_and_whether_the_tasks_are_its_own(
    tmp_path: Path, capsys: Capture, project: str, now: str, committed: str | None, differs: bool
) -> None:
    place = tmp_path / project / "specs" / "001-a" / "tasks.md"
    place.parent.mkdir(parents=True)
    (tmp_path / project / ".specify").mkdir()
    git(tmp_path, "init", "--quiet")
    if committed is not None:
        place.write_bytes(committed.encode())
        git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Plan")
    place.write_bytes(now.encode())
    head = git(tmp_path, "rev-parse", "HEAD").decode().strip()
    assert main(["reconcile", str(tmp_path / project)]) == 0
    out = capsys.readouterr().out
    assert f"HEAD is commit {head[:12]}" in out
    assert ("specs/001-a/tasks.md differs from it" in out) is differs
    assert main(["reconcile", str(tmp_path / project), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["commit"], found["tasks_differ"]) == (head, differs)


def test_a_work_tree_without_a_commit_has_none_to_name(folder: Path, capsys: Capture) -> None:
    git(folder, "init", "--quiet")
    assert main(["reconcile", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["commit"] is None
