"""Which `.env` is read, and what is said when it cannot be."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind import bootstrap, env_file
from moonmind.adapters.agents.codex import CodexAgent
from moonmind.adapters.agents.codex_login import find_login
from moonmind.adapters.sandbox_choice import NO_CHOICE
from moonmind.cli.main import main
from moonmind.settings import Settings, load_settings
from tests.support.env_files import EVIL, go_to_a_clone, refusal


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a foreign work tree, and go there."""
    return go_to_a_clone(tmp_path, monkeypatch)


# --- the file that is named ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", ["MOONMIND_ENV_FILE", "moonmind_env_file"])
def test_a_named_file_is_read_wherever_it_is_and_instead_of_the_other(
    clone: Path, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    (clone / ".env").write_text("CODEX_ENV=theirs\nMOONMIND_MAX_AGENTS=9\n")
    (clone / "mine").write_text("CODEX_BIN=/opt/codex\nMOONMIND_ENV_FILE=/nowhere\n")
    monkeypatch.setenv(spelled, "mine")
    settings = load_settings()
    assert (settings.codex_bin, settings.codex_env, settings.max_agents) == ("/opt/codex", None, 2)
    assert settings.env_file == clone / "mine"


def test_home_is_written_short_and_nothing_is_read_from_the_null_device(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / ".env").write_text(EVIL)
    monkeypatch.setenv("MOONMIND_ENV_FILE", os.devnull)
    assert load_settings().codex_bin is None
    (Path.home() / "mine").write_text("CODEX_BIN=/opt/codex\n")
    monkeypatch.setenv("MOONMIND_ENV_FILE", "~/mine")
    assert load_settings().codex_bin == "/opt/codex"


def missing(place: Path) -> None:
    assert not place.exists()


def folder(place: Path) -> None:
    place.mkdir()


def endless(place: Path) -> None:
    place.symlink_to("/dev/zero")


def link_to_nothing(place: Path) -> None:
    place.symlink_to("nothing")


def link_to_itself(place: Path) -> None:
    place.symlink_to(place)


def huge(place: Path) -> None:
    place.write_bytes(b"#" * (env_file._LARGEST + 1))


@pytest.mark.parametrize("make", [missing, folder, endless, link_to_nothing, link_to_itself, huge])
def test_a_named_file_that_cannot_be_read_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CODEX_ENV=other\n")
    make(tmp_path / "named")
    monkeypatch.setenv("MOONMIND_ENV_FILE", "named")
    assert f"the settings in {tmp_path}/named cannot be read: " in refusal()


@pytest.mark.parametrize("make", [endless, link_to_nothing, link_to_itself, huge])
def test_a_dot_env_that_cannot_be_read_is_an_error_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / ".env")
    assert f"the settings in {tmp_path}/.env cannot be read: " in refusal()


def test_a_pipe_is_read_from_the_operator_and_not_from_a_foreign_work_tree(tmp_path: Path, clone: Path) -> None:
    os.mkfifo(clone / ".env")
    assert "it is not a regular file" in refusal()  # and it did not wait for a writer
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["sh", "-c", f"echo CODEX_ENV=served > {tmp_path}/pipe"]):
        found = env_file.read(str(tmp_path / "pipe"))
    assert found is not None
    assert found.values == {"CODEX_ENV": "served"}


def test_a_virtual_environment_called_dot_env_is_no_file_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env/bin").mkdir(parents=True)
    assert load_settings().env_file is None


def test_a_working_directory_that_is_gone_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert env_file.read(None) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("CODEX_ENV=prod\n".encode("utf-16"), "UTF-16"),
        ("CODEX_ENV=prod\n".encode("utf-16-be"), "zero bytes"),
        (b"\xfe\xff" + "CODEX_ENV=prod\n".encode("utf-16-be"), "UTF-16"),
        ("CODEX_ENV=prod\n".encode("utf-32"), "UTF-16"),
        ("# one\n# f\u00fcr den Betrieb\nCODEX_ENV=prod\n".encode("latin-1"), "line 2 "),
        (b"CODEX_ENV=prod\n# \x93quoted\x94 by cp1252\n", "line 2 "),
        ("CODEX_ENV=\u540d".encode("shift-jis"), "line 1 "),
        (b"\x7fELF\x02\x01\x01\0\0\0", "zero bytes"),
        (b"CODEX_ENV=\xc3", "line 1 "),
    ],
)
def test_another_encoding_is_one_sentence_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(content)
    assert main(["runs", "--json"]) == 4
    out, err = capfd.readouterr()
    assert f"error: the settings in {tmp_path}/.env are not UTF-8 text: " in err
    assert said in err
    assert "fix: Save the file as UTF-8" in err
    assert json.loads(out)["code"] == "env_file_refused"
    assert len(err.splitlines()) == 2


def test_a_line_that_is_no_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CODEX_ENV=prod\n\nCODEX_MODEL='unclosed\n")
    assert refusal() == f"line 3 of {tmp_path}/.env is not a setting"


# --- the rest -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_the_file", "of_the_environment"), [("GH_TOKEN", "GITHUB_TOKEN"), ("github_token", "gh_token")]
)
def test_the_environment_wins_over_the_file_whichever_name_each_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_the_file: str, of_the_environment: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"{of_the_file}=of-the-file\nMOONMIND_MAX_AGENTS=3\n")
    monkeypatch.setenv(of_the_environment, "of-the-environment")
    settings = load_settings()
    assert settings.gh_token is not None
    assert settings.gh_token.get_secret_value() == "of-the-environment"
    assert settings.max_agents == 3


@pytest.mark.parametrize(("named", "hidden"), [("/etc/hostname", "/etc/hostname"), (os.devnull, None), (None, None)])
def test_agents_are_kept_from_the_file_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, hidden: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    options = bootstrap._agent_options(
        Settings(_env_file=None, env_file=named),
        tmp_path,
        "installation",
        NO_CHOICE,
    )
    found = CodexAgent(options)._hidden(find_login(options))
    assert tmp_path / ".env" in found
    assert hidden is None or Path(hidden) in found
    assert Path(os.devnull) not in found
