"""The one clock: the database's. Nothing is ever compared with a Python clock."""

from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Float, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from moonmind.db.types import Timestamp

T = TypeVar("T")

# SQLite keeps time as whole milliseconds since the Julian epoch; 3.40 has no `subsec`, and this loses nothing.
_SQLITE_NOW = "(CAST(ROUND(julianday('now') * 86400000.0) AS INTEGER) - 210866760000000) * 1000"


class _OnBoth(FunctionElement[T]):
    """An SQL function that the two kinds of database spell differently; `{}` stands for its arguments."""

    postgresql: ClassVar[str]
    sqlite: ClassVar[str]


@compiles(_OnBoth)
def _compile(element: _OnBoth[Any], compiler: SQLCompiler, **kw: Any) -> str:
    arguments = ", ".join(compiler.process(clause, **kw) for clause in element.clauses)
    return str(getattr(element, compiler.dialect.name)).format(arguments)


class db_now(_OnBoth[datetime]):  # noqa: N801 (reads as the SQL function it is)
    """The instant at which the statement began; stable within it, so that indexes on instants are used."""

    inherit_cache = True
    type = Timestamp()
    postgresql = "statement_timestamp()"
    sqlite = f"({_SQLITE_NOW})"


class db_now_plus(_OnBoth[datetime]):  # noqa: N801 (reads as the SQL function it is)
    """The instant so many seconds after the statement began; a number or an SQL expression."""

    inherit_cache = True
    type = Timestamp()
    postgresql = "(statement_timestamp() + make_interval(secs => {}))"
    sqlite = f"({_SQLITE_NOW} + CAST(ROUND(({{}}) * 1000000.0) AS INTEGER))"

    def __init__(self, seconds: float | ColumnElement[Any]) -> None:
        if isinstance(seconds, int | float):
            seconds = bindparam(None, float(seconds), type_=Float())
        super().__init__(seconds)


class transaction_number(_OnBoth[int]):  # noqa: N801 (reads as the SQL function it is)
    """The number of the writing transaction; 0 on SQLite, which has one writer."""

    inherit_cache = True
    type = BigInteger()
    postgresql = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"
    sqlite = "0"


class oldest_running_transaction(_OnBoth[int]):  # noqa: N801 (reads as the SQL function it is)
    """The number below which every transaction has ended; 1 on SQLite, which shows nothing unfinished."""

    inherit_cache = True
    type = BigInteger()
    postgresql = "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"
    sqlite = "1"


class earlier(_OnBoth[datetime]):  # noqa: N801 (reads as the SQL function it is)
    """The earlier of two instants."""

    inherit_cache = True
    type = Timestamp()
    postgresql = "LEAST({})"
    sqlite = "min({})"


class db_chance(_OnBoth[float]):  # noqa: N801 (reads as the SQL function it is)
    """A number in [0, 1), another one for each row."""

    inherit_cache = False
    type = Float()
    postgresql = "random()"
    sqlite = "((random() & 1048575) / 1048576.0)"
