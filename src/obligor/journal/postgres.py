"""Connections to PostgreSQL through psycopg: with settings that bound every wait, and one kind of error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg.types.bool import BoolBinaryLoader
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader

from obligor.journal.postgres_arrays import register
from obligor.journal.store import Retry, StoreFailed, WrongStatement
from obligor.kernel import InvariantBroken

__all__ = [
    "OUR_FAULT",
    "SCHEMA_NAME",
    "Connection",
    "ReaderConnection",
    "connect",
    "fetch",
    "storage",
]

P = ParamSpec("P")
R = TypeVar("R")
RV = TypeVar("RV")

SCHEMA_NAME = "obligor"

# How long is waited for a connection, for a lock, for a statement, and for any word from the server.
CONNECT_SECONDS = 3
LOCK_MS = 3_000
STATEMENT_MS = 8_000
SILENCE_SECONDS = 10.0
READER_STATEMENT_MS = 60_000
READER_SILENCE_SECONDS = 65.0
# A peer that is gone without a word is given up after this: probes after 2 s, each second, three of them.
KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}

# What goes wrong with a statement, and not with the store.
OUR_FAULT = (errors.DataError, errors.IntegrityError, errors.ProgrammingError, errors.NotSupportedError)
# What may succeed when it is done again from the start: nothing of it was written.
_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected)


class Connection(psycopg.Connection[TupleRow]):
    """A connection on which no wait is without end: a server that falls silent is given up.

    TCP's own limits do not see a peer that takes every packet and answers none, such as a stuck proxy.
    """

    silence_seconds: float = SILENCE_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As psycopg has it, with a limit where there is none; a connection that exceeds it is closed."""
        try:
            return super().wait(gen, interval, timeout or self.silence_seconds)
        except errors._WaitTimeout as error:  # noqa: SLF001  it has no public name
            self.pgconn.finish()
            raise errors.ConnectionTimeout("the server has fallen silent") from error


class ReaderConnection(Connection):
    """One for questions, which may take longer."""

    silence_seconds = READER_SILENCE_SECONDS


class _Integer(NumericBinaryLoader):
    """SUM over integers comes as numeric: an int here, as it is in SQLite; what has a fraction is a float."""

    def load(self, data: Any) -> Any:
        value = super().load(data)
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)


class _Truth(BoolBinaryLoader):
    """0 or 1, as in SQLite."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


def connect(
    url: str, *, read_only: bool = False, search_path: str = SCHEMA_NAME, name: str = "obligor"
) -> Connection:
    """A connection in autocommit: transactions are begun and ended by statements. Others see its `name`.

    A writer's commit is durable when it returns: `synchronous_commit` is set, `fsync` must be on.

    Raises:
        InvariantBroken: the server does not sync what it commits.
        StoreFailed: it is out of reach.
    """
    settings = {
        "search_path": search_path,
        "statement_timeout": READER_STATEMENT_MS if read_only else STATEMENT_MS,
        "lock_timeout": LOCK_MS,
        "synchronous_commit": "on",
        "default_transaction_isolation": r"read\ committed",
        "default_transaction_read_only": "on" if read_only else "off",
        "timezone": "UTC",
    }
    more: dict[str, Any] = KEEPALIVE | {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": name,
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }
    with storage():
        kind = ReaderConnection if read_only else Connection
        connection = kind.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor, **more)
        connection.prepare_threshold = 0
        adapters = connection.adapters
        adapters.register_dumper(int, Int8BinaryDumper)
        adapters.register_dumper(bool, Int8BinaryDumper)
        adapters.register_loader("numeric", _Integer)
        adapters.register_loader("bool", _Truth)
        register(connection)
        try:
            if not read_only:
                _check(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _check(connection: Connection) -> None:
    """See that what is said to be durable is."""
    for name in ("fsync", "full_page_writes"):
        row = connection.execute("SELECT current_setting($1, true)", (name,)).fetchone()
        if row is not None and row[0] == "off":
            raise InvariantBroken(f"the PostgreSQL server has {name}=off: what it commits may be lost")


@contextmanager
def storage() -> Iterator[None]:
    """Turns what psycopg raises into StoreFailed."""
    try:
        yield
    except psycopg.Error as error:
        raise failing(error) from error


def failing(error: psycopg.Error) -> StoreFailed | WrongStatement:
    """What the journal calls an error of PostgreSQL.

    Whose value cannot be held, such as text with a NUL, is at fault itself, and no store. What could repeat a
    row's values is left out.
    """
    if isinstance(error, errors.DataError):
        return WrongStatement(f"PostgreSQL cannot hold a value: {error.sqlstate or 'not text'}")
    kind = Retry if isinstance(error, _AGAIN) else StoreFailed
    said = error.diag.message_primary if error.sqlstate and error.sqlstate[:2] != "23" else None
    return kind(f"{type(error).__name__}: {said or error.sqlstate or str(error).splitlines()[0]}")


def fetch(method: Callable[P, R]) -> Callable[P, R]:
    """Turns what psycopg raises in a method into StoreFailed."""

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except psycopg.Error as error:
            raise failing(error) from error

    return guarded
