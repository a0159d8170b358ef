"""What a `.env` in a foreign work tree may not choose, and which work trees are foreign."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import AliasChoices

from moonmind import env_file
from moonmind.cli.main import main
from moonmind.env_file import KINDS, Kind
from moonmind.settings import Settings, ambient_environment, load_settings
from tests.support.env_files import EVIL, go_to_a_clone, refusal

NAMES = {
    str(name): field
    for field, alias in ((field, info.validation_alias) for field, info in Settings.model_fields.items())
    for name in (alias.choices if isinstance(alias, AliasChoices) else [alias])
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a foreign work tree, and go there."""
    return go_to_a_clone(tmp_path, monkeypatch)


# --- what each setting decides ----------------------------------------------------------------------------------------


HARMLESS = {
    "SPEC_WORKFLOW_CODEX_QUEUE", "MOONMIND_MAX_AGENTS", "MOONMIND_AGENT_RELOOK_SECONDS", "MOONMIND_LEASE_SECONDS",
    "MOONMIND_HEARTBEAT_SECONDS", "MOONMIND_SWEEP_SECONDS", "MOONMIND_START_SECONDS", "MOONMIND_LOG_FORMAT",
    "MOONMIND_LOG_LEVEL", "MOONMIND_PHASE_TASKS", "MOONMIND_MAX_JOBS",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(NAMES) - HARMLESS))
def test_a_file_of_a_foreign_work_tree_names_nothing_but_what_is_harmless(clone: Path, name: str) -> None:
    (clone / ".env").write_text(f"MOONMIND_MAX_AGENTS=3\n{name}=1\n")
    message = refusal()
    assert f"{clone}/.env sets {name}, and {clone} is" in message


def test_harmless_settings_of_a_file_of_a_foreign_work_tree_are_read(clone: Path) -> None:
    assert {name for name, field in NAMES.items() if KINDS[field] is Kind.HARMLESS} == HARMLESS
    (clone / ".env").write_text(
        "MOONMIND_MAX_AGENTS=3\nMOONMIND_LOG_LEVEL=DEBUG\nUNKNOWN=1\nCODEX_BIN=\nexport CODEX_ENV\n"
    )
    settings = load_settings()
    assert (settings.max_agents, settings.log_level, settings.codex_bin) == (3, "DEBUG", None)
    assert settings.env_file == clone / ".env"


# --- how a name can be written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "CODEX_BIN=/tmp/evil",
        "codex_bin=/tmp/evil",
        "Codex_Bin = '/tmp/evil'",
        "export CODEX_BIN=/tmp/evil",
        'export\tcodex_BIN="/tmp/evil" # comment',
        "'CODEX_BIN'=/tmp/evil",
        "   CODEX_BIN   =/tmp/evil",
        "A='a\nb'\nCODEX_BIN=/tmp/evil",
        "\ufeffCODEX_BIN=/tmp/evil",
        "#\rCODEX_BIN=/tmp/evil\r",
        "if [ 1 ]; then\nCODEX_BIN=/tmp/evil\nfi",
        "CODEX_BIN=${HOME}/evil",
    ],
)
def test_a_name_counts_however_it_is_written(clone: Path, text: str) -> None:
    (clone / ".env").write_bytes(text.encode())
    assert "CODEX_BIN" in refusal()


def test_the_other_name_of_the_token_counts_and_all_names_are_said(clone: Path) -> None:
    (clone / ".env").write_text("github_token=ghp_x\nDATABASE_URL=sqlite:////tmp/x\nMOONMIND_MAX_AGENTS=1\n")
    assert "sets GITHUB_TOKEN (github_token), DATABASE_URL, and" in refusal()


@pytest.mark.parametrize("name", ["sandbox", "database", "AGENT_NAME", "Forge_Name", "broker_url"])
def test_the_name_of_a_field_is_no_setting_neither_in_a_file_nor_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "1")
    (tmp_path / ".env").write_text(f"{name}=1\n")
    assert load_settings().model_copy(update={"env_file": None}) == Settings(_env_file=None)


def test_a_file_of_a_foreign_work_tree_takes_nothing_out_of_the_environment(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_TOKEN", "ghp_secret")
    (clone / ".env").write_text("SPEC_WORKFLOW_CODEX_QUEUE=${GH_TOKEN}\nMOONMIND_LOG_LEVEL=${GH_TOKEN:-x}\n")
    assert "ghp_secret" not in {load_settings().queue, load_settings().log_level}


def test_the_environment_does_not_make_up_for_a_name_in_a_file_of_a_foreign_work_tree(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{clone}/mine.db")
    (clone / ".env").write_text("DATABASE_URL=sqlite:////tmp/theirs.db\n")
    assert "DATABASE_URL" in refusal()


# --- which work tree ----------------------------------------------------------------------------------------------------


def git(*arguments: str) -> None:
    settings = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *settings, *arguments], check=True, capture_output=True, env=ambient_environment())


def plain(top: Path) -> Path:
    git("init", str(top / "x"))
    return top / "x"


def deep(top: Path) -> Path:
    folder = plain(top) / "a/b/c"
    folder.mkdir(parents=True)
    return folder


def linked(top: Path) -> Path:
    git("-C", str(plain(top)), "commit", "--allow-empty", "-m", "m")
    git("-C", str(top / "x"), "worktree", "add", str(top / "linked"))
    return top / "linked"


