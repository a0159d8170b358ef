"""A dry run shows what a run would do, and leaves nothing."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from moonmind.cli.main import main
from moonmind.ports.check import Check, CheckStatus
from moonmind.sample import source
from moonmind.services.preview_service import with_workflow_right
from tests.support.git_repos import branches_of, commit_to, make_bare, tip_of

pytestmark = pytest.mark.sqlite

Capture = pytest.CaptureFixture[str]
NAME = "acme/demo"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where MoonMind never ran, in test mode, with the sample as `acme/demo`."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    for name, value in {
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "MOONMIND_STATE_DIR": str(tmp_path / "state"),
        "MOONMIND_LOCAL_REPOS": str(tmp_path / "repositories"),
    }.items():
        monkeypatch.setenv(name, value)
    make_bare(tmp_path / "repositories" / f"{NAME}.git", source.files())
    return place


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--dry-run", "--json"], [], ["--from", "apply"]])
def test_a_repository_that_is_not_admitted_is_refused_and_nothing_is_left(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("MOONMIND_REPOSITORIES", "acme/other,*/docs")
    assert main(["run", NAME, *arguments]) == 4
    assert (
        f"{NAME} may not be run here: MOONMIND_REPOSITORIES allows only acme/other, */docs" in capsys.readouterr().err
    )


@pytest.mark.usefixtures("folder")
def test_a_repository_that_is_admitted_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONMIND_REPOSITORIES", "ACME/d*")
    assert main(["run", NAME, "--dry-run"]) == 0


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"tokenKind": "classic", "tokenScopes": "repo"}, CheckStatus.FAILED),
        ({"tokenKind": "classic", "tokenScopes": "repo, workflow"}, CheckStatus.PASSED),
        ({"tokenKind": "fine-grained"}, CheckStatus.UNKNOWN),
        ({"tokenKind": "GitHub App installation"}, CheckStatus.UNKNOWN),
    ],
)
def test_a_workflow_that_the_token_may_not_push_is_said_before(facts: dict[str, str], status: CheckStatus) -> None:
    token = Check("github.token", CheckStatus.PASSED, "accepted", facts=facts)
    task = {"id": "T001", "text": "Add CI", "targets": [".github/workflows/ci.yml"]}
    assert with_workflow_right([token], {"tasks": []}) == [token]
    _, check = with_workflow_right([token], {"tasks": [task]})
    assert (check.name, check.status) == ("github.workflows", status)
    assert ".github/workflows/ci.yml" in check.message


def dry_run(capsys: Capture, code: int, *arguments: str) -> dict[str, Any]:
    assert main(["run", NAME, "--dry-run", "--json", *arguments]) == code
    return dict(json.loads(capsys.readouterr().out))


def test_the_work_and_the_preflight_are_shown_and_nothing_is_left(
    folder: Path, capsys: Capture, tmp_path: Path
) -> None:
    assert main(["run", NAME, "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "git.binary" in shown.out
    assert "Phase 1: Setup" in shown.out
    assert "T003  Declare the project" in shown.out
    assert "nothing was started" in shown.out
    assert shown.err == ""
    assert list(folder.iterdir()) == []
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (tmp_path / "state" / "jobs").exists()
    assert branches_of(tmp_path / "repositories" / f"{NAME}.git") == ["main"]


def test_programs_are_told_the_same(folder: Path, capsys: Capture) -> None:
    found = dry_run(capsys, 0, "--feature", "spec-42-refresh-docs")
    assert (found["ready"], found["answer"]) == (True, "work")
    assert [task["id"] for task in found["work"]] == found["tasks"]
    assert {name: found[name] for name in found["next"]} == found["next"]
    assert found["next"] == {
        "feature": "specs/spec-42-refresh-docs",
        "choice": "specs/spec-42-refresh-docs was requested; moonmind/spec-42-refresh-docs: the feature's first branch.",
        "phase": "Phase 1: Setup (Shared Infrastructure)",
        "tasks": ["T001", "T002", "T003"],
        "left_for_people": [],
        "reason": None,
        "branch": "moonmind/spec-42-refresh-docs",
        "base": "main",
    }


def test_why_there_is_nothing_to_do_is_said(
    folder: Path, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run", NAME, "--dry-run", "--feature", "999"]) == 1
    out = capsys.readouterr().out
    assert "no feature '999'" in out
    assert "fix: " in out
    found = dry_run(capsys, 1, "--feature", "999")
    assert "no feature '999'" in str(found["next"]["reason"])
    done = {path: content.replace(b"- [ ]", b"- [x]") for path, content in source.files().items()}
    monkeypatch.setenv("MOONMIND_LOCAL_REPOS", str(tmp_path / "others"))
    make_bare(tmp_path / "others" / f"{NAME}.git", done)
    found = dry_run(capsys, 0)
    assert "is done" in str(found["next"]["reason"])


def test_the_notes_of_a_refusal_are_shown(folder: Path, capsys: Capture, tmp_path: Path) -> None:
    commit_to(tmp_path / "repositories" / f"{NAME}.git", "main", {"specs/007-z/spec.md": "# Z\n"}, "Specify")
    assert main(["run", NAME, "--dry-run", "--feature", "007"]) == 1
    note = "specs/007-z has a spec.md and no tasks.md yet"
    assert f"note: {note}" in capsys.readouterr().out
    assert dry_run(capsys, 1, "--feature", "007")["notes"] == [note]


@pytest.mark.parametrize("other", ["moonmind/spec-42-refresh-docs/foo"])
def test_a_branch_that_leaves_no_room_is_said_with_the_command(
    folder: Path, capsys: Capture, tmp_path: Path, other: str
) -> None:
    bare = tmp_path / "repositories" / f"{NAME}.git"
    commit_to(bare, other, {"x": "y"}, "By hand", start=tip_of(bare, "main"))
    assert main(["run", NAME, "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert f"cannot be made beside {other}" in out
    assert "fix: Rename it: `git fetch origin && git push origin" in out


def test_a_credential_that_is_missing_fails_it(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "0")
    monkeypatch.setenv("MOONMIND_AGENT", "scripted")
    found = dry_run(capsys, 1)
    assert found["ready"] is False
    assert "GH_TOKEN is not set" in str(found["next"]["reason"])
    assert list(folder.iterdir()) == []


def test_a_wrong_name_is_refused_before_anything_is_made(folder: Path, capsys: Capture, tmp_path: Path) -> None:
    assert main(["run", "not a name", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert list((tmp_path / "scratch").iterdir()) == []
