"""The journal's tables in PostgreSQL, as the process that holds a tenant's lease sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import psycopg
from psycopg import pq, sql

from obligor.journal import paging
from obligor.journal import queries as q
from obligor.journal.dialect import postgres_sql
from obligor.journal.postgres import OUR_FAULT, Connection, failing, fetch
from obligor.journal.postgres_arrays import Texts
from obligor.journal.postgres_lease import Leases
from obligor.journal.postgres_purge import vacuum
from obligor.journal.postgres_runs import Runs
from obligor.journal.postgres_shadow import Shadow
from obligor.journal.postgres_write import write_rows, write_statements
from obligor.journal.schema import GROUPS_LOCK
from obligor.journal.sqlite import tables_of
from obligor.journal.store import (
    AnswerRow,
    Batch,
    CheckpointRow,
    ErasureRow,
    EventRow,
    Head,
    IdTaken,
    RoleLost,
    StoreFailed,
    WrongStatement,
)
from obligor.journal.types import Statement
from obligor.kernel import InvariantBroken

__all__ = ["PostgresStore"]

# Beside the projections, the tables that may hold what is personal.
PERSONAL = ("lookup", "idempotency")
# Nobody has to wait for a sync of what has written nothing.
_NOTHING_DONE = "SET LOCAL synchronous_commit = off; COMMIT"
# So many idempotency keys are looked for with the statement that begins a transaction.
KEYS_AT_ONCE = 512
_OPEN = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)


@lru_cache(maxsize=64)
def _beginning(tenants: tuple[str, ...], alone: bool) -> str:
    """What begins a transaction over tenants: it locks their tokens, then reads their heads."""
    names = ", ".join(sql.quote(tenant) for tenant in tenants) or "NULL"
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    return (
        f"BEGIN; SELECT {lock}({GROUPS_LOCK}); "
        f"SELECT tenant, token FROM fence WHERE tenant IN ({names}) ORDER BY tenant FOR UPDATE; "
        f"SELECT tenant, size, root FROM head WHERE tenant IN ({names})"
    )


def _wanted(keys: Mapping[str, Sequence[str]]) -> str:
    """The stored answers under these keys, which are hexadecimal."""
    conditions = [
        f"(tenant = {sql.quote(tenant)} AND key = ANY ('{{{','.join(each)}}}'))"
        for tenant, each in keys.items()
    ]
    return f"{q.EVERY_ANSWER} WHERE {' OR '.join(conditions)}"


class PostgresStore:
    """Implements `Store`. One thread uses it at a time; the leases are renewed by one of their own."""

    def __init__(self, connect: Callable[[], Connection], leases: Leases, connection: Connection) -> None:
        """See `PostgresBackend.writer`. When the connection breaks, `connect` makes another."""
        self._connect = connect
        self._leases = leases
        self._connection: Connection | None = connection
        self._runs = Runs(connection)
        self._shadow: Shadow | None = None
        self._heads: dict[str, Head] = {}
        self._expected: Mapping[str, Sequence[str]] = {}
        self._answers: dict[str, dict[str, AnswerRow | None]] = {}
        self._wrote = False

    # ---- the role

    @property
    def alive(self) -> bool:
        """False once another process has become the writer."""
        return not self._leases.lost

    @fetch
    def take(self, tenants: Iterable[str]) -> None:
        """Takes the leases of those that were not taken yet."""
        missing = self._leases.missing(tenants)
        if missing:
            self._leases.take(self._connected(), missing)

    def leads(self, tenant: str) -> bool:
        """Whether the lease is known to hold at this moment."""
        return self._leases.leads(tenant)

    # ---- transactions

    def expect(self, keys: Mapping[str, Sequence[str]]) -> None:
        """They are looked for in the round trip that begins the transaction, unless there are very many."""
        self._expected = keys if sum(map(len, keys.values())) <= KEYS_AT_ONCE else {}

    def begin(self, tenants: Iterable[str] | None = None) -> None:
        """Locks the tenants' fencing tokens, so that what is read stays true until the end."""
        self.take(tenants or ())
        self._wrote = False
        try:
            self._begin(tenants)
        except StoreFailed:
            if self._connection is not None and not self._connection.closed:
                self.rollback()
                raise
            # The connection broke while nobody used it: nothing was begun, so a new one may.
            self._begin(tenants)
        except RoleLost:
            self.rollback()
            raise

    @fetch
    def _begin(self, tenants: Iterable[str] | None) -> None:
        connection = self._connected()
        wanted = self._leases.tenants if tenants is None else sorted(tenants)
        # One round trip. Each statement sees what is committed when it begins: heads, once tokens are ours.
        beginning = _beginning(tuple(wanted), tenants is None)
        expected = self._expected
        if expected:
            beginning = f"{beginning}; {_wanted(expected)}"
        cursor = connection.execute(beginning, prepare=False)
        found = []
        while cursor.nextset():
            found.append(cursor.fetchall() if cursor.description else [])
        if tenants is None:
            self._shadow = Shadow(connection)
            self._wrote = True
        if expected:
            self._answers = {tenant: dict.fromkeys(keys) for tenant, keys in expected.items()}
            for row in found.pop():
                self._answers[row[0]][row[1]] = AnswerRow(*row)
            self._expected = {}
        self._leases.check_tokens(wanted, dict(found[-2]))
        self._heads = {row[0]: Head(*row) for row in found[-1]}

    @fetch
    def commit(self) -> None:
        """One sync of the server's log. A transaction that had failed is not committed, and says so."""
        if self._shadow is not None:
            self._shadow.reveal()
            self._shadow = None
        self._heads, self._answers = {}, {}
        done = self._connected().execute("COMMIT", prepare=False)
        if done.statusmessage != "COMMIT":
            self._runs.forget()
            raise StoreFailed(f"PostgreSQL answered a commit with {done.statusmessage}")

    @fetch
    def rollback(self) -> None:
        """A connection that is in the middle of something, or broken, is let go of."""
        self._shadow = None
        self._heads, self._answers = {}, {}
        connection = self._connection
        if connection is None:
            return
        status = connection.info.transaction_status
        if status in _OPEN:
            try:
                if self._wrote or status is pq.TransactionStatus.INERROR:
                    self._runs.forget()
                    connection.execute("ROLLBACK")
                else:
                    # After a ROLLBACK psycopg prepares every statement anew.
                    connection.execute(_NOTHING_DONE, prepare=False)
            except psycopg.Error:
                self._drop()
        elif status is not pq.TransactionStatus.IDLE:
            self._drop()

    def write(self, batches: Iterable[Batch]) -> None:
        """Send a batch's rows as soon as it is made; what projections write goes in a round trip of its own.

        Raises:
            IdTaken: an event's id is taken.
            WrongStatement: one of a projection's, or a value that PostgreSQL cannot hold.
            StoreFailed: anything else.
        """
        statements: list[Statement] = []

        def noted() -> Iterator[Batch]:
            for batch in batches:
                self._heads |= {head.tenant: head for head in batch.heads}
                statements.extend(chain.from_iterable(batch.statements))
                yield batch

        self._apply(lambda connection: write_rows(connection, noted()))
        self.run(statements)

    def run(self, statements: Iterable[Statement]) -> None:
        """A projection's statements in order, sent without waiting for each.

        Raises:
            WrongStatement: PostgreSQL does not accept one.
        """
        self._apply(lambda connection: write_statements(connection, self._runs, statements))

    def _apply(self, work: Callable[[Connection], None]) -> None:
        self._wrote = True
        self._answers = {}
        try:
            work(self._connected())
        except OUR_FAULT as error:
            said = f"a statement fails: {type(error).__name__} {error.sqlstate}"
            if error.diag.constraint_name == "event_id":
                raise IdTaken(said) from error
            raise WrongStatement(said) from error
        except psycopg.Error as error:
            raise failing(error) from error

    # ---- what is committed, and what this transaction has written

    def head(self, tenant: str) -> Head | None:
        """The tenant's head, as the transaction has found it; outside of one, as it is."""
        if tenant in self._heads:
            return self._heads[tenant]
        rows = self._all(q.HEAD, (tenant,))
        return Head(*rows[0]) if rows else None

    def heads(self) -> Sequence[Head]:
        """All heads."""
        return [Head(*row) for row in self._all(q.HEADS)]

    def events(self, tenant: str, start: int, stop: int) -> Iterator[EventRow]:
        """Read in pages, so that memory is bounded."""
        return paging.events(self._rows, tenant, start, stop)

    def stream(self, tenant: str, stream: str, before: int | None = None) -> Iterator[EventRow]:
        """Read in pages, so that memory is bounded."""
        return paging.stream(self._rows, tenant, stream, before)

    def stream_version(self, tenant: str, stream: str) -> int:
        """The last version, 0 if there is none."""
        return int(self._value(q.STREAM_VERSION, (tenant, stream)) or 0)

    def taken(self, tenant: str, ids: Iterable[str]) -> list[str]:
        """One statement for all."""
        wanted = [*ids]
        return [row[0] for row in self._all(q.PG_TAKEN, (tenant, Texts(wanted)))] if wanted else []

    def find(self, tenant: str, kind: str, key: str) -> str | None:
        """The value of a lookup."""
        value: str | None = self._value(q.FIND, (tenant, kind, key))
        return value

    def find_many(self, tenant: str, kind: str, keys: Iterable[str]) -> list[tuple[str, str]]:
        """One statement for all."""
        return [(key, value) for key, value in self._all(q.PG_FIND_MANY, (tenant, kind, Texts([*keys])))]

    def answers(self, tenant: str, keys: Iterable[str]) -> list[AnswerRow]:
        """Those that were expected; one statement for all others."""
        wanted, known = [*keys], self._answers.get(tenant)
        if known is not None and all(key in known for key in wanted):
            return [row for key in wanted if (row := known[key]) is not None]
        return [AnswerRow(*row) for row in self._all(q.PG_ANSWERS, (tenant, Texts(wanted)))]

    def cursor(self, tenant: str, name: str) -> int | None:
        """A processor's cursor."""
        value: int | None = self._value(q.CURSOR, (tenant, name))
        return value

    def tile(self, tenant: str, level: int, position: int) -> bytes | None:
        """The hashes of a tile."""
        value: bytes | None = self._value(q.TILE, (tenant, level, position))
        return value

    def leaves(self, tenant: str, start: int, stop: int) -> list[bytes]:
        """Leaf hashes in order."""
        return [row[0] for row in self._all(q.LEAVES, (tenant, start, stop))]

    def last_checkpoint(self, tenant: str) -> CheckpointRow | None:
        """The checkpoint over most entries."""
        rows = self._all(q.LAST_CHECKPOINT, (tenant,))
        return CheckpointRow(*rows[0]) if rows else None

    def pending_erasures(self) -> Sequence[ErasureRow]:
        """In the order they came; those of the tenants that were taken."""
        rows = [ErasureRow(*row) for row in self._all(q.PENDING_ERASURES)]
        return [row for row in rows if row.tenant in self._leases.tenants]

    # ---- projections: made beside the old ones, which readers see until the commit

    def tables_of(self, schema: str) -> list[str]:
        """Tried out in SQLite, whose DDL it is.

        Raises:
            WrongStatement: it is no DDL.
        """
        return tables_of(schema)

    def projections(self) -> dict[str, str]:
        """Names and digests of schemas."""
        return {str(name): str(digest) for name, digest in self._all(q.PROJECTIONS)}

    @fetch
    def make_projection(self, name: str, digest: str, schema: str) -> None:
        """Make its tables, and note which."""
        tables = self.tables_of(schema)
        try:
            self._building().make(schema, tables)
        except OUR_FAULT as error:
            said = error.diag.message_primary
            raise WrongStatement(f"PostgreSQL does not accept the schema of {name}: {said}") from error
        self._all(q.INSERT_PROJECTION, (name, digest, " ".join(tables)))

    @fetch
    def drop_projection(self, name: str) -> None:
        """Take the tables away that were noted when it was made."""
        self._building().drop(str(self._value(q.PROJECTION_TABLES, (name,)) or "").split())
        self._all(q.DELETE_PROJECTION, (name,))

    @fetch
    def clear_lookups(self) -> None:
        """Begin lookups and the index of subjects anew."""
        for table in ("lookup", "subject_event"):
            self._building().renew(table)

    def _building(self) -> Shadow:
        if self._shadow is None:
            raise InvariantBroken("projections are changed in a transaction over all tenants")
        return self._shadow

    # ---- between groups

    @fetch
    def purge(self) -> bool:
        """Deleted rows leave the tables, once nobody can see them any more; see `postgres_purge`."""
        found = self._all("SELECT tables FROM projection ORDER BY name")
        return vacuum(self._connected(), [*PERSONAL, *(name for (names,) in found for name in names.split())])

    def erasure_done(self, erasure: ErasureRow) -> None:
        """In a transaction of its own."""
        self._all(q.ERASURE_DONE, (erasure.tenant, erasure.known_seq))

    def maintain(self) -> None:
        """The server tidies up by itself, and leases have a thread of their own."""

    def close(self) -> None:
        """Gives the leases back at once: who waits for them need not wait for their end."""
        try:
            self.rollback()
            self._leases.release(self._connected)
        except (StoreFailed, psycopg.Error):
            pass
        finally:
            self._drop()

    # ---- the connection

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = None
            connection = self._connect()
            self._leases.cut_off(connection)
            self._connection, self._runs = connection, Runs(connection)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @fetch
    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self._connected().cursor(binary=True)
        cursor.execute(postgres_sql(sql)[0], values)
        return cursor.fetchall() if cursor.description else []

    def _rows(self, sql: str, values: Sequence[Any]) -> list[EventRow]:
        return [EventRow(*row) for row in self._all(sql, values)]

    def _value(self, sql: str, values: Sequence[Any]) -> Any:
        rows = self._all(sql, values)
        return rows[0][0] if rows else None
