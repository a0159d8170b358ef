"""What a database's refusals mean to people: one sentence with the remedy in place of a driver's trace."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from moonmind.errors import NotConfigured, SchemaMismatch, Unavailable

_UNDEFINED = frozenset({"42P01", "42703"})
"""PostgreSQL's codes for a table and a column that are not there."""
_READ_ONLY = "25006"
"""PostgreSQL's code for a server that takes no writes for a while: a standby before its promotion, a failover."""
_NOT_ALLOWED = "42501"
"""PostgreSQL's code for a right that the role does not have."""
_NO_SCHEMA = "3F000"
"""PostgreSQL's code for a search path that names no schema there is."""
_REFUSED = re.compile(
    r'FATAL: .*(?:(?:role|database) ".*" (?:does not exist|is not permitted to log in)|authentication failed'
    r"|no pg_hba\.conf entry|permission denied)|no password supplied"
    r"|unable to open database file|attempt to write a readonly database"
)
"""How both databases say that the URL, its credential or the file's rights are wrong: waiting fixes none of it."""
_NO_DATABASE = re.compile(r"file is not a database|database disk image is malformed|unsupported file format")
"""How SQLite says that a file is another one, or is damaged."""
_TAKEN = re.compile(r"(?:relation|table) \W?[\w.]+\W? already exists")
_REMEDY = (
    "Correct DATABASE_URL, or the database in CELERY_RESULT_BACKEND: the role, its password and the database must exist "
    "there; a SQLite file and its folder must be writable."
)


@contextmanager
def answering(url: str = "") -> Iterator[None]:
    """Turn what the database at `url` refuses into what a person can do; a refused statement stays our defect.

    Raises NotConfigured, SchemaMismatch and Unavailable.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        said = str(getattr(error, "orig", None) or error).strip()
        cause = said.partition("\n")[0]
        if isinstance(error, DBAPIError) and _lacks_schema(error):
            raise SchemaMismatch(f"The database's schema is not this program's: {cause}.") from error
        if isinstance(error, OperationalError) and (refusal := _REFUSED.search(said)):
            # A server that is reached under several addresses refuses on a later line than the first.
            start = said.rfind("\n", 0, refusal.start()) + 1
            whole = said[start:].partition("\n")[0].strip(" -")
            raise NotConfigured(f"The database refused: {whole}", remediation=_REMEDY) from error
        if remedy := _remedy(error, cause, url):
            raise NotConfigured(f"The database refused: {cause}", remediation=remedy) from error
        away = isinstance(error, OperationalError | InterfaceError | PoolTimeout) or error.connection_invalidated
        if away or _sqlstate(error) == _READ_ONLY:
            raise Unavailable(f"The database does not answer: {cause}") from error
        raise


def _remedy(error: Exception, cause: str, url: str) -> str | None:
    """Return what to do where the role, the schema or the file is not what MoonMind needs; None for anything else."""
    role, database = _named(url)
    if _sqlstate(error) == _NOT_ALLOWED:
        return (
            f"As the database's owner or a superuser run `GRANT USAGE, CREATE ON SCHEMA public TO {role};` in it, or "
            f"`ALTER DATABASE {database} OWNER TO {role};`. Tables that another role made stay that role's: connect as it, "
            "or `REASSIGN OWNED`."
        )
    if _sqlstate(error) == _NO_SCHEMA:
        return f"Make the schema, or name one that exists: `ALTER ROLE {role} IN DATABASE {database} SET search_path = public;`."
    if isinstance(error, DatabaseError) and _TAKEN.search(cause):
        return "The database holds another program's tables of that name: give MoonMind a database of its own (DATABASE_URL)."
    if isinstance(error, DatabaseError) and _NO_DATABASE.search(cause):
        return (
            "Restore the file from a backup, or move it and those beside it (-wal, -shm) away to start over; or name another "
            "place: DATABASE_URL or MOONMIND_VAR_DIR."
        )
    return None


def _named(url: str) -> tuple[str, str]:
    """Return the role and the database of a URL, as SQL writes them."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "<role>", "<database>"
    role, database = parsed.username or "<role>", parsed.database or "<database>"
    return _identifier(role), _identifier(database)


def _identifier(name: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*|<\w+>", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def _lacks_schema(error: DBAPIError) -> bool:
    return _sqlstate(error) in _UNDEFINED or str(error.orig).startswith(("no such table", "no such column"))


def _sqlstate(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)
