"""The one clock: the database's. Nothing is ever compared with a Python clock."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from moonmind.db.types import Timestamp

# SQLite keeps time as whole milliseconds since the Julian epoch; 3.40 has no `subsec`, and this loses nothing.
_SQLITE_NOW = "(CAST(ROUND(julianday('now') * 86400000.0) AS INTEGER) - 210866760000000) * 1000"


class db_now(FunctionElement[datetime]):  # noqa: N801 (reads as the SQL function it is)
    """The instant at which the statement began; stable within it, so that indexes on instants are used."""

    type = Timestamp()
    inherit_cache = True


class db_now_plus(FunctionElement[datetime]):  # noqa: N801 (reads as the SQL function it is)
    """The instant so many seconds after the statement began; a number or an SQL expression."""

    type = Timestamp()
    inherit_cache = True

    def __init__(self, seconds: float | ColumnElement[Any]) -> None:
        if isinstance(seconds, int | float):
            seconds = bindparam(None, float(seconds), type_=Float())
        super().__init__(seconds)


class transaction_number(FunctionElement[int]):  # noqa: N801 (reads as the SQL function it is)
    """The number of the writing transaction; 0 on SQLite, which has one writer."""

    type = BigInteger()
    inherit_cache = True


class oldest_running_transaction(FunctionElement[int]):  # noqa: N801 (reads as the SQL function it is)
    """The number below which every transaction has ended; 1 on SQLite, which shows nothing unfinished."""

    type = BigInteger()
    inherit_cache = True


class earlier(FunctionElement[datetime]):  # noqa: N801 (reads as the SQL function it is)
    """The earlier of two instants."""

    type = Timestamp()
    inherit_cache = True


class db_chance(FunctionElement[float]):  # noqa: N801 (reads as the SQL function it is)
    """A number in [0, 1), another one for each row."""

    type = Float()
    inherit_cache = False


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return ", ".join(compiler.process(clause, **kw) for clause in element.clauses)


@compiles(db_now, "postgresql")
def _now_postgresql(_element: db_now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "statement_timestamp()"


@compiles(db_now, "sqlite")
def _now_sqlite(_element: db_now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return f"({_SQLITE_NOW})"


@compiles(db_now_plus, "postgresql")
def _now_plus_postgresql(element: db_now_plus, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(statement_timestamp() + make_interval(secs => {_arguments(element, compiler, **kw)}))"


@compiles(db_now_plus, "sqlite")
def _now_plus_sqlite(element: db_now_plus, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_SQLITE_NOW} + CAST(ROUND(({_arguments(element, compiler, **kw)}) * 1000000.0) AS INTEGER))"


@compiles(transaction_number, "postgresql")
def _transaction_postgresql(_element: transaction_number, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"


@compiles(transaction_number, "sqlite")
def _transaction_sqlite(_element: transaction_number, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "0"


@compiles(oldest_running_transaction, "postgresql")
def _oldest_postgresql(_element: oldest_running_transaction, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"


@compiles(oldest_running_transaction, "sqlite")
def _oldest_sqlite(_element: oldest_running_transaction, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "1"


@compiles(earlier, "postgresql")
def _earlier_postgresql(element: earlier, compiler: SQLCompiler, **kw: Any) -> str:
    return f"LEAST({_arguments(element, compiler, **kw)})"


@compiles(earlier, "sqlite")
def _earlier_sqlite(element: earlier, compiler: SQLCompiler, **kw: Any) -> str:
    return f"min({_arguments(element, compiler, **kw)})"


@compiles(db_chance, "postgresql")
def _chance_postgresql(_element: db_chance, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "random()"


@compiles(db_chance, "sqlite")
def _chance_sqlite(_element: db_chance, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "((random() & 1048575) / 1048576.0)"
