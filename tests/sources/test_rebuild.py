"""A life rebuilt from totals keeps every total to the cent, and ends as the loan ended."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.events import Instalment
from obligor.kernel import add_months
from obligor.sources import Past, rebuild
from obligor.sources.rebuild import totals
from obligor.sources.spec import Rebuild

START = date(2011, 1, 15)
RULES = Rebuild()


def level(months: int, principal: int = 100_00, interest: int = 10_00) -> tuple[Instalment, ...]:
    return tuple(
        Instalment(
            number=number,
            due_on=add_months(START, number),
            principal_minor=principal,
            interest_minor=interest,
        )
        for number in range(1, months + 1)
    )


def past(**fields: object) -> Past:
    whole = Past(
        disbursed_on=START,
        funded_minor=1200_00,
        principal_minor=1200_00,
        interest_minor=120_00,
        fees_minor=0,
        recoveries_minor=0,
        costs_minor=0,
        last_paid_on=date(2012, 1, 1),
        last_payment_minor=None,
        month_only=True,
        bad=False,
    )
    return dataclasses.replace(whole, **fields)  # type: ignore[arg-type]


def test_a_loan_that_ran_its_term_paid_every_instalment_on_its_day() -> None:
    life = rebuild(past(), level(12), RULES)
    assert [(one.on, one.amount_minor) for one in life.payments] == [
        (instalment.due_on, 110_00) for instalment in level(12)
    ]
    assert life.written_off_on is None


def test_a_loan_that_was_prepaid_ends_in_the_month_of_its_last_payment() -> None:
    life = rebuild(past(interest_minor=48_00, last_paid_on=date(2011, 6, 1)), level(12), RULES)
    assert [one.amount_minor for one in life.payments] == [110_00] * 4 + [808_00]
    assert life.payments[-1].on == date(2011, 6, 15)
    assert [one.interest_minor for one in life.payments] == [9_60] * 5


def test_a_last_payment_after_the_term_is_on_the_first_day_the_table_allows() -> None:
    life = rebuild(past(last_paid_on=date(2012, 2, 1)), level(12), RULES)
    assert len(life.payments) == 12
    assert life.payments[-1].on == date(2012, 2, 1)


def test_what_was_paid_ahead_is_prepaid_before_the_known_last_payment() -> None:
    life = rebuild(past(last_paid_on=date(2011, 6, 1), last_payment_minor=50_00), level(12), RULES)
    assert [one.amount_minor for one in life.payments] == [110_00] * 3 + [110_00 + 830_00, 50_00]


def test_what_was_missed_is_caught_up_by_the_known_last_payment() -> None:
    life = rebuild(past(last_payment_minor=440_00), level(12), RULES)
    assert [one.amount_minor for one in life.payments] == [110_00] * 9 + [330_00]
    assert life.payments[-1].on == date(2012, 1, 1)


def test_a_rounded_principal_is_evened_out_with_interest_and_told() -> None:
    for cents in (-45, 25):
        odd = past(principal_minor=1200_00 + cents)
        life = rebuild(odd, level(12), RULES)
        assert totals(odd).rounding_minor == -cents
        assert sum(one.principal_minor for one in life.payments) == 1200_00
        assert sum(one.amount_minor for one in life.payments) == 1320_00 + cents


def test_a_bad_loan_stops_paying_is_written_off_and_recovered() -> None:
    bad = past(
        principal_minor=200_00,
        interest_minor=20_00,
        fees_minor=15_00,
        recoveries_minor=300_00,
        costs_minor=90_00,
        last_paid_on=date(2011, 3, 1),
        bad=True,
    )
    life = rebuild(bad, level(12), RULES)
    assert [(one.on, one.amount_minor, one.fee_minor) for one in life.payments] == [
        (date(2011, 2, 15), 110_00, 0),
        (date(2011, 3, 15), 125_00, 15_00),
    ]
    assert life.written_off_on == date(2011, 9, 12), "150 days after 2011-04-15"
    assert life.recovered_on == date(2011, 12, 11)
    assert totals(bad).written_off_minor == 1000_00


def test_a_late_date_of_last_payment_is_that_of_the_recovery() -> None:
    bad = past(
        principal_minor=200_00,
        interest_minor=20_00,
        recoveries_minor=300_00,
        last_paid_on=date(2012, 5, 1),
        bad=True,
    )
    life = rebuild(bad, level(12), RULES)
    assert [one.on for one in life.payments] == [date(2011, 2, 15), date(2011, 3, 15)]
    assert life.written_off_on == date(2011, 9, 12)
    assert life.recovered_on == date(2012, 5, 1)


def test_a_loan_that_never_paid_is_written_off_after_its_first_due_date() -> None:
    never = past(principal_minor=0, interest_minor=0, last_paid_on=None, bad=True)
    life = rebuild(never, level(12), RULES)
    assert life.payments == ()
    assert life.written_off_on == date(2011, 7, 15)
    assert life.recovered_on is None


def test_an_open_loan_pays_and_neither_ends_nor_is_written_off() -> None:
    running = past(principal_minor=500_00, interest_minor=50_00, last_paid_on=date(2011, 6, 1), bad=None)
    life = rebuild(running, level(12), RULES)
    assert sum(one.principal_minor for one in life.payments) == 500_00
    assert (life.written_off_on, life.recovered_on) == (None, None)


@st.composite
def _pasts(draw: st.DrawFn) -> tuple[Past, tuple[Instalment, ...]]:
    months = draw(st.integers(1, 60))
    schedule = level(months, draw(st.integers(1, 500_00)), draw(st.integers(0, 90_00)))
    funded = sum(one.principal_minor for one in schedule)
    bad = draw(st.sampled_from([True, False, None]))
    principal = (
        funded - draw(st.integers(-min(20, funded), 20)) if bad is False else draw(st.integers(0, funded))
    )
    recoveries = draw(st.integers(0, 50_000)) if bad else 0
    least = max(0, funded - principal) if bad is False else 0
    paid = bad is False or draw(st.booleans())
    return Past(
        disbursed_on=START,
        funded_minor=funded,
        principal_minor=max(principal, 0),
        interest_minor=draw(st.integers(least, 2 * months * 90_00 + least)),
        fees_minor=draw(st.integers(0, 3000)),
        recoveries_minor=recoveries,
        costs_minor=draw(st.integers(0, recoveries)),
        last_paid_on=add_months(START.replace(day=1), draw(st.integers(0, months + 30))) if paid else None,
        last_payment_minor=draw(st.none() | st.integers(0, 2 * funded)),
        month_only=draw(st.booleans()),
        bad=bad,
    ), schedule


@given(_pasts())
def test_every_total_is_kept_to_the_cent(case: tuple[Past, tuple[Instalment, ...]]) -> None:
    told, schedule = case
    life, wanted = rebuild(told, schedule, RULES), totals(told)
    assert sum(one.fee_minor for one in life.payments) == told.fees_minor
    assert sum(one.principal_minor + one.interest_minor for one in life.payments) == (
        told.principal_minor + told.interest_minor
    )
    assert sum(one.principal_minor for one in life.payments) == wanted.principal_minor
    assert wanted.principal_minor + wanted.written_off_minor <= told.funded_minor
    assert all(min(one.fee_minor, one.interest_minor, one.principal_minor) >= 0 for one in life.payments)
    assert all(one.amount_minor for one in life.payments)
    days = [one.on for one in life.payments]
    assert days == sorted(days)
    if told.bad:
        assert life.written_off_on is not None
        assert not days or days[-1] < life.written_off_on
        assert (life.recovered_on is not None) == (told.recoveries_minor > 0)
        assert life.recovered_on is None or life.recovered_on >= life.written_off_on


@pytest.mark.parametrize("month_only", [True, False])
def test_no_payment_is_before_the_money_went_out(month_only: bool) -> None:
    early = past(last_paid_on=date(2011, 1, 1) if month_only else START, month_only=month_only)
    assert all(one.on >= START for one in rebuild(early, level(12), RULES).payments)
