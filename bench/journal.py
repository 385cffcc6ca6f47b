"""Durable transactions: the journal against a raw group commit of the very same rows.

A transaction is one event of about 1.2 kB with an idempotency key and a sender's reference. Ours decodes,
numbers, folds, seals, commits to, hashes and signs it; the peers have the finished rows in memory and do
nothing but write them, in groups, durably. All have 64 clients, each of which waits for its answer.

On SQLite there are two peers: one whose transactions can be refused alone, as ours can (a savepoint each),
and one that writes whole groups in bulk and would fail as a whole. On PostgreSQL the peer copies (COPY).
"""

from __future__ import annotations

import contextlib
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bench.harness import Case, run
from obligor.app.collector import look_seldom
from obligor.app.service import WallClock
from obligor.events import AlertRaised
from obligor.journal import (
    Accepted,
    Backend,
    Command,
    FileKeys,
    Fold,
    Idempotency,
    Journal,
    Lookup,
    PostgresBackend,
    PostgresVault,
    Registry,
    SqliteBackend,
    SystemEntropy,
    Vault,
)
from obligor.journal import queries as q
from obligor.journal.schema import SCHEMA
from obligor.kernel import Draft, uuid7
from obligor.proof import Signer
from tests.postgres import Server, fresh_database

CLIENTS = 64
TRANSACTIONS = 6_000
PERSONS = 500
TENANT = "bench"
SIGNER = Signer("bench.example", bytes(range(32)))
EVIDENCE = {f"k{n}": "v" * 200 for n in range(4)}


def commands(count: int) -> list[Command]:
    """Transactions about some hundred persons, each different."""
    chance, now = SystemEntropy(), datetime.now(UTC)
    made = []
    for number in range(count):
        person = f"person-{number % PERSONS}"
        body = AlertRaised(
            alert_id=f"alert-{number}",
            kind="bench",
            severity="info",
            dedupe_key=f"key-{number}",
            person_id=person,
            loan_id=f"loan-{number % PERSONS}",
            amount_minor=number,
            currency="CNY",
            monitor="bench",
            monitor_version="1",
            evidence=EVIDENCE,
        )
        draft = Draft(
            id=uuid7(now, chance.bytes(10)),
            stream=f"loan/loan-{number % PERSONS}",
            subjects=(person,),
            at=now,
            body=body,
            source="bench",
            source_ref=f"ref-{number}",
            actor="bench",
        )
        key = Idempotency(f"attempt-{number}", sha256(f"{number}".encode()).hexdigest())
        made.append(Command(TENANT, _accept(draft), idempotency=key))
    return made


def _accept(draft: Draft) -> Callable[[Any], Accepted]:
    def run_(view: Any) -> Accepted:
        view.state(draft.stream)
        return Accepted((draft,), lambda events: {"event_id": events[0].id, "known_seq": events[0].known_seq})

    return run_


def registry() -> Registry:
    return Registry(
        folds={"loan": Fold(lambda: 0, lambda count, _event: count + 1)},
        lookups=lambda event: (Lookup("source_ref", event.source_ref or "", event.id),),
    )


# ---- the same driver for both


def drive(submit: Callable[[Any], Future[Any]], work: Sequence[Any]) -> float:
    """Keep CLIENTS pieces in flight until all are answered; pieces per second."""
    left = iter(work)
    done, lock, finished = 0, threading.Lock(), threading.Event()
    errors: list[BaseException] = []

    def go() -> None:
        with lock:
            piece = next(left, None)
        if piece is not None:
            submit(piece).add_done_callback(answered)

    def answered(future: Future[Any]) -> None:
        nonlocal done
        if (error := future.exception()) is not None:
            errors.append(error)
        with lock:
            done += 1
            last = done == len(work)
        if last:
            finished.set()
        else:
            go()

    began = time.perf_counter()
    for _ in range(CLIENTS):
        go()
    finished.wait()
    if errors:
        raise errors[0]
    return len(work) / (time.perf_counter() - began)


# ---- ours


@contextlib.contextmanager
def journal(backend: Backend, vault: Vault) -> Iterator[Journal]:
    opened = Journal.open(backend, registry(), vault, SIGNER, WallClock(), SystemEntropy())
    try:
        yield opened
    finally:
        opened.close()


def sqlite_ours() -> float:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        vault = Vault.open(place / "vault.db", FileKeys(place / "kek"))
        work = commands(TRANSACTIONS)
        try:
            with journal(SqliteBackend(place), vault) as opened:
                vault.ensure(TENANT, [f"person-{n}" for n in range(PERSONS)])
                return drive(opened.submit, work)
        finally:
            vault.close()


