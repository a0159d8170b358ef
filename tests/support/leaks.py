"""Looks for a secret in what a run has left: files, rows, and what lies compressed in git."""

import base64
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import create_engine, inspect, text

from tests.support.git_repos import git


def shapes(secret: str) -> list[bytes]:
    """Return a secret as it is and as base64 shows it, at each of its three alignments."""
    raw = secret.encode()
    middle = [base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)]
    return [raw, *middle]


def files_with(folder: Path, secret: str) -> list[str]:
    """List the files that hold a text in any of its shapes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in files if any(shape in path.read_bytes() for shape in shapes(secret))]


def rows_with(database: str, secret: str) -> list[str]:
    """List the rows, of MoonMind's tables and of Celery's, that hold a text."""
    engine = create_engine(database)
    try:
        names = inspect(engine).get_table_names()
        assert {"run", "attempt", "event", "celery_taskmeta"} <= set(names)
        with engine.connect() as connection:
            rows = [row for name in names for (row,) in connection.execute(text(f'SELECT t::text FROM "{name}" t'))]
    finally:
        engine.dispose()
    assert len(rows) > 20
    # bytea shows itself in hex
    return [row for row in rows if secret in row or secret.encode().hex() in row]


def objects_with(repositories: Iterable[Path], secret: str) -> list[str]:
    """List the objects of repositories that hold a text in any of its shapes, names of files and messages included."""
    found = []
    for place in repositories:
        listed = git(place, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").decode().split()
        for name in listed:
            content = git(place, "cat-file", "-p", name)
            if any(shape in content for shape in shapes(secret)):
                found.append(f"{place.name}: {name}")
    return found
