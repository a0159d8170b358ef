"""A run that is started in a checkout is about what the checkout is about."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.cli.checkout_feature import feature_here
from moonmind.db.unit_of_work import Database
from moonmind.runs.records import RunFilter
from tests.support.git_repos import git, make_bare

Capture = pytest.CaptureFixture[str]
OPEN = "## Phase 1: Setup\n\n- [ ] T001 Write `a.py`\n"
DONE = OPEN.replace("[ ]", "[x]")
FILES = {f"specs/{name}/tasks.md": OPEN for name in ("001-a", "002-b")} | {"backend/specs/001-c/tasks.md": OPEN}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    make_bare(tmp_path / "acme" / "rockets.git", FILES)
    git(tmp_path, "clone", "--quiet", str(tmp_path / "acme" / "rockets.git"), "clone")
    return tmp_path / "clone"


def point(folder: Path, named: str) -> None:
    (folder / ".specify").mkdir(parents=True, exist_ok=True)
    (folder / ".specify" / "feature.json").write_text(json.dumps({"feature_directory": named}))


@pytest.mark.parametrize(
    ("project", "named", "path"),
    [
        ("", "specs/002-b", "specs/002-b"),
        ("", "specs\\002-b", "specs/002-b"),
        ("", "C:\\work\\clone\\specs\\002-b", "specs/002-b"),
        ("backend", "specs/001-c", "backend/specs/001-c"),
    ],
)
def test_the_checkouts_own_pointer_names_the_feature(clone: Path, project: str, named: str, path: str) -> None:
    point(clone / project, named)
    found = feature_here("acme/rockets", clone / project)
    assert found is not None
    assert (found.path, found.unpushed) == (path, None)
    assert "feature.json" in found.why


@pytest.mark.parametrize("branch", ["002-b", "002-other-name", "feature/002-b"])
def test_the_branch_names_the_feature(clone: Path, branch: str) -> None:
    git(clone, "checkout", "--quiet", "-b", branch)
    found = feature_here("acme/rockets", clone)
    assert found is not None
    assert (found.path, found.unpushed) == ("specs/002-b", None)


def test_nothing_is_said_where_nothing_points_to_an_open_feature(clone: Path, tmp_path: Path) -> None:
    assert feature_here("acme/rockets", clone) is None
    assert feature_here("acme/rockets", tmp_path) is None
    point(clone, "specs/002-b")
    assert feature_here("acme/other", clone) is None
    (clone / "specs" / "002-b" / "tasks.md").write_text(DONE)
    assert feature_here("acme/rockets", clone) is None


@pytest.mark.parametrize(
    ("content", "differs"),
    [(OPEN + "- [ ] T002 Write `b.py`\n", True), (OPEN.replace("\n", "\r\n"), False), (OPEN, False)],
)
def test_tasks_that_are_not_pushed_are_said_and_line_endings_are_not(clone: Path, content: str, differs: bool) -> None:
    point(clone, "specs/002-b")
    (clone / "specs" / "002-b" / "tasks.md").write_bytes(content.encode())
    found = feature_here("acme/rockets", clone)
    assert found is not None
    assert found.unpushed == ("specs/002-b/tasks.md differs from origin/main as last fetched" if differs else None)


def test_a_feature_that_was_never_pushed_is_said_until_its_branch_is(clone: Path) -> None:
    git(clone, "checkout", "--quiet", "-b", "003-new")
    place = clone / "specs" / "003-new" / "tasks.md"
    place.parent.mkdir()
    place.write_text(OPEN)
    found = feature_here("acme/rockets", clone)
    assert found is not None
    assert found.unpushed == "specs/003-new/tasks.md is on no branch of origin as last fetched"
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "Plan")
    git(clone, "push", "--quiet", "origin", "003-new")
    found = feature_here("acme/rockets", clone)
    assert found is not None
    assert (found.path, found.unpushed) == ("specs/003-new", None)


@pytest.mark.parametrize(
    ("options", "asked"), [([], "specs/002-b"), (["--feature", "001-a"], "001-a"), (["--feature", "2"], "2")]
)
def test_the_command_sends_it_unless_a_feature_is_named(
    moonmind: Callable[..., int],
    database: Database,
    clone: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    asked: str,
) -> None:
    point(clone, "specs/002-b")
    monkeypatch.chdir(clone)
    monkeypatch.setenv("MOONMIND_VAR_DIR", str(clone.parent / "var"))
    assert moonmind("run", "acme/rockets", *options) == 0
    with database.read() as unit:
        (run,) = unit.runs.page(RunFilter(), 2)
    assert run.requested_key == asked
    assert ("as in this checkout" in capsys.readouterr().err) is (not options)