def recorded() -> list[tuple[Any, ...]]:
    """The rows that ours writes, by transaction: event, lookup, stored answer, head."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        vault = Vault.open(place / "vault.db", FileKeys(place / "kek"))
        try:
            with journal(SqliteBackend(place), vault) as opened:
                opened.submit_many(commands(TRANSACTIONS)).result()
                rows = opened.reader()._rows
                events = rows.all(f"SELECT {q.EVENT_COLUMNS} FROM event ORDER BY known_seq", ())
                lookups = rows.all("SELECT tenant, kind, key, value, person FROM lookup ORDER BY value", ())
                answers = rows.all("SELECT tenant, key, body, person, answer FROM idempotency", ())
        finally:
            vault.close()
    finds = {row[3]: row for row in lookups}
    # Each with its own: keys are hashed, and in the order of keys an index would only grow at its end.
    answered = {msgspec.json.decode(row[4])["event_id"]: row for row in answers}
    return [
        (event, finds[event[2]], answered[event[2]], (TENANT, event[1] + 1, event[9])) for event in events
    ]


# ---- the peer


class RawWriter:
    """Group commit and nothing else: whatever has come since the last one is written in one transaction."""

    def __init__(self, write: Callable[[list[Any]], None]) -> None:
        self._write = write
        self._queue: queue.SimpleQueue[tuple[Any, Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def submit(self, rows: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._queue.put((rows, future))
        return future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            group = [item]
            with contextlib.suppress(queue.Empty):
                while (more := self._queue.get_nowait()) is not None:
                    group.append(more)
            self._write([rows for rows, _ in group])
            for _, future in group:
                future.set_result(True)


def sqlite_peer(rows: list[tuple[Any, ...]], *, alone: bool) -> float:
    with tempfile.TemporaryDirectory() as name:
        connection = apsw.Connection(str(Path(name) / "raw.db"))
        connection.pragma("page_size", 8192)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", 2)
        connection.execute(SCHEMA).fetchall()
        statements = (q.INSERT_EVENT, q.UPSERT_LOOKUP, q.INSERT_ANSWER, q.UPSERT_HEAD)

        def write(group: list[Any]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            for sql, some in zip(statements, zip(*group, strict=True), strict=True):
                connection.executemany(sql, some)
            connection.execute("COMMIT")

        def write_each(group: list[Any]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            for rows_ in group:
                connection.execute("SAVEPOINT one")
                for sql, row in zip(statements, rows_, strict=True):
                    connection.execute(sql, row)
                connection.execute("RELEASE one")
            connection.execute("COMMIT")

        writer = RawWriter(write_each if alone else write)
        try:
            return drive(writer.submit, rows)
        finally:
            writer.close()
            connection.close()


# ---- PostgreSQL


def postgres_ours(server: Server) -> float:
    with fresh_database(server) as url, tempfile.TemporaryDirectory() as name:
        vault = Vault.open(PostgresVault(url), FileKeys(Path(name) / "kek"))
        work = commands(TRANSACTIONS)
        try:
            with journal(PostgresBackend(url), vault) as opened:
                vault.ensure(TENANT, [f"person-{n}" for n in range(PERSONS)])
                return drive(opened.submit, work)
        finally:
            vault.close()


def postgres_peer(server: Server, rows: list[tuple[Any, ...]]) -> float:
    import psycopg

    tables = (
        (
            f"COPY event({q.EVENT_COLUMNS}) FROM STDIN (FORMAT BINARY)",
            "text int8 text text int8 text" + 4 * " bytea",
        ),
        ("COPY lookup FROM STDIN (FORMAT BINARY)", "text text text text text"),
        ("COPY idempotency FROM STDIN (FORMAT BINARY)", "text text text text bytea"),
    )
    with fresh_database(server) as url:
        PostgresBackend(url).writer().close()  # makes the tables
        with psycopg.connect(url, autocommit=True, options="-c search_path=obligor") as connection:

            def write(group: list[Any]) -> None:
                cursor = connection.cursor()
                cursor.execute("BEGIN")
                for (sql, types), some in zip(
                    tables, zip(*(rows_[:3] for rows_ in group), strict=True), strict=True
                ):
                    with cursor.copy(sql) as copy:
                        copy.set_types(types.split())
                        for row in some:
                            copy.write_row(row)
                tenant, size, root = group[-1][3]
                cursor.execute(
                    "INSERT INTO head VALUES (%s, %s, %s)"
                    " ON CONFLICT (tenant) DO UPDATE SET size = excluded.size, root = excluded.root",
                    (tenant, size, root),
                )
                cursor.execute("COMMIT")

            writer = RawWriter(write)
            try:
                return drive(writer.submit, rows)
            finally:
                writer.close()


def main() -> int:
    rows = recorded()
    look_seldom()  # as whoever serves does, and for the peers alike
    with Server() as server:
        cases = [
            Case(
                "append_sqlite",
                "transactions/s",
                "raw group commit of the same rows, a savepoint each, SQLite WAL, synchronous=FULL",
                0.4,
                sqlite_ours,
                lambda: sqlite_peer(rows, alone=True),
            ),
            Case(
                "append_sqlite_bulk",
                "transactions/s",
                "raw group commit of the same rows in bulk, SQLite WAL, synchronous=FULL",
                0.2,
                sqlite_ours,
                lambda: sqlite_peer(rows, alone=False),
            ),
            Case(
                "append_postgresql",
                "transactions/s",
                "raw group commit of the same rows by COPY, PostgreSQL 18",
                0.3,
                lambda: postgres_ours(server),
                lambda: postgres_peer(server, rows),
            ),
        ]
        return run("journal", cases)


if __name__ == "__main__":
    sys.exit(main())
