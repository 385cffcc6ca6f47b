"""Backfill: a row out for each row in, the same values however the events come, and refusals that say why."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import obligor.features.catalogue as room
from obligor.features import Catalogue, History, backfill, settle, table
from obligor.features.emit_kernel import emit
from obligor.kernel import InvalidInput
from tests.features.crowd import SPINE, Crowd, crowd, differing
from tests.features.samples import (
    DAY,
    NOW,
    PERSON,
    event,
    lending,
    repayment,
    repayment_reversed,
    starter,
    transfer,
)

NAMES = list(starter().names)


def spine(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SPINE, orient="row")


def filled(some: Crowd, catalogue: Catalogue) -> pl.DataFrame:
    return backfill([settle(table(some.events))], some.spine, catalogue)


def test_there_is_a_row_out_for_each_row_in_and_in_the_same_order():
    some = crowd(4, 20, 5)
    more = some.spine.with_columns(pl.int_range(pl.len()).alias("label"))
    doubled = pl.concat([more, more.head(10)])
    made = backfill([settle(table(some.events))], doubled, starter())
    assert made.select(doubled.columns).equals(doubled)
    assert made.columns == [*doubled.columns, *NAMES]
    assert made.head(10).equals(made.tail(10))


def test_who_has_no_events_has_the_declared_empty_values():
    made = backfill([settle(table([]))], spine(("nobody", NOW, 0, "CNY")), lending())
    empty = {name: feature.empty for name, feature in lending().features.items()}
    assert made.select(lending().names).row(0, named=True) == empty
    assert empty == lending().compute(History(), NOW, 0)


def test_an_empty_spine_gives_an_empty_table():
    made = backfill([settle(table(crowd(4, 5, 1).events))], spine(), starter())
    assert (len(made), made.columns) == (0, [*SPINE, *NAMES])


def test_without_known_upto_everything_that_was_learned_later_is_seen():
    events = [
        event(3, NOW - DAY * 20, repayment(500)),
        event(9, NOW - DAY * 5, repayment_reversed(500), replaces=3),
        event(12, NOW - DAY * 2, repayment(70)),
    ]
    asked = spine((PERSON, NOW, 9, "CNY"), (PERSON, NOW, 10, "CNY"), (PERSON, NOW, None, "CNY"))
    rows = [settle(table(events))]
    assert backfill(rows, asked, starter())["repaid_90d_minor"].to_list() == [500, 0, 70]
    assert backfill(rows, asked.drop("known_upto"), starter())["repaid_90d_minor"].to_list() == [70] * 3


@given(seed=st.integers(0, 10**6), pieces=st.integers(1, 12))
def test_how_persons_are_cut_into_batches_changes_nothing(seed, pieces):
    some = crowd(seed, 12, 4, most_events=30)
    whole = settle(table(some.events))
    persons = whole["subject"].unique(maintain_order=True)
    batches = [whole.filter(pl.col("subject").is_in(persons[n::pieces].implode())) for n in range(pieces)]
    assert backfill(batches, some.spine, starter()).equals(backfill([whole], some.spine, starter()))


@given(seed=st.integers(0, 10**6))
def test_the_order_in_which_events_come_changes_nothing(seed):
    some = crowd(seed, 8, 4, most_events=40)
    raw = table(some.events)
    mixed = raw.sample(fraction=1, shuffle=True, seed=seed)
    assert backfill([settle(mixed)], some.spine, starter()).equals(
        backfill([settle(raw)], some.spine, starter())
    )


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        ("row.until_seq >= known_upto", "True"),
        ("known_upto[r]", "known_upto[0]"),
        ("seen, r + 1, out[r]", "seen, 1, out[r]"),
    ],
)
def test_a_sabotaged_kernel_is_found_out(monkeypatch, tmp_path, sound, broken):
    some = crowd(5, 20, 10)
    few = {name: starter().features[name] for name in ("repaid_90d_minor", "devices_90d", "inflow_90d_minor")}
    kernel = emit(few)
    sabotaged = kernel._replace(text=kernel.text.replace(sound, broken))
    assert sabotaged.text != kernel.text
    monkeypatch.setattr(room, "emit", lambda features: sabotaged)
    made = filled(some, Catalogue("sabotaged", 1, few, cache_dir=tmp_path)).select(list(few))
    assert differing(made, some.plain(starter()).select(list(few)))


def test_several_currencies_have_to_be_named():
    events = [event(0, NOW, transfer(100)), event(1, NOW, transfer(7, currency="USD"))]
    rows = [settle(table(events))]
    asked = spine(*((PERSON, NOW, 2, currency) for currency in ("CNY", "USD", "EUR")))
    assert backfill(rows, asked, starter())["outflow_30d_minor"].to_list() == [100, 7, 0]
    with pytest.raises(InvalidInput) as refused:
        backfill(rows, asked.drop("currency"), starter())
    assert refused.value.violations[0].field == "currency"


def test_the_only_currency_need_not_be_named():
    rows = [settle(table([event(0, NOW, transfer(100, currency="USD"))]))]
    made = backfill(rows, spine((PERSON, NOW, 1, "USD")).drop("currency"), starter())
    assert made["outflow_30d_minor"].to_list() == [100]


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (lambda s: s.drop("subject"), "subject"),
        (lambda s: s.drop("as_of"), "as_of"),
        (lambda s: s.with_columns(pl.lit(7).alias("subject")), "subject"),
        (lambda s: s.with_columns(pl.lit(None, pl.String).alias("subject")), "subject"),
        (lambda s: s.with_columns(pl.lit(datetime(2026, 1, 1)).alias("as_of")), "as_of"),  # noqa: DTZ001
        (lambda s: s.with_columns(pl.lit("7").alias("known_upto")), "known_upto"),
        (lambda s: s.with_columns(pl.lit(7).alias("currency")), "currency"),
        (lambda s: s.with_columns(pl.lit(7).alias("devices_90d")), "devices_90d"),
    ],
)
def test_a_wrong_spine_is_refused_by_its_column(broken, field):
    with pytest.raises(InvalidInput) as refused:
        backfill([], broken(spine((PERSON, NOW, 1, "CNY"))), starter())
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_person_in_two_batches_is_refused_and_not_computed_from_half_a_history():
    rows = settle(table([event(0, NOW, transfer(100)), event(1, NOW, transfer(7))]))
    with pytest.raises(InvalidInput, match="events"):
        backfill([rows[:1], rows[1:]], spine((PERSON, NOW, 2, "CNY")), starter())


def test_rows_out_of_order_and_unsettled_tables_are_refused():
    rows = settle(table([event(0, NOW - DAY, transfer(100)), event(1, NOW, transfer(7))]))
    asked = spine((PERSON, NOW, 2, "CNY"))
    with pytest.raises(InvalidInput, match="events"):
        backfill([rows[::-1]], asked, starter())
    with pytest.raises(InvalidInput, match="not settled"):
        backfill([rows.with_columns(pl.col("kind").cast(pl.String))], asked, starter())


def test_progress_is_told_in_events():
    some = crowd(4, 20, 1)
    rows = settle(table(some.events))
    told: list[int] = []
    backfill([rows], some.spine, starter(), told=told.append)
    assert told == [len(rows)]
