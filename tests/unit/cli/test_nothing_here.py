import json
from pathlib import Path

import pytest

from moonmind.cli.main import main

Capture = pytest.CaptureFixture[str]
ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


def test_runs_in_a_folder_without_a_database_says_where_it_looked(empty_folder: Path, capsys: Capture) -> None:
    assert main(["runs"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert f"No runs here: {empty_folder / 'var/moonmind.db'} does not exist" in err
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"] == []
    assert not (empty_folder / "var").exists()


@pytest.mark.parametrize("command", [("show", ID), ("logs", ID), ("retry", ID), ("cancel", ID)])
def test_a_run_is_not_found_there_and_nothing_is_made(
    empty_folder: Path, capsys: Capture, command: tuple[str, ...]
) -> None:
    assert main([*command]) == 3
    assert "var/moonmind.db does not exist" in capsys.readouterr().err
    assert not (empty_folder / "var").exists()


def test_doctor_looks_at_the_rest_and_leaves_no_database(empty_folder: Path, capsys: Capture) -> None:
    main(["doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["database"]["status"] == "skipped"
    assert str(empty_folder / "var/moonmind.db") in checks["database"]["message"]
    assert len(checks) > 4
    assert not (empty_folder / "var/moonmind.db").exists()


def test_a_run_makes_the_database_and_then_the_list_names_it(empty_folder: Path, capsys: Capture) -> None:
    assert main(["run", "acme/rockets"]) == 0
    assert (empty_folder / "var/moonmind.db").exists()
    assert main(["runs"]) == 0
    assert "acme/rockets" in capsys.readouterr().out
