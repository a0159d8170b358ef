"""Databases with the repositories over them, and dice that always fall the same."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Float, literal

from moonmind.db import rescues
from tests.model.repositories import Repositories
from tests.model.values import CHANCE


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database's chance be the model's."""
    monkeypatch.setattr(rescues, "db_chance", lambda: literal(CHANCE, Float()))


@pytest.fixture
def sqlite_repositories(sqlite_url: str, dice: None) -> Iterator[Repositories]:
    """The repositories of a SQLite file, made once for all examples of a check."""
    made = Repositories(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def postgres_repositories(postgres_url: str, dice: None) -> Iterator[Repositories]:
    """The repositories of a PostgreSQL database, made once for all examples of a check."""
    made = Repositories(postgres_url)
    yield made
    made.close()
