"""Tables of events: the same rows as histories have, and refusals that name the column."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.features import SETTLED, TABLE, History, checked, settle, table
from obligor.kernel import InvalidInput
from tests.features.samples import NOW, PERSON, event, life, transfer


@given(seed=st.integers(0, 10**6), length=st.integers(0, 60))
def test_a_settled_table_has_the_rows_of_the_history(seed, length):
    events = life(seed, length)
    settled = settle(table(events))
    records = History.from_events(events, PERSON).records()
    directions = [None, "in", "out"]
    assert settled.drop("subject", "party_code", "at").rows() == [
        (
            r.known_seq,
            r.until_seq,
            r.kind,
            r.amount_minor,
            r.currency,
            directions[r.direction],
            r.category,
            r.party,
        )
        for r in records
    ]
    assert settled["at"].to_physical().to_list() == [r.at_us for r in records]


def test_parties_of_a_person_are_told_apart_by_number_and_none_is_zero():
    names = ["b", "a", None, "b"]
    events = [event(n, NOW, transfer(1, counterparty=name)) for n, name in enumerate(names)]
    assert settle(table(events))["party_code"].to_list() == [2, 1, 0, 2]


def test_a_receiver_has_a_row_of_a_transfer_too():
    rows = table([event(0, NOW, transfer(900), subjects=("payer", "receiver"))])
    assert rows.select("subject", "direction", "party").rows() == [
        ("payer", "out", "shop-1"),
        ("receiver", "in", "account-1"),
    ]


def test_columns_that_may_be_missing_are_null():
    some = table([event(0, NOW, transfer(900))]).select("subject", "kind", "at", "known_seq", "currency")
    whole = checked(some)
    assert whole.schema == pl.Schema(dict(TABLE))
    assert whole.select("amount_minor", "party", "id").row(0) == (0, None, None)
    assert settle(some).schema == pl.Schema(dict(SETTLED))


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (lambda t: t.drop("subject"), "subject"),
        (lambda t: t.drop("kind"), "kind"),
        (lambda t: t.drop("id"), "id"),
        (lambda t: t.with_columns(pl.lit("gift").alias("kind")), "kind"),
        (lambda t: t.with_columns(pl.lit("sideways").alias("direction")), "direction"),
        (lambda t: t.with_columns(pl.lit(datetime(2026, 1, 1)).alias("at")), "at"),  # noqa: DTZ001
        (lambda t: t.with_columns(pl.lit(None, TABLE["at"]).alias("at")), "at"),
        (lambda t: t.with_columns(pl.lit(1.5).alias("known_seq")), "known_seq"),
        (lambda t: t.with_columns(pl.lit(-1).alias("amount_minor")), "amount_minor"),
        (lambda t: t.with_columns(pl.lit(10**15 + 1).alias("amount_minor")), "amount_minor"),
        (lambda t: t.with_columns(pl.lit(None, pl.String).alias("currency")), "currency"),
        (lambda t: t.with_columns(pl.lit(None, pl.String).alias("subject")), "subject"),
    ],
)
def test_a_wrong_table_is_refused_by_its_column(broken, field):
    with pytest.raises(InvalidInput) as refused:
        settle(broken(table([event(0, NOW, transfer(900))])))
    assert [violation.field for violation in refused.value.violations] == [field]
