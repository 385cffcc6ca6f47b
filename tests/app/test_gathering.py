"""Statements that are taken together leave the rows that they leave one by one."""

from __future__ import annotations

from typing import Any

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from obligor.app.projections import all_of, caps, days, decisions, loans
from obligor.app.projections.gathering import EACH, Gathering, last, total

ZONE = "Asia/Shanghai"
NAMES = st.sampled_from(["a", "b", "c"])
SMALL = st.integers(0, 5)

TABLES = """
CREATE TABLE row (name TEXT PRIMARY KEY, made INTEGER, state INTEGER, first INTEGER);
CREATE TABLE sum (name TEXT PRIMARY KEY, count INTEGER, amount INTEGER);
CREATE TABLE line (name TEXT, amount INTEGER);
"""
MAKE = "INSERT INTO row(name, made) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
MOVE = "UPDATE row SET state = ? WHERE name = ?"
FIRST = "UPDATE row SET first = ? WHERE name = ? AND first IS NULL"
ADD = (
    "INSERT INTO sum VALUES (?, ?, ?) ON CONFLICT (name)"
    " DO UPDATE SET count = count + excluded.count, amount = amount + excluded.amount"
)
LINE = "INSERT INTO line VALUES (?, ?)"
WIPE = "DELETE FROM line WHERE name = ?"
GATHER = Gathering(
    {
        MAKE: EACH,
        MOVE: last("moved", slice(1, 2)),
        FIRST: EACH,
        ADD: total("sum", slice(0, 1), slice(1, 3)),
        LINE: EACH,
    }
)
# A row is there before anything moves it, as a loan's is.
MADE = [(MAKE, (name, 1)) for name in "abc"]
STATEMENTS = st.lists(
    st.one_of(
        st.tuples(st.just(MOVE), st.tuples(SMALL, NAMES)),
        st.tuples(st.just(FIRST), st.tuples(SMALL, NAMES)),
        st.tuples(st.just(ADD), st.tuples(NAMES, SMALL, st.integers(-9, 9))),
        st.tuples(st.just(LINE), st.tuples(NAMES, SMALL)),
        st.tuples(st.just(WIPE), st.tuples(NAMES)),
    ),
    max_size=40,
)


def rows_after(schema: str, statements: list[Any]) -> list[list[Any]]:
    """Every row of every table, after statements were run on empty ones."""
    connection = apsw.Connection(":memory:")
    connection.execute(schema)
    for sql, values in statements:
        connection.execute(sql, values)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return [sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"'))) for name in tables]


@given(statements=STATEMENTS)
def test_any_statements_leave_the_same_rows_gathered(statements: list[Any]) -> None:
    assert rows_after(TABLES, GATHER(MADE + statements)) == rows_after(TABLES, MADE + statements)


def test_equal_statements_stand_together_and_one_takes_the_place_of_several() -> None:
    asked = [(MOVE, (n, "ab"[n % 2])) for n in range(10)] + [(ADD, ("a", 1, n)) for n in range(5)]
    assert GATHER(asked) == [(MOVE, (8, "a")), (MOVE, (9, "b")), (ADD, ("a", 5, 10))]


def test_nothing_passes_a_statement_that_is_not_known() -> None:
    asked = [(LINE, ("a", 1)), (WIPE, ("a",)), (LINE, ("a", 2))]
    assert GATHER(asked) == asked


def test_rules_in_a_wrong_order_are_found_out() -> None:
    wrong = Gathering({MOVE: last("moved", slice(1, 2)), MAKE: EACH})
    asked = [(MAKE, ("a", 1)), (MOVE, (3, "a"))]
    assert rows_after(TABLES, wrong(asked)) != rows_after(TABLES, asked)


CAPS = st.lists(
    st.one_of(
        st.tuples(st.just(caps.USED), st.tuples(st.just("t"), NAMES, NAMES, SMALL, SMALL, SMALL)),
        st.tuples(st.just(caps.KEPT), st.tuples(st.just("t"), NAMES, NAMES, SMALL.map(bytes))),
        st.tuples(st.just(caps.GONE), st.tuples(st.just("t"), NAMES, NAMES)),
    ),
    max_size=30,
)
DAYS = st.lists(
    st.one_of(
        st.tuples(st.just(days.ADD), st.tuples(st.just("t"), NAMES, NAMES, st.integers(-3, 3), SMALL)),
        st.tuples(st.just(days.ACTIVE), st.tuples(st.just("t"), NAMES, NAMES, NAMES, NAMES)),
        st.tuples(st.just(days.EXPIRES), st.tuples(st.just("t"), NAMES, SMALL)),
        st.tuples(st.just(days.EXPIRED), st.tuples(st.just("t"), SMALL)),
    ),
    max_size=30,
)
STANDING = st.tuples(NAMES, SMALL, SMALL, SMALL, SMALL, SMALL, SMALL)
LOANS = st.lists(
    st.one_of(
        st.tuples(st.just(loans.MOVED), st.tuples(STANDING, NAMES).map(lambda v: (*v[0], "t", v[1]))),
        st.tuples(st.just(loans.CLASSED), st.tuples(NAMES, SMALL, SMALL, NAMES, st.just("t"), NAMES)),
        st.tuples(st.just(loans.BAD), st.tuples(NAMES, st.just("t"), NAMES)),
        st.tuples(st.just(loans.DUE), st.tuples(st.just("t"), NAMES, NAMES, SMALL)),
    ),
    max_size=30,
)
NEW_LOANS = [
    (loans.NEW, ("t", name, 1, *"appc", "CNY", "d", *range(3), "open", *range(6), "normal", 1, 0, None, None))
    for name in "abc"
]


@given(statements=CAPS)
@settings(max_examples=60)
def test_the_cap_book_is_gathered_without_loss(statements: list[Any]) -> None:
    _, _, made = (each for each in all_of(ZONE) if each.name in {"decision", "loan", "cap"})
    assert rows_after(made.schema, made.gather(statements)) == rows_after(made.schema, statements)


@given(statements=DAYS)
@settings(max_examples=60)
def test_days_are_gathered_without_loss(statements: list[Any]) -> None:
    made = days.projection(ZONE)
    assert rows_after(made.schema, made.gather(statements)) == rows_after(made.schema, statements)


@given(statements=LOANS)
@settings(max_examples=60)
def test_loans_are_gathered_without_loss(statements: list[Any]) -> None:
    made = loans.projection()
    asked = NEW_LOANS + statements
    assert rows_after(made.schema, made.gather(asked)) == rows_after(made.schema, asked)


@given(
    taken=st.lists(
        st.one_of(
            st.tuples(st.just(decisions.DECIDED), st.tuples(st.just("t"), NAMES)),
            st.tuples(st.just(decisions.OVERRIDDEN), st.tuples(NAMES, st.just("t"), NAMES)),
            st.tuples(st.just(decisions.ERASED), st.tuples(st.just("t"), NAMES)),
        ),
        max_size=20,
    )
)
@settings(max_examples=60)
def test_decisions_are_gathered_without_loss(taken: list[Any]) -> None:
    made = decisions.projection(ZONE)
    asked = [(decisions.RECEIVED, ("t", name, name, 1, *"dpc", 5, "CNY")) for name in "abc"]
    asked += [
        (
            decisions.INSERT,
            ("t", name, "e", 1, *"adso", name, name, "CNY", *"pc", *range(5), "r", "s", None, None),
        )
        for name in "abc"
    ]
    assert rows_after(made.schema, made.gather(asked + taken)) == rows_after(made.schema, asked + taken)
