"""The eight starter features, written a second time in SQL over the raw events and run by DuckDB."""

import random
from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest

from obligor.features import History
from obligor.kernel import Event
from tests.features.samples import DAY, NOW, life, starter

PEOPLE = 60
CELLS_PER_PERSON = 50

# One row for each event, as it lies in the journal: nothing of it has been through a History.
EVENTS = {
    "person": pl.Int64,
    "id": pl.String,
    "type": pl.String,
    "at": pl.Datetime("us"),
    "known_seq": pl.Int64,
    "replaces": pl.String,
    "conduct_erased": pl.Boolean,
    "amount": pl.Int64,
    "currency": pl.String,
    "direction": pl.String,
    "label": pl.String,
    "device": pl.String,
}
CELLS = {"cell": pl.Int64, "person": pl.Int64, "as_of": pl.Datetime("us"), "known_upto": pl.Int64}
FEATURES = """
with known as (
    select c.cell, c.as_of, e.*
    from cells c
    join events e on e.person = c.person and e."at" <= c.as_of and e.known_seq < c.known_upto
    where not exists (
        select 1 from events r
        where r.person = e.person and r.replaces = e.id and r.known_seq < c.known_upto
    )
),
added as (
    select
        cell,
        sum(amount) filter (
            type = 'repayment.received' and currency = 'CNY' and "at" > as_of - interval 90 day),
        count(*) filter (type = 'repayment.received' and "at" > as_of - interval 365 day),
        min(epoch_us(as_of) - epoch_us("at")) filter (type = 'repayment.received') // 86400000000,
        sum(amount) filter (
            type = 'transfer.posted' and direction = 'in' and currency = 'CNY' and not conduct_erased
            and "at" > as_of - interval 90 day),
        sum(amount) filter (
            type = 'transfer.posted' and direction = 'out' and currency = 'CNY' and not conduct_erased
            and "at" > as_of - interval 30 day),
        count(*) filter (type = 'application.received' and "at" > as_of - interval 30 day),
        count(distinct device) filter (not conduct_erased and "at" > as_of - interval 90 day),
        sum(amount) filter (
            type = 'transfer.posted' and direction = 'out' and currency = 'CNY' and label = 'gambling'
            and not conduct_erased and "at" > as_of - interval 90 day)
    from known group by cell
)
select * from added
"""


def raw(person: int, event: Event) -> tuple[object, ...]:
    body = event.body
    return (
        person,
        event.id,
        event.type,
        event.at.replace(tzinfo=None),
        event.known_seq,
        event.replaces,
        "conduct" in event.erased,
        getattr(body, "amount_minor", None),
        getattr(body, "currency", None),
        getattr(body, "direction", None),
        getattr(body, "counterparty_class", None),
        getattr(body, "device_id", None),
    )


def moment(r: random.Random) -> datetime:
    """Half of the moments lie exactly on the edges of windows."""
    return NOW - (
        DAY * r.randrange(200) if r.random() < 0.5 else timedelta(seconds=r.randrange(200 * 86_400))
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_the_kernel_and_duckdb_agree_on_every_cell(seed, tmp_path):
    r = random.Random(seed)
    lives = [life(seed * 1_000 + person, r.randrange(5, 120), days=300) for person in range(PEOPLE)]
    cells = [
        (person, moment(r), r.randrange(len(events) + 1))
        for person, events in enumerate(lives)
        for _ in range(CELLS_PER_PERSON)
    ]
    rows = [raw(person, event) for person, events in enumerate(lives) for event in events]
    spine = [(n, person, at.replace(tzinfo=None), known) for n, (person, at, known) in enumerate(cells)]
    pl.DataFrame(rows, schema=EVENTS, orient="row").write_parquet(tmp_path / "events.parquet")
    pl.DataFrame(spine, schema=CELLS, orient="row").write_parquet(tmp_path / "cells.parquet")
    with duckdb.connect() as db:
        for table in ("events", "cells"):
            db.execute(f"create view {table} as select * from '{tmp_path / table}.parquet'")
        found = {row[0]: row[1:] for row in db.execute(FEATURES).fetchall()}
    names = starter().names
    histories = [History.from_events(events) for events in lives]
    different = []
    seen = 0
    for number, (person, as_of, known_upto) in enumerate(cells):
        # SQL's sum of nothing is null and a person without events has no row: both are the empty value.
        answer = dict(zip(names, found.get(number, (None,) * len(names)), strict=True))
        expected = {
            name: int(value) if value is not None else starter().features[name].empty
            for name, value in answer.items()
        }
        got = starter().compute(histories[person], as_of, known_upto, "CNY")
        seen += sum(value not in (0, None) for value in got.values())
        if got != expected:
            different.append((number, got, expected))
    assert different == []
    assert seen > 3 * len(cells), "most cells should say something"
