"""What a database refuses, on the way that people meet it: a sentence that names the remedy."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from moonmind.db.database_errors import answering
from moonmind.db.unit_of_work import Database
from moonmind.errors import NotConfigured, Unavailable
from tests.support.processes import PYTHON, ROOT


def done(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def no_right_on_the_schema(url: str) -> str:
    # Who owns a database is a member of the role that owns its schema, and can take the right from that role.
    done(url, "REVOKE ALL ON SCHEMA public FROM PUBLIC", "REVOKE CREATE ON SCHEMA public FROM pg_database_owner")
    return url


def no_right_on_the_versions(url: str) -> str:
    role = make_url(url).username
    done(url, "CREATE TABLE alembic_version (version_num varchar(32))", f"REVOKE ALL ON alembic_version FROM {role}")
    return url


def no_such_schema(url: str) -> str:
    return f"{url}?options=-c%20search_path%3Dnowhere"


def anothers_table(url: str) -> str:
    done(url, "CREATE TABLE host (name text)")
    return url


def anothers_index(url: str) -> str:
    done(url, "CREATE TABLE pk_run (name text)")
    return url


REFUSALS: list[tuple[Callable[[str], str], str, str]] = [
    (
        no_right_on_the_schema,
        "permission denied for schema public",
        "GRANT USAGE, CREATE ON SCHEMA public TO moonmind_test;",
    ),
    (no_right_on_the_versions, "permission denied for table alembic_version", "ALTER DATABASE moonmind_test_"),
    (no_such_schema, "no schema has been selected", "SET search_path = public"),
    (anothers_table, 'relation "host" already exists', "a database of its own"),
    (anothers_index, 'relation "pk_run" already exists', "a database of its own"),
]


@pytest.mark.postgres
@pytest.mark.parametrize(("spoil", "said", "remedy"), REFUSALS)
def test_a_database_that_is_not_fit_for_the_schema_is_said_with_the_remedy(
    empty_postgres_url: str, spoil: Callable[[str], str], said: str, remedy: str
) -> None:
    database = Database(spoil(empty_postgres_url))
    with pytest.raises(NotConfigured) as refused:
        database.migrate()
    database.dispose()
    assert refused.value.message.startswith("The database refused: ")
    assert said in refused.value.message
    assert "\n" not in refused.value.message
    if "moonmind_test" not in str(make_url(empty_postgres_url).username):
        remedy = remedy.replace("moonmind_test;", "")
    assert remedy in refused.value.advice


@pytest.mark.postgres
def test_a_standby_is_waited_for(empty_postgres_url: str) -> None:
    database = Database(f"{empty_postgres_url}?options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(Unavailable, match="read-only"):
        database.migrate()
    database.dispose()


def garbage(place: Path) -> None:
    place.write_bytes(b"nothing that SQLite wrote\n" * 100)


def cut_off(place: Path) -> None:
    done(f"sqlite:///{place}", *(f"CREATE TABLE t{number} (a text)" for number in range(40)))
    whole = place.read_bytes()
    place.write_bytes(whole[:4096] + b"\xff" * 4096)


def of_another_program(place: Path) -> None:
    done(f"sqlite:///{place}", "CREATE TABLE run (name text)")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("spoil", "said", "remedy"),
    [
        (garbage, "file is not a database", "Restore the file"),
        (cut_off, "malformed", "Restore the file"),
        (of_another_program, "table run already exists", "a database of its own"),
    ],
)
def test_a_file_that_is_not_ours_is_said_with_the_remedy(
    tmp_path: Path, spoil: Callable[[Path], None], said: str, remedy: str
) -> None:
    spoil(tmp_path / "moonmind.db")
    database = Database(f"sqlite:///{tmp_path}/moonmind.db")
    with pytest.raises(NotConfigured, match=said) as refused:
        database.migrate()
    database.dispose()
    assert remedy in refused.value.advice


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql+psycopg://moon@h/Mind", 'ALTER DATABASE "Mind" OWNER TO moon;'),
        ("postgresql+psycopg://a%22b:x@h/my-db", 'ALTER DATABASE "my-db" OWNER TO "a""b";'),
        ("postgresql+psycopg:///db", "ALTER DATABASE db OWNER TO <role>;"),
        ("", "ALTER DATABASE <database> OWNER TO <role>;"),
    ],
)
def test_the_remedy_can_be_typed_as_it_is(url: str, named: str) -> None:
    class Denied(Exception):
        sqlstate = "42501"

    with pytest.raises(NotConfigured) as refused, answering(url):
        raise ProgrammingError(None, None, Denied("permission denied for schema public\nLINE 1: CREATE"))
    assert named in refused.value.advice
    assert refused.value.message == "The database refused: permission denied for schema public"
    assert ":x@" not in refused.value.advice


def test_a_statement_that_is_wrong_stays_a_defect_of_ours() -> None:
    for kind in (IntegrityError, ProgrammingError):
        with pytest.raises(kind), answering("sqlite:///x"):
            raise kind(None, None, Exception("UNIQUE constraint failed: run.id"))


@pytest.mark.postgres
@pytest.mark.parametrize("command", [("alembic", "upgrade", "head"), ("moonmind.cli.main", "db", "upgrade")])
def test_both_commands_end_in_a_sentence(empty_postgres_url: str, command: tuple[str, ...]) -> None:
    settings = {"DATABASE_URL": no_right_on_the_schema(empty_postgres_url), "CELERY_BROKER_URL": "amqp://localhost//"}
    ended = subprocess.run(
        [PYTHON, "-m", *command], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 4
    assert "permission denied for schema public" in ended.stderr
    assert "GRANT USAGE, CREATE ON SCHEMA public TO" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 4  # Alembic says what it works on
