import json
from pathlib import Path

import pytest

from moonmind import __version__
from moonmind.cli.speckit import main
from moonmind.sample import source

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for path, content in source.files().items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return tmp_path


def test_the_version_is_said_as_the_quickstart_asks(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"speckit {__version__}\n"


def test_status_shows_each_phase_and_what_comes_next(checkout: Path, capsys: Capture) -> None:
    assert main(["status", str(checkout)]) == 0
    out = capsys.readouterr().out
    assert "specs/spec-42-refresh-docs" in out
    assert "Phase 1: Setup" in out
    assert "0/3" in out
    assert "next: T001, T002, T003" in out


def test_status_with_json_says_the_same_to_programs(checkout: Path, capsys: Capture) -> None:
    tasks = checkout / "specs/spec-42-refresh-docs/tasks.md"
    tasks.write_text(tasks.read_text("utf-8").replace("- [ ] T001", "- [X] T001"), "utf-8")
    assert main(["status", str(checkout), "--feature", "spec-42-refresh-docs", "--json"]) == 0
    (feature,) = json.loads(capsys.readouterr().out)["features"]
    assert feature["completed"] == 1
    assert feature["next"]["tasks"] == ["T002", "T003"]
    assert feature["phases"][0]["completed"] == 1


def test_a_finished_feature_says_that_nothing_is_left(checkout: Path, capsys: Capture) -> None:
    tasks = checkout / "specs/spec-42-refresh-docs/tasks.md"
    tasks.write_text(tasks.read_text("utf-8").replace("- [ ]", "- [x]"), "utf-8")
    assert main(["status", str(checkout), "--json"]) == 0
    (feature,) = json.loads(capsys.readouterr().out)["features"]
    assert feature["next"] is None
    assert feature["reason"]


def test_a_file_that_cannot_be_read_with_certainty_is_said_and_the_others_are_shown(
    checkout: Path, capsys: Capture
) -> None:
    other = checkout / "specs/043-broken"
    other.mkdir()
    (other / "tasks.md").write_text("# nothing that asks for work\n")
    assert main(["status", str(checkout)]) == 4
    out = capsys.readouterr().out
    assert "fix: " in out
    assert "Phase 1: Setup" in out
    assert main(["status", str(checkout), "--json"]) == 4
    features = {each["key"]: each for each in json.loads(capsys.readouterr().out)["features"]}
    assert features["043-broken"]["error"]["code"] == "spec_unreadable"


def test_a_folder_without_features_is_not_found(tmp_path: Path, capsys: Capture) -> None:
    assert main(["status", str(tmp_path)]) == 3
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["land"], ["status", "/no/such/folder"]])
def test_a_wrong_command_line_is_explained(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_spec_cannot_steer_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    feature = tmp_path / "specs/001-x"
    feature.mkdir(parents=True)
    (feature / "tasks.md").write_text("## Phase 1: \x1b[2Jx\n\n- [ ] T001 Write `a.py` \x1b]0;t\x07\n")
    main(["status", str(tmp_path)])
    assert "\x1b" not in capsys.readouterr().out
