import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from moonmind.cli.database_commands import place
from moonmind.cli.main import main
from moonmind.db.schema import HEAD
from moonmind.settings import DatabaseSettings, load_settings

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_version(url: str, version: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()


def test_looking_makes_no_database(empty_folder: Path, capsys: Capture) -> None:
    assert main(["db", "current"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("var/moonmind.db: The database has no schema yet")
    assert "moonmind db upgrade" in said
    assert list(empty_folder.iterdir()) == []


def test_upgrading_twice_is_upgrading_once(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)  # and no broker: a migration needs none
    assert main(["db", "upgrade"]) == 0
    first = capsys.readouterr().out
    assert f"upgraded the schema from nothing to version {HEAD}." in first
    assert main(["db", "upgrade"]) == 0
    assert f"the schema is already at version {HEAD}." in capsys.readouterr().out
    assert main(["db", "current", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["current"], shown["upToDate"]) == (HEAD, True)
    assert shown["database"] in first


@pytest.mark.parametrize("version", ["0099", "abc", "0001_x"])
def test_a_schema_of_another_program_is_not_touched(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, version: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    main(["db", "upgrade"])
    set_version(empty_database_url, version)
    capsys.readouterr()
    assert main(["db", "current"]) == 1
    assert "Install the newer version" in capsys.readouterr().out
    assert main(["db", "upgrade"]) == 4
    assert "Install the newer version" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["upgrade", "current"])
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://moon:hidden-word@127.0.0.1:1/mind", 5),
        ("mysql://moon:hidden-word@127.0.0.1/mind", 4),
        ("nonsense", 4),
        ("sqlite:////proc/nowhere/moonmind.db", 4),
    ],
)
def test_a_database_that_cannot_be_asked_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, command: str, url: str, code: int
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    ended = main(["db", command])
    out, err = capsys.readouterr()
    if (command, ended) == ("current", 1):
        assert "has no schema yet" in out  # a file that is not there
        return
    assert ended == code
    assert err.startswith("error: ")
    assert "\nfix: " in err
    assert "hidden-word" not in out + err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://moon:hidden@db.example:5433/mind", "postgresql://moon@db.example:5433/mind"),
        ("postgres://db.example/mind?password=hidden", "postgresql://db.example/mind"),
        ("postgresql+psycopg://m%40n:hid%40den@[::1]/mind", "postgresql://m%40n@[::1]/mind"),
        ("sqlite:////srv/mind.db", "/srv/mind.db"),
    ],
)
def test_the_place_has_no_password(monkeypatch: pytest.MonkeyPatch, url: str, shown: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert place(load_settings(DatabaseSettings)) == shown


def test_help_without_a_command(capsys: Capture) -> None:
    assert main(["db"]) == 0
    said = capsys.readouterr().out
    assert "upgrade" in said
    assert "current" in said
