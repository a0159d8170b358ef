"""The schema as the embedded engine and `moonmind db` bring it up to date."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from moonmind.db.schema import HEAD, MIGRATIONS
from moonmind.runtime.schema_upgrade import schema_version, upgrade_schema
from moonmind.settings import DatabaseSettings, Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database_url: str) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    return load_settings(DatabaseSettings)


def test_the_version_of_this_program_is_its_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_a_database_goes_from_nothing_to_this_programs_version(settings: Settings) -> None:
    found, wrong = schema_version(settings)
    assert found is None
    assert wrong is not None
    upgrade_schema(settings)
    assert schema_version(settings) == (HEAD, None)


def test_upgrading_again_changes_nothing(settings: Settings) -> None:
    upgrade_schema(settings)
    upgrade_schema(settings)
    assert schema_version(settings) == (HEAD, None)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found, wrong = schema_version(load_settings())
    assert (found, wrong is None) == (None, False)
    assert list(tmp_path.iterdir()) == []
