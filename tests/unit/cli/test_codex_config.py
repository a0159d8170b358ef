from pathlib import Path

import pytest

from moonmind.cli.codex_config import main

KEY = "sk-set-0123456789abcdef"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # no `.env` of the developer's
    home = tmp_path / "codex"
    monkeypatch.setenv("CODEX_HOME", str(home))
    return home


def test_without_a_login_it_makes_the_configuration_and_says_what_to_run(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 1
    said = capsys.readouterr()
    assert f"{home / 'config.toml'} (created)" in said.out
    assert "`codex login`" in said.err
    assert "CODEX_API_KEY" in said.err


def test_a_key_is_enough_and_is_not_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "config.toml").write_text("model = 'mine'\n")
    monkeypatch.setenv("CODEX_API_KEY", KEY)
    monkeypatch.setenv("CODEX_ENV", "prod")
    assert main([]) == 0
    said = capsys.readouterr()
    assert "found, unchanged" in said.out
    assert "prod (prod.config.toml not found)" in said.out
    assert KEY not in said.out + said.err
    assert (home / "config.toml").read_text() == "model = 'mine'\n"


def test_a_stored_login_is_enough(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    (home / "auth.json").write_text(f'{{"auth_mode": "apikey", "OPENAI_API_KEY": "{KEY}"}}')
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "API key stored by codex login" in said
    assert KEY not in said


def test_test_mode_needs_nothing_and_touches_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "1")
    assert main([]) == 0
    assert "needs no configuration" in capsys.readouterr().out
    assert not home.exists()


def test_a_home_that_cannot_be_made_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "file" / "codex"))
    assert main([]) == 4
    assert "cannot be created" in capsys.readouterr().err


def test_a_wrong_setting_ends_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://localhost")
    assert main([]) == 4
    assert "CELERY_BROKER_URL" in capsys.readouterr().err


def test_help_says_what_it_makes_and_makes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "config.toml" in capsys.readouterr().out
    assert not home.exists()


@pytest.mark.parametrize("argument", ["--what", "somewhere", "--hel"])
def test_an_unknown_argument_is_refused_before_anything_is_made(
    home: Path, capsys: pytest.CaptureFixture[str], argument: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([argument])
    assert ended.value.code == 2
    assert argument in capsys.readouterr().err
    assert not home.exists()
