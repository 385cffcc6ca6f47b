"""The behaviour score: what it asks of a loan, whom it asks about, and what was knowable."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from obligor.kernel import InvalidInput, add_months
from obligor.loans import Loan, apply, close_if_paid, repay, write_off
from obligor.scoring import (
    BEHAVIOUR,
    Boosting,
    auc,
    behaviour_facts,
    behaviour_frame,
    behaviour_outcome,
    train_behaviour,
)
from tests.loans.making import Life, event, money_out

BEGUN = date(2024, 1, 15)
LATER = date(2027, 1, 1)


def lived(delays, term_months=12) -> Loan:
    """A loan whose instalments are paid so many days after they are due; None is never."""
    life = Life(money_out(term_months=term_months, on=BEGUN))
    paid = sorted(
        (line.due_on + timedelta(days=delay), line.principal_minor + line.interest_minor)
        for line, delay in zip(life.loan.schedule, delays, strict=True)
        if delay is not None
    )
    for on, amount in paid:
        left = life.loan.outstanding(on)
        if life.loan.closed_on or not (left.principal_minor or left.interest_minor):
            break
        life.add(repay(life.loan, amount, "CNY", on))
        if (closed := close_if_paid(life.loan, on)) is not None:
            life.add(closed)
    return life.loan


def first_default(loan: Loan, after: date, upto: date) -> date | None:
    """Day by day."""
    days = (after + timedelta(days=n) for n in range(1, (upto - after).days + 1))
    return next((day for day in days if loan.days_past_due(day) > 90), None)


def test_facts_of_a_loan_that_pays_late_once():
    loan = lived([0, 40, 0, *[0] * 9])
    facts = behaviour_facts(loan, date(2024, 4, 30))
    # Due on 15 February, 15 March (paid 40 days late, on 24 April) and 15 April (what came then was March's).
    assert set(facts) == {c.name for c in BEHAVIOUR}
    assert facts["days_past_due"] == 0
    assert (
        facts["worst_dpd_90d"]
        == facts["worst_dpd_365d"]
        == loan.worst_days_past_due(BEGUN, date(2024, 4, 30))
    )
    assert facts["late_instalments_365d"] == 2
    assert facts["paid_bp"] == 10_000
    assert facts["days_since_payment"] == 6
    assert facts["months_on_book"] == 3
    assert facts["months_left"] == 9
    assert facts["rate_bp"] == 1_200
    early = behaviour_facts(loan, date(2024, 2, 1))
    assert early["paid_bp"] is None
    assert early["days_since_payment"] is None
    assert early["outstanding_bp"] == 10_000


def test_nothing_after_the_day_is_seen():
    whole, cut = lived([0, 0, None, *[None] * 9]), lived([0, 0, 0, *[0] * 9])
    on = date(2024, 4, 10)
    assert behaviour_facts(whole, on) == behaviour_facts(cut, on)
    assert behaviour_outcome(whole, on, LATER) is True
    assert behaviour_outcome(cut, on, LATER) is False


def test_an_outcome_is_knowable_when_its_whole_window_is_over():
    loan = lived([0, 0, *[None] * 10])
    on = date(2024, 3, 31)
    over = add_months(on, 12)
    assert first_default(loan, on, over) is not None
    assert behaviour_outcome(loan, on, over - timedelta(days=1)) is None
    assert behaviour_outcome(loan, on, over) is True
    assert behaviour_outcome(loan, on, date(2024, 9, 30), months=6) is True
    assert behaviour_outcome(loan, on, date(2024, 6, 30), months=3) is False


def test_loans_in_default_repaid_or_written_off_are_not_asked_about():
    late = lived([0, 0, *[None] * 10])
    gone = next(day for day in (add_months(BEGUN, n) for n in range(40)) if late.days_past_due(day) > 90)
    assert behaviour_outcome(late, gone, LATER) is None
    repaid = lived([0] * 12)
    assert repaid.closed_on is not None
    assert behaviour_outcome(repaid, repaid.closed_on, LATER) is None
    assert behaviour_outcome(repaid, repaid.closed_on - timedelta(days=20), LATER) is False
    lost = apply(late, event(write_off(late, date(2024, 5, 20)), 99))
    assert behaviour_outcome(lost, date(2024, 5, 31), LATER) is None
    assert behaviour_outcome(lost, date(2024, 4, 30), LATER) is True


@settings(max_examples=60)
@given(
    delays=st.lists(st.one_of(st.none(), st.integers(0, 160)), min_size=6, max_size=6),
    month=st.integers(0, 9),
    window=st.integers(1, 14),
)
def test_the_outcome_is_that_of_looking_day_by_day(delays, month, window):
    loan = lived(delays, term_months=6)
    on = add_months(BEGUN, month + 1).replace(day=1) - timedelta(days=1)
    found = behaviour_outcome(loan, on, LATER, months=window)
    closed = loan.closed_on is not None and loan.closed_on <= on
    if on < BEGUN or closed or loan.days_past_due(on) > 90:
        assert found is None
    else:
        assert found == (first_default(loan, on, add_months(on, window)) is not None)


def test_a_frame_has_a_row_for_each_month_end_with_a_label():
    loan = lived([0] * 12)
    frame = behaviour_frame([loan], date(2025, 6, 30))
    # Ends of months from the disbursement on whose window of 12 months was over; all while the loan is open.
    assert frame["on"].to_list() == [
        date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31),
        date(2024, 6, 30),
    ]  # fmt: skip
    assert frame.columns == ["loan_id", "on", *[c.name for c in BEHAVIOUR], "bad"]
    assert frame["bad"].to_list() == [0] * 6
    third = behaviour_frame([loan], date(2025, 6, 30), every=3, first=date(2024, 2, 1))
    assert third["on"].to_list() == [date(2024, 3, 31), date(2024, 6, 30)]
    more = behaviour_frame([loan], date(2025, 6, 30), extra=lambda one, on: {"inflow_90d_minor": on.month})
    assert more["inflow_90d_minor"].to_list() == [1, 2, 3, 4, 5, 6]
    assert behaviour_frame([loan], date(2024, 6, 30)).is_empty()
    assert behaviour_frame([], date(2024, 6, 30)).columns == frame.columns
    with pytest.raises(InvalidInput, match="every"):
        behaviour_frame([loan], date(2025, 6, 30), every=0)


def book(count: int, seed: int) -> list[Loan]:
    """Loans of borrowers whose delays get worse from one to the next, or do not. Simulated."""
    r = np.random.default_rng(seed)
    made = []
    for number in range(count):
        weak = r.random() < 0.25
        delay, delays = 0, []
        for _ in range(12):
            slide = r.random() < (0.22 if weak else 0.03)
            delay = min(200, delay + int(r.integers(10, 60))) if slide else max(0, delay - 25)
            delays.append(None if delay > 110 else delay)
        loan = lived(delays)
        disbursed = replace(loan.terms.disbursed, loan_id=f"l-{number}")
        made.append(replace(loan, terms=replace(loan.terms, disbursed=disbursed)))
    return made


def test_a_behaviour_score_ranks_better_than_days_past_due():
    frame = behaviour_frame(book(500, 1), LATER, every=2)
    fresh = behaviour_frame(book(300, 2), LATER, every=2)
    assert frame["bad"].sum() > 50
    for kind in ("logistic", "boosted"):
        model = train_behaviour(
            frame, known_on=LATER, kind=kind, boosting=Boosting(rounds=60, learning_rate=0.1)
        )
        assert model.name == "behaviour"
        found = auc(fresh["bad"], model.columns(fresh)["score"])
        assert found > auc(fresh["bad"], -fresh["days_past_due"].to_numpy()) + 0.02
        worse = model.score(behaviour_facts(lived([0, 0, 70, *[None] * 9]), date(2024, 6, 10)))
        better = model.score(behaviour_facts(lived([0] * 12), date(2024, 6, 10)))
        assert worse.points < better.points
        assert set(worse.reasons) <= {c.reason.code for c in BEHAVIOUR}


def test_what_the_frame_has_beside_may_be_used():
    frame = behaviour_frame(book(150, 3), LATER, every=3, extra=lambda loan, on: {"inflow_90d_minor": 5})
    inflow = next(c for c in BEHAVIOUR if c.name == "amount_minor")
    declared = replace(
        inflow, name="inflow_90d_minor", reason=replace(inflow.reason, code="H90", en="Low inflow")
    )
    model = train_behaviour(
        frame.drop("rate_bp").with_columns(pl.col("bad")), characteristics=[declared], kind="logistic"
    )
    assert "inflow_90d_minor" in [out.name for out in model.artifact.training.dropped]
    assert "rate_bp" not in [c.name for c in model.characteristics]
