import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from celery import Celery
from celery.backends.database import DatabaseBackend
from sqlalchemy import create_engine, inspect, text

from moonmind.db import schema
from moonmind.db.unit_of_work import Database
from moonmind.errors import SchemaMismatch, Unavailable

ROOT = Path(__file__).parents[3]
OURS = {
    "run",
    "attempt",
    "event",
    "artifact",
    "credential_audit",
    "agent_slot",
    "gate",
    "host",
    "installation",
    "api_token",
}


def tables_of(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def set_version(url: str, version: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()


def check_schema(url: str) -> None:
    database = Database(url)
    try:
        database.check_schema()
    finally:
        database.dispose()


def test_the_schema_goes_up_down_and_up_again(empty_database_url: str) -> None:
    config = schema.config(empty_database_url)
    command.upgrade(config, "head")
    assert tables_of(empty_database_url) == OURS | {"alembic_version"}
    command.downgrade(config, "base")
    assert tables_of(empty_database_url) == {"alembic_version"}
    command.upgrade(config, "head")
    assert tables_of(empty_database_url) == OURS | {"alembic_version"}
    check_schema(empty_database_url)


def test_the_migrations_make_what_the_tables_say(empty_database_url: str) -> None:
    schema.migrate(empty_database_url)
    command.check(schema.config(empty_database_url))


def test_celerys_own_tables_are_left_alone(empty_database_url: str) -> None:
    schema.migrate(empty_database_url)
    app = Celery("test", set_as_current=False)
    backend = DatabaseBackend(dburi=empty_database_url, app=app)
    session = backend.ResultSession()
    session.close()
    session.get_bind().dispose()
    assert {"celery_taskmeta", "celery_tasksetmeta"} <= tables_of(empty_database_url)
    command.check(schema.config(empty_database_url))
    command.downgrade(schema.config(empty_database_url), "base")
    assert {"celery_taskmeta", "celery_tasksetmeta"} <= tables_of(empty_database_url)


def test_the_ini_file_migrates_the_database_of_the_settings(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://localhost//")
    config = Config(str(ROOT / "alembic.ini"))
    command.upgrade(config, "head")
    check_schema(empty_database_url)
    command.check(config)


def test_every_installation_has_an_id_of_its_own(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    database.migrate()
    first = database.installation_id()
    database.migrate()
    assert isinstance(first, UUID)
    assert database.installation_id() == first
    command.downgrade(schema.config(empty_database_url), "base")
    database.migrate()
    assert database.installation_id() != first
    database.dispose()


def test_processes_that_start_together_may_all_migrate(empty_database_url: str) -> None:
    code = "import sys; from moonmind.db.schema import migrate; sys.stdin.read(); migrate(sys.argv[1])"
    command_line = [sys.executable, "-c", code, empty_database_url]
    started = [subprocess.Popen(command_line, stdin=subprocess.PIPE) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0, 0]
    check_schema(empty_database_url)


def test_a_database_that_was_never_migrated_is_refused_with_the_command(empty_database_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="no schema yet") as refused:
        check_schema(empty_database_url)
    assert "alembic upgrade head" in refused.value.advice


def test_a_schema_of_a_newer_program_is_refused(empty_database_url: str) -> None:
    schema.migrate(empty_database_url)
    set_version(empty_database_url, "9999")
    with pytest.raises(SchemaMismatch, match=r"9999.*newer") as refused:
        check_schema(empty_database_url)
    assert "newer version" in refused.value.advice
    database = Database(empty_database_url)
    with pytest.raises(SchemaMismatch, match="9999"):
        database.migrate()
    database.dispose()


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable, match="does not answer"):
        database.check_schema()
    with pytest.raises(Unavailable, match="does not answer"):
        database.migrate()
    database.dispose()
