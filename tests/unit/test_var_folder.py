"""A `var` that came with a clone is not taken for this installation's, and the one that it made itself is."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind import env_file, var_folder
from moonmind.cli.main import main
from moonmind.demo import demo
from moonmind.errors import FolderRefused
from moonmind.settings import DatabaseSettings, Settings, load_settings
from tests.support.env_files import go_to_a_clone

VARIABLES = ("MOONMIND_VAR_DIR", "SPEC_WORKFLOW_ARTIFACT_ROOT", "MOONMIND_LOCAL_REPOS")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return go_to_a_clone(tmp_path, monkeypatch)


def refusal() -> str:
    with pytest.raises(FolderRefused) as refused:
        load_settings()
    assert refused.value.advice.startswith("If the folder is yours, set ")
    return refused.value.message


def claim() -> None:
    load_settings().claim_var("MOONMIND_VAR_DIR")


def notes() -> list[Path]:
    return sorted((Path.home() / "state/moonmind/folders").glob("*.json"))


# --- what is refused -----------------------------------------------------------------------------------------------------


def with_database(var: Path) -> None:
    var.mkdir()
    (var / "moonmind.db").write_bytes(b"theirs")


def with_server(var: Path) -> None:
    var.mkdir()
    (var / "server.json").write_text('{"url": "http://127.0.0.1:1", "pid": 1, "startTime": null}')


def with_repositories(var: Path) -> None:
    (var / "repositories").mkdir(parents=True)


def with_a_hidden_file(var: Path) -> None:
    var.mkdir()
    (var / ".keep").touch()


def linked_elsewhere(var: Path) -> None:
    with_database(var.parents[1] / "elsewhere")
    var.symlink_to(var.parents[1] / "elsewhere")


def linked_to_an_empty_folder(var: Path) -> None:
    (var.parents[1] / "empty").mkdir()
    var.symlink_to(var.parents[1] / "empty")


def linked_nowhere(var: Path) -> None:
    var.symlink_to("nowhere")


def a_file(var: Path) -> None:
    var.touch()


def made_over(var: Path) -> None:
    claim()
    var.rename(var.with_name("before"))
    with_database(var)


def made_elsewhere(var: Path) -> None:
    claim()
    (var / "moonmind.db").touch()
    var.rename(var.with_name("before"))
    var.symlink_to("before")


FOREIGN: dict[Callable[[Path], None], str] = {
    with_database: "it holds moonmind.db",
    with_server: "it holds server.json",
    with_repositories: "it holds repositories",
    with_a_hidden_file: "it holds files",
    linked_elsewhere: "it is a link",
    linked_to_an_empty_folder: "it is a link",
    linked_nowhere: "it is a link",
    a_file: "it is no folder",
    made_over: "it holds moonmind.db",
    made_elsewhere: "it is a link",
}


@pytest.mark.parametrize(("make", "why"), FOREIGN.items())
def test_a_folder_that_this_installation_did_not_make_is_refused(
    clone: Path, make: Callable[[Path], None], why: str
) -> None:
    make(clone / "var")
    message = refusal()
    assert f"{clone}/var was not created by this MoonMind ({why}), and {clone} is a git work tree" in message
    assert "SPEC_WORKFLOW_ARTIFACT_ROOT, MOONMIND_VAR_DIR and MOONMIND_LOCAL_REPOS are not set" in message


@pytest.mark.parametrize("make", [with_database, linked_elsewhere])
def test_a_folder_that_is_a_clone_itself_is_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    make(tmp_path / "cwd/var")
    assert load_settings().var_dir == Path("var")
    (tmp_path / "cwd/var/.git").mkdir()
    assert f"{tmp_path}/cwd/var was not created by this MoonMind" in refusal()


def test_each_setting_that_is_left_out_counts_and_all_of_them_set_is_enough(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_database(clone / "var")
    for variable in VARIABLES[:-1]:
        monkeypatch.setenv(variable, str(clone / "var"))
        assert f"{VARIABLES[-1]} " in refusal()
    monkeypatch.setenv(VARIABLES[-1], "var/repositories")
    assert load_settings().var_dir == clone / "var"
    load_settings().claim_var(*VARIABLES)
    assert notes() == []


def test_every_place_that_is_relative_by_default_is_below_the_folder() -> None:
    assert set(load_settings().defaulted()) == set(VARIABLES)
    assert {place.parts[0] for place in load_settings().defaulted().values()} == {"var"}
    assert not any(isinstance(field.default, str) and "/" in field.default for field in Settings.model_fields.values())


# --- what is not ---------------------------------------------------------------------------------------------------------


def test_the_second_start_finds_its_own_folder(clone: Path) -> None:
    claim()
    (clone / "var/moonmind.db").touch()
    claim()
    assert [json.loads(note.read_text()) for note in notes()] == [
        {
            "path": f"{clone}/var",
            "mark": (clone / "var" / var_folder.MARK).read_text(),
        }
    ]
    assert [path.stat().st_mode & 0o777 for path in (notes()[0], notes()[0].parent)] == [0o600, 0o700]


def test_an_empty_folder_is_taken_and_noted(clone: Path) -> None:
    (clone / "var").mkdir()
    claim()
    (clone / "var/moonmind.db").touch()
    claim()


@pytest.mark.parametrize("holder", ["package", "interpreter", "no work tree"])
def test_the_operators_own_places_need_no_note(
    clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, holder: str
) -> None:
    with_database(clone / "var")
    if holder == "package":
        monkeypatch.setattr(env_file, "__file__", str(clone / "moonmind/env_file.py"))
    elif holder == "interpreter":
        monkeypatch.setattr(sys, "prefix", str(clone / ".venv"))
    else:
        (clone / ".git").rmdir()
    claim()
    assert notes() == []


# --- where nothing can be noted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["{home}/file/state", "/proc/nowhere", "{clone}/state", "state"])
def test_without_a_place_for_the_note_nothing_is_made(clone: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    (Path.home() / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", state.format(home=Path.home(), clone=clone))
    with pytest.raises(FolderRefused) as refused:
        claim()
    assert "MOONMIND_VAR_DIR" in refused.value.advice
    assert [path.name for path in clone.iterdir()] == [".git"]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"path": "/", "device": 1, "inode": 1}', "\udcff"])
def test_a_note_that_says_something_else_is_none(clone: Path, note: str) -> None:
    claim()
    (clone / "var/moonmind.db").touch()
    notes()[0].write_bytes(note.encode("utf-8", "surrogateescape"))
    refusal()


# --- the commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["up", "--port", "0"], ["doctor"], ["runs"], ["show", "abcd"], ["run", "a/b"], ["run", "a/b", "--dry-run"],
     ["db", "upgrade"], ["db", "current"]],
)  # fmt: skip
def test_every_command_ends_with_4_before_it_reads_or_writes(
    clone: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with_database(clone / "var")
    assert main(arguments) == 4
    assert f"{clone}/var was not created by this MoonMind" in capfd.readouterr().err
    assert [path.name for path in (clone / "var").iterdir()] == ["moonmind.db"]


def test_the_demo_signals_no_process_that_a_clone_names(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (clone / "var/demo").mkdir(parents=True)
    (clone / "var/demo/server.json").touch()
    assert demo.main([]) == 4
    assert f"{clone}/var was not created by this MoonMind" in capfd.readouterr().err
    assert [path.name for path in (clone / "var/demo").iterdir()] == ["server.json"]


@pytest.mark.parametrize("arguments", [["runs"], ["show", "abcd"], ["db", "current"], ["doctor"]])
def test_to_look_makes_nothing(clone: Path, arguments: list[str]) -> None:
    main(arguments)
    assert [path.name for path in clone.iterdir()] == [".git"]
    assert notes() == []


def test_the_folder_that_a_command_made_is_taken_by_the_next(clone: Path) -> None:
    assert main(["db", "upgrade"]) == 0
    assert (clone / "var/moonmind.db").is_file()
    assert main(["db", "upgrade"]) == 0
    assert load_settings(DatabaseSettings).var_dir == Path("var")
