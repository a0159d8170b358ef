"""The command line of Alembic as people type it in the root of the checkout, on both databases."""

import subprocess

from sqlalchemy import create_engine, inspect

from tests.support.processes import PYTHON, ROOT


def test_the_schema_goes_up_down_and_up_again_from_the_root(empty_database_url: str) -> None:
    alembic(empty_database_url, "upgrade", "head")
    assert {"run", "attempt", "event", "installation"} <= tables(empty_database_url)
    alembic(empty_database_url, "downgrade", "base")
    assert tables(empty_database_url) == {"alembic_version"}
    alembic(empty_database_url, "upgrade", "head")
    assert "No new upgrade operations detected" in alembic(empty_database_url, "check")


def alembic(database: str, *arguments: str) -> str:
    # The environment wins over whatever `.env` the developer keeps there, so nobody's database is touched.
    settings = {"DATABASE_URL": database, "CELERY_BROKER_URL": "amqp://guest:guest@localhost:5672//"}
    done = subprocess.run(
        [PYTHON, "-m", "alembic", *arguments], cwd=ROOT, env=settings,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def tables(database: str) -> set[str]:
    engine = create_engine(database)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