def below_a_bare(top: Path) -> Path:
    git("init", "--bare", str(top / "x/.bare"))
    (top / "x/.git").write_text("gitdir: ./.bare\n")
    return top / "x"


def in_a_bare(top: Path) -> Path:
    git("init", "--bare", str(top / "x.git"))
    return top / "x.git"


def submodule(top: Path) -> Path:
    inner = plain(top) / "vendor"
    inner.mkdir()
    (inner / ".git").write_text("gitdir: ../.git/modules/vendor\n")
    return inner


def separate(top: Path) -> Path:
    git("init", "--separate-git-dir", str(top / "elsewhere"), str(top / "x"))
    return top / "x"


def broken(top: Path) -> Path:
    (top / "x").mkdir()
    (top / "x/.git").write_bytes(b"\xff\0 nothing that git could read")
    return top / "x"


def dangling(top: Path) -> Path:
    (top / "x").mkdir()
    (top / "x/.git").symlink_to(top / "nowhere")
    return top / "x"


def circular(top: Path) -> Path:
    (top / "x").mkdir()
    (top / "x/.git").symlink_to(top / "x/.git")
    return top / "x"


def entered_by_a_link(top: Path) -> Path:
    (top / "link").symlink_to(deep(top))
    return top / "link"


@pytest.mark.parametrize(
    "make",
    [plain, deep, linked, below_a_bare, in_a_bare, submodule, separate, broken, dangling, circular, entered_by_a_link],
)
def test_every_layout_of_a_work_tree_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path]
) -> None:
    folder = make(tmp_path)
    monkeypatch.chdir(folder)
    (folder / ".env").write_text(EVIL)
    assert "CODEX_BIN" in refusal()


@pytest.mark.parametrize("hops", [1, 2])
def test_a_link_into_a_work_tree_is_that_work_trees_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hops: int
) -> None:
    target = plain(tmp_path) / "settings"
    target.write_text(EVIL)
    for hop in range(hops):
        (tmp_path / f"hop{hop}").symlink_to(target)
        target = tmp_path / f"hop{hop}"
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/.env").symlink_to(target)
    monkeypatch.chdir(tmp_path / "cwd")
    assert str(tmp_path / "x") in refusal()


def test_a_link_out_of_a_work_tree_does_not_make_it_the_operators(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text(EVIL)
    (clone / ".env").symlink_to(tmp_path / "outside")
    assert "CODEX_BIN" in refusal()


def test_a_work_tree_inside_of_the_programs_own_is_foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(env_file, "__file__", str(tmp_path / "moonmind/env_file.py"))
    inner = tmp_path / "var/state/workspace"
    (inner / ".git").mkdir(parents=True)
    for folder, read in ((tmp_path, "/tmp/evil"), (tmp_path / "var", "/tmp/evil"), (inner, None)):
        (folder / ".env").write_text(EVIL)
        monkeypatch.chdir(folder)
        if read is None:
            assert "CODEX_BIN" in refusal()
        else:
            assert load_settings().codex_bin == read


@pytest.mark.parametrize("holder", ["package", "interpreter"])
def test_a_work_tree_that_holds_the_running_program_is_the_operators(
    clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, holder: str
) -> None:
    monkeypatch.setattr(env_file, "__file__", str(tmp_path / "elsewhere/env_file.py"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    (clone / ".env").write_text(EVIL)
    assert "CODEX_BIN" in refusal()
    if holder == "package":
        monkeypatch.setattr(env_file, "__file__", str(clone / "moonmind/env_file.py"))
    else:
        monkeypatch.setattr(sys, "prefix", str(clone / ".venv"))
    assert load_settings().codex_bin == "/tmp/evil"


def test_a_folder_whose_name_begins_like_the_programs_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env_file, "__file__", str(tmp_path / "moonmind-fork/moonmind/env_file.py"))
    (tmp_path / "moonmind/.git").mkdir(parents=True)
    (tmp_path / "moonmind/.env").write_text(EVIL)
    monkeypatch.chdir(tmp_path / "moonmind")
    assert "CODEX_BIN" in refusal()


def test_outside_of_work_trees_the_file_is_the_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROOM", "/opt")
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfexport CODEX_BIN=${ROOM}/codex\r\ncodex_env='prod'\r\n")
    settings = load_settings()
    assert (settings.codex_bin, settings.codex_env) == ("/opt/codex", "prod")
    assert settings.env_file == tmp_path / ".env"


@pytest.mark.parametrize(
    "arguments", [["doctor"], ["runs"], ["show", "abcd"], ["run", "a/b"], ["run", "a/b", "--dry-run"]]
)
def test_every_command_ends_with_4_in_a_foreign_work_tree(
    clone: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    (clone / ".env").write_text(
        "CODEX_BIN=./evil\nGITHUB_API_URL=http://127.0.0.1:1\nCODEX_BASE_URL=http://127.0.0.1:1\n"
    )
    (clone / "evil").write_text(f"#!/bin/sh\ntouch {clone}/executed\n")
    (clone / "evil").chmod(0o755)
    assert main(arguments) == 4
    err = capfd.readouterr().err
    assert f"{clone}/.env sets CODEX_BIN, GITHUB_API_URL, CODEX_BASE_URL" in err
    assert "MOONMIND_ENV_FILE" in err
    assert sorted(path.name for path in clone.iterdir()) == [".env", ".git", "evil"]
