"""A statement run for many rows on the server: the same rows as one statement after the other leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from obligor.journal.postgres import Connection, connect
from obligor.journal.postgres_runs import Runs
from obligor.journal.postgres_write import write_statements

TABLE = "CREATE TABLE book(name TEXT PRIMARY KEY, amount BIGINT, share DOUBLE PRECISION, seal BYTEA)"
PUT = (
    "INSERT INTO book VALUES (?, ?, ?, ?) ON CONFLICT (name) "
    "DO UPDATE SET amount = book.amount + excluded.amount, share = excluded.share, seal = excluded.seal"
)
DOUBLE = "UPDATE book SET amount = amount * 2, share = COALESCE(?, share) WHERE name = ?"
DROP = "DELETE FROM book WHERE name = ? AND amount >= ?"
READ = "SELECT name, amount, share, seal FROM book ORDER BY name"

ROWS: list[tuple[str, tuple[Any, ...]]] = [
    *(
        (PUT, (f"n{number % 7}", number, None if number % 3 else number / 2, bytes([number])))
        for number in range(40)
    ),
    *((DOUBLE, (None if number % 2 else 0.5, f"n{number % 5}")) for number in range(12)),
    *((PUT, (name, True, None, None)) for name in ("x'y", "a?b", "$1", "汉")),
    *((DROP, (f"n{number}", 400)) for number in range(7)),
    (PUT, ("alone", 1, None, None)),
]


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with connect(database, search_path="public") as opened:
        opened.execute(TABLE)
        opened.execute("BEGIN")
        yield opened


def _read(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(READ).fetchall()


class OneByOne(Runs):
    """Makes no function."""

    def whole(self, sql: str, rows: Any) -> None:
        return None


def test_many_rows_leave_what_one_statement_after_the_other_leaves(connection: Connection) -> None:
    write_statements(connection, OneByOne(connection), ROWS)
    expected = _read(connection)
    assert len(expected) > 5
    connection.execute("DELETE FROM book")
    runs = Runs(connection)
    for statements in (ROWS, [("DELETE FROM book WHERE name <> ?", ("",))] * 4, ROWS):
        write_statements(connection, runs, statements)
    assert _read(connection) == expected
    assert [made is not None for made in runs._known.values()] == [True] * 4


def test_a_run_takes_one_statement_of_ours(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(connection)
    write_statements(connection, runs, ROWS[:40])
    sent = []
    execute = psycopg.RawCursor.execute
    monkeypatch.setattr(
        psycopg.RawCursor,
        "execute",
        lambda self, sql, *more, **named: sent.append(sql) or execute(self, sql, *more, **named),
    )
    write_statements(connection, runs, ROWS[:40])
    assert len(sent) == 1
    assert sent[0].startswith("SELECT pg_temp.")


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("INSERT INTO book VALUES (?, ?)", psycopg.errors.UniqueViolation),
        ("INSERT INTO nowhere VALUES (?, ?)", psycopg.errors.UndefinedTable),
        ("INSERT INTO book VALUES (?, 1 / (? - 3))", psycopg.errors.DivisionByZero),
    ],
)
def test_what_is_wrong_with_one_row_is_told_as_it_is_of_a_statement(
    connection: Connection, statement: str, wrong: type[psycopg.Error]
) -> None:
    rows = [(statement, (f"n{number % 5}", number)) for number in range(6)]
    with pytest.raises(wrong):
        write_statements(connection, Runs(connection), rows)


def test_values_of_another_type_go_the_way_of_single_statements(connection: Connection) -> None:
    rows = [(PUT, (f"n{number}", "12" if number == 3 else number, None, None)) for number in range(6)]
    write_statements(connection, Runs(connection), rows)
    assert [amount for _, amount, _, _ in _read(connection)] == [0, 1, 2, 12, 4, 5]


def test_functions_that_a_rollback_took_are_made_again(connection: Connection) -> None:
    runs = Runs(connection)
    write_statements(connection, runs, ROWS)
    expected = _read(connection)
    connection.execute("ROLLBACK")
    runs.forget()
    connection.execute("BEGIN")
    write_statements(connection, runs, ROWS)
    assert _read(connection) == expected


def test_where_no_functions_may_be_made_statements_are_sent(connection: Connection) -> None:
    connection.execute(
        "COMMIT; CREATE ROLE humble; GRANT USAGE ON SCHEMA public TO humble; GRANT ALL ON book TO humble",
        prepare=False,
    )
    database = connection.info.dbname
    connection.execute(f'REVOKE TEMP ON DATABASE "{database}" FROM PUBLIC')
    try:
        connection.execute("BEGIN; SET LOCAL ROLE humble", prepare=False)
        runs = Runs(connection)
        write_statements(connection, runs, ROWS)
        assert [*runs._known.values()] == [None] * 3
        assert len(_read(connection)) > 5
    finally:
        connection.execute("ROLLBACK")
        connection.execute("DROP OWNED BY humble; DROP ROLE humble", prepare=False)
