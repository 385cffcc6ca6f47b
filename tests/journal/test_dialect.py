"""What is written once is understood by both stores, and means the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.journal import Projection, WrongStatement
from obligor.journal.dialect import bind, postgres_ddl, postgres_sql
from obligor.journal.queries import select_events
from tests.journal.places import rows_of
from tests.journal.support import TENANT, command, device, fee, house

VALUES: list[Any] = ["b", "B", "a", "_", "é", "e\u0301", "z", "Z", "字", "\U0001f600", "", " ", "10", "9"]


@pytest.mark.parametrize(
    ("sql", "translated"),
    [
        ("SELECT ? + ?", "SELECT $1 + $2"),
        ("SELECT '?', \"?\", ? -- ?\n, ? /* ? */", "SELECT '?', \"?\", $1 -- ?\n, $2 /* ? */"),
        ("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1"),
        ("SELECT :b, :a, :b::text, ':a'", "SELECT $1, $2, $1::text, ':a'"),
        ("SELECT 5 % 3, name LIKE '%x'", "SELECT 5 % 3, name LIKE '%x'"),
    ],
)
def test_placeholders_are_numbered_outside_strings_and_comments(sql: str, translated: str) -> None:
    assert postgres_sql(sql)[0] == translated


def test_values_by_name_come_in_the_order_of_their_numbers() -> None:
    assert bind("SELECT :b, :a, :b", {"a": 1, "b": 2, "c": 3}) == ("SELECT $1, $2, $1", [2, 1])
    with pytest.raises(WrongStatement, match="no value for b"):
        bind("SELECT :b", {"a": 1})
    with pytest.raises(WrongStatement, match="not both"):
        bind("SELECT :b, ?", {"b": 1})


@given(st.lists(st.sampled_from(["?", "'?'", "' '' ?'", '"?"', "-- ?\n", "/* ? */", " a ", "::", ","])))
def test_every_mark_that_is_no_text_gets_its_number(parts: list[str]) -> None:
    marks = parts.count("?")
    translated, names = postgres_sql(" ".join(parts))
    assert names == ()
    assert [f"${number}" in translated for number in range(1, marks + 2)] == [True] * marks + [False]
    assert translated.count("?") == sum(part.count("?") for part in parts) - marks


def test_ddl_is_translated_outside_strings() -> None:
    ddl = (
        "CREATE TABLE p_x(tenant TEXT NOT NULL, n integer, b BLOB, r REAL, kind TEXT CHECK (kind IN ('TEXT', "
        "'STRICT')), PRIMARY KEY (tenant)) STRICT, WITHOUT ROWID;\nCREATE INDEX p_x_n ON p_x(tenant, n);"
    )
    assert postgres_ddl(ddl) == (
        'CREATE TABLE p_x(tenant TEXT COLLATE "C" NOT NULL, n BIGINT, b BYTEA, r DOUBLE PRECISION, '
        "kind TEXT COLLATE \"C\" CHECK (kind IN ('TEXT', 'STRICT')), PRIMARY KEY (tenant));\n"
        "CREATE INDEX p_x_n ON p_x(tenant, n);"
    )


def _kept() -> Projection:
    def project(event, _states):
        for number, value in enumerate(VALUES):
            row = (event.tenant, value, number, bytes([number]), number / 4, None, number % 2 == 0)
            yield "INSERT INTO p_kept VALUES (?, ?, ?, ?, ?, ?, ?)", row

    schema = (
        "CREATE TABLE p_kept(tenant TEXT, word TEXT, n INTEGER, b BLOB, r REAL, empty TEXT, even INTEGER, "
        "PRIMARY KEY (tenant, word)) STRICT, WITHOUT ROWID"
    )
    return Projection("kept", schema, project)


def test_rows_come_back_alike_from_either_store(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store, registry={"projections": (_kept(),)}) as h:
        h.do(fee("l1", 1))
        query = h.journal.reader().query
        assert [row["word"] for row in query("SELECT word FROM p_kept ORDER BY word")] == sorted(
            VALUES, key=str.encode
        )
        kept = query("SELECT * FROM p_kept WHERE tenant = :t AND n = :n", {"t": TENANT, "n": 3})
        assert kept == [
            {"tenant": TENANT, "word": "_", "n": 3, "b": b"\3", "r": 0.75, "empty": None, "even": 0}
        ]
        sums = query("SELECT sum(n) AS s, count(*) AS c, avg(n) AS a, max(n) > ? AS m FROM p_kept", (1,))
        assert sums == [{"s": 91, "c": 14, "a": 6.5, "m": 1}]
        assert {type(sums[0][name]) for name in ("s", "c", "m")} == {int}
        assert query("SELECT sum(n) AS s FROM p_kept WHERE n > 99") == [{"s": None}]
        huge = 2**62
        assert query("SELECT word FROM p_kept WHERE n < ? ORDER BY n LIMIT 1", (huge,)) == [{"word": "b"}]


@pytest.mark.parametrize("poison", ["stream", "person", "id", "source_ref"])
def test_what_cannot_be_held_fails_its_own_command_alone(tmp_path: Path, database: str, poison: str) -> None:
    bad = {
        "stream": lambda: fee("l\0", 2),
        "person": lambda: fee("l2", 2, person="p\0"),
        "id": lambda: fee("l2", 2, id="e\0"),
        "source_ref": lambda: fee("l2", 2, source_ref="r\0"),
    }[poison]()
    with house(tmp_path, store=database) as h:
        good = [command(fee("l1", 1)), command(fee("l1", 3))]
        outcomes = h.journal.submit_many([good[0], command(bad), good[1]]).result(30)
        assert [type(outcome).__name__ for outcome in outcomes] == ["Answer", "WrongStatement", "Answer"]
        assert h.journal.reader().size(TENANT) == 2


def test_the_index_of_subjects_leads_when_one_is_asked_for(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        many = [command(fee("l1", n), device(f"p{n}", "d")) for n in range(1, 401)]
        h.journal.submit_many(many).result(30)
        sql, values = select_events(TENANT, subject="p7", types=["device.seen"])
    plan = "EXPLAIN QUERY PLAN" if store is None else "EXPLAIN"
    if store is not None:
        rows_of(tmp_path, store, "ANALYZE")
    found = rows_of(tmp_path, store, f"{plan} {sql}", values=(*values, -1, 1 << 40, 500))
    text = "\n".join(str(row[-1]) for row in found)
    assert "SEARCH subject_event" in text if store is None else "on subject_event" in text
    assert "SCAN" not in text
    assert "Seq Scan on event" not in text
    first = text.index("subject_event")
    assert first < text.index("event_known_seq")
