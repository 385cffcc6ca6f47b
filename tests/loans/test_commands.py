from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from msgspec.structs import replace

from obligor.events import Allocation, PartnerShare, RepaymentReceived
from obligor.kernel import Conflict, InvalidInput, InvariantBroken, NotFound, Refusal
from obligor.loans import (
    Loan,
    apply,
    charge_fee,
    close,
    close_if_paid,
    product,
    recover,
    repay,
    reverse,
    write_off,
)
from tests.loans.making import Life, by_hand, event, money_out

OUT = date(2024, 1, 1)


def even() -> Life:
    """Four instalments of 100 on the first of each month from February 2024, at 12 % on 360."""
    lines = [(date(2024, month, 1), 90, 10) for month in (2, 3, 4, 5)]
    return Life(by_hand(lines, OUT, currency="CNY", rate_bp=1200))


def parts(body: RepaymentReceived) -> tuple[int, int, int, int]:
    a = body.allocation
    return a.fee_minor, a.interest_minor, a.principal_minor, a.excess_minor


def test_a_payment_covers_fees_then_what_is_due_then_what_comes_next() -> None:
    life = even()
    life.add(charge_fee(life.loan, 7, "CNY", "late", date(2024, 2, 10)))
    paid = repay(life.loan, 7 + 100 + 25, "CNY", date(2024, 2, 15))
    assert parts(paid) == (7, 10 + 10, 90 + 15, 0)


def test_a_product_may_put_fees_last_and_principal_first() -> None:
    life = even()
    life.add(charge_fee(life.loan, 7, "CNY", "late", date(2024, 2, 10)))
    last = replace(product("instalment"), allocation=("interest", "principal", "fee"))
    assert parts(repay(life.loan, 105, "CNY", date(2024, 2, 15), terms=last)) == (5, 10, 90, 0)
    assert parts(repay(life.loan, 125, "CNY", date(2024, 2, 15), terms=last)) == (7, 20, 98, 0)
    first = replace(product("instalment"), allocation=("principal", "interest", "fee"))
    assert parts(repay(life.loan, 95, "CNY", date(2024, 2, 15), terms=first)) == (0, 5, 90, 0)


def test_a_payment_in_full_owes_interest_to_its_own_day_only() -> None:
    life = Life(money_out(amount_minor=1_200_000, rate_bp=1200, on=date(2024, 1, 15)))
    owed = life.loan.outstanding(date(2024, 1, 25))
    assert (owed.principal_minor, owed.interest_accrued_minor) == (1_200_000, 4_000)  # 10 days of 360 at 12 %
    assert life.loan.schedule[0].interest_minor == 12_000
    paid = repay(life.loan, owed.total_minor + 5, "CNY", date(2024, 1, 25))
    assert parts(paid) == (0, 4_000, 1_200_000, 5)
    life.add(paid)
    closed = close_if_paid(life.loan, date(2024, 1, 25))
    assert closed is not None
    assert (closed.why, closed.closed_on) == ("repaid", date(2024, 1, 25))


def test_paying_ahead_is_no_prepayment_on_scheduled_terms() -> None:
    life = even()
    assert parts(repay(life.loan, 300, "CNY", date(2024, 1, 5))) == (0, 30, 270, 0)


def test_on_daily_terms_paying_early_saves_interest_and_paying_late_costs_it() -> None:
    on = date(2024, 1, 15)
    begin = money_out("lendingclub-36", 3_600_000, rate_bp=1200, term_months=36, on=on)
    level = begin.schedule[0].principal_minor + begin.schedule[0].interest_minor
    assert begin.schedule[0].interest_minor == 36_000
    early, late = Life(begin), Life(begin)
    assert (
        repay(early.loan, level, "USD", date(2024, 2, 5)).allocation.interest_minor == 24_000
    )  # 20 of 30 days
    assert (
        repay(late.loan, level, "USD", date(2024, 2, 25)).allocation.interest_minor == 48_000
    )  # 40 of 30 days


def test_the_senders_own_split_is_taken_when_it_fits() -> None:
    life = even()
    split = Allocation(interest_minor=25, principal_minor=75)
    life.add(repay(life.loan, 100, "CNY", date(2024, 2, 9), allocation=split))
    assert (life.loan.interest_paid_minor, life.loan.principal_paid_minor) == (25, 75)


@pytest.mark.parametrize(
    ("split", "kind", "field"),
    [
        (Allocation(principal_minor=99), InvalidInput, "allocation"),
        (Allocation(principal_minor=120, interest_minor=-20), InvalidInput, "allocation.interest_minor"),
        (Allocation(principal_minor=90, fee_minor=10), Conflict, "allocation.fee_minor"),
        (Allocation(principal_minor=90, excess_minor=10), Conflict, "allocation.excess_minor"),
    ],
)
def test_a_split_that_does_not_fit_is_refused_by_name(
    split: Allocation, kind: type[Refusal], field: str
) -> None:
    with pytest.raises(kind) as refused:
        repay(even().loan, 100, "CNY", date(2024, 2, 1), allocation=split)
    assert [v.field for v in refused.value.violations] == [field]


def test_a_split_never_repays_more_principal_than_is_left() -> None:
    life = even()
    split = Allocation(principal_minor=361)
    with pytest.raises(Conflict) as refused:
        repay(life.loan, 361, "CNY", date(2024, 2, 1), allocation=split)
    assert refused.value.violations[0].accepted == "at most 360, what is left of it"
    split = Allocation(principal_minor=360, excess_minor=1)
    life.add(repay(life.loan, 361, "CNY", date(2024, 2, 1), allocation=split))
    assert life.loan.excess_minor == 1


def test_a_reversal_undoes_a_payment_as_it_was_applied_and_opens_a_closed_loan() -> None:
    life = even()
    paid = life.add(repay(life.loan, 400, "CNY", date(2024, 5, 1)))
    life.add(close_if_paid(life.loan, date(2024, 5, 1)))
    assert life.loan.status == "closed"
    undone = reverse(life.loan, paid.body, why="bounced")
    assert undone.allocation == paid.body.allocation
    life.add(undone, replaces=paid.id)
    assert life.loan.status == "open"
    assert life.loan.principal_left_minor == 360
    assert life.loan.days_past_due(date(2024, 5, 11)) == 100
    with pytest.raises(Conflict, match="reversed already"):
        reverse(life.loan, paid.body)


def test_excess_takes_the_place_of_a_payment_that_is_reversed() -> None:
    """Payments of 150, 150 and 120 on 360 leave 60 over; without the first, 90 are owed and none is over."""
    life = Life(by_hand([(date(2024, 2, 1), 360, 0)], OUT, currency="CNY"))
    first = life.add(repay(life.loan, 150, "CNY", date(2024, 1, 3)))
    life.add(repay(life.loan, 150, "CNY", date(2024, 1, 5)))
    life.add(repay(life.loan, 120, "CNY", date(2024, 1, 7)))
    assert (life.loan.principal_left_minor, life.loan.excess_minor) == (0, 60)
    undone = reverse(life.loan, first.body, event_id=first.id)
    assert undone.allocation == Allocation(principal_minor=90, excess_minor=60)
    life.add(undone, replaces=first.id)
    assert (life.loan.principal_left_minor, life.loan.excess_minor) == (90, 0)
    assert life.loan.outstanding(date(2024, 1, 6)).principal_minor == 210
    assert life.loan.outstanding(date(2024, 1, 7)).principal_minor == 90


def test_payments_of_one_amount_on_one_day_are_told_apart_by_their_events() -> None:
    life = even()
    one = life.add(repay(life.loan, 100, "CNY", date(2024, 2, 1)))
    two = life.add(repay(life.loan, 100, "CNY", date(2024, 2, 1)))
    life.add(reverse(life.loan, one.body, event_id=one.id), replaces=one.id)
    with pytest.raises(Conflict):
        reverse(life.loan, one.body, event_id=one.id)
    life.add(reverse(life.loan, two.body, event_id=two.id), replaces=two.id)
    assert life.loan.payments == ()


def test_a_write_off_takes_all_that_is_owed_and_a_reversal_after_it_loses_more() -> None:
    life = even()
    paid = life.add(repay(life.loan, 100, "CNY", date(2024, 2, 1)))
    lost = write_off(life.loan, date(2024, 8, 1), why="no hope")
    assert (lost.principal_minor, lost.interest_minor, lost.fee_minor) == (270, 30, 0)
    life.add(lost)
    assert life.loan.status == "written_off"
    assert life.loan.outstanding(date(2024, 8, 1)).total_minor == 0
    assert life.loan.outstanding(date(2024, 7, 31)).principal_minor == 270
    life.add(reverse(life.loan, paid.body), replaces=paid.id)
    assert life.loan.written_off_minor == 400


def test_recovery_of_the_whole_claim_closes_the_loan_and_more_may_still_come() -> None:
    life = even()
    life.add(write_off(life.loan, date(2024, 8, 1)))
    life.add(recover(life.loan, 399, 40, "CNY", date(2024, 9, 1)))
    assert close_if_paid(life.loan, date(2024, 9, 1)) is None
    life.add(recover(life.loan, 1, 0, "CNY", date(2024, 9, 2)))
    closed = close_if_paid(life.loan, date(2024, 9, 2))
    assert closed is not None
    assert closed.why == "recovered"
    life.add(closed)
    life.add(recover(life.loan, 10, 0, "CNY", date(2024, 10, 1)))
    assert (life.loan.status, life.loan.recovered_minor) == ("closed", 410)


def written() -> Life:
    life = even()
    life.add(write_off(life.loan, date(2024, 8, 1)))
    return life


def closed() -> Life:
    life = even()
    life.add(repay(life.loan, 500, "CNY", date(2024, 5, 1)))
    life.add(close_if_paid(life.loan, date(2024, 5, 1)))
    return life


SOON = date(2024, 8, 2)


@pytest.mark.parametrize(
    ("life", "do", "kind", "says"),
    [
        (
            even,
            lambda n: repay(n, 1, "CNY", date(2023, 12, 31)),
            Conflict,
            "before the day the loan was disb",
        ),
        (even, lambda n: repay(n, 1, "EUR", SOON), InvalidInput, "CNY, the loan's currency"),
        (even, lambda n: repay(n, 0, "CNY", SOON), InvalidInput, "at least 1"),
        (closed, lambda n: repay(n, 1, "CNY", SOON), Conflict, "was closed on 2024-05-01"),
        (written, lambda n: repay(n, 1, "CNY", SOON), Conflict, "is a recovery"),
        (even, lambda n: recover(n, 1, 0, "CNY", SOON), Conflict, "is a repayment"),
        (written, lambda n: recover(n, 1, 2, "CNY", SOON), InvalidInput, "from 0 to 1"),
        (
            written,
            lambda n: recover(n, 1, 0, "CNY", date(2024, 7, 1)),
            Conflict,
            "before the day the loan was",
        ),
        (even, lambda n: charge_fee(n, 1, "CNY", "dinner", SOON), InvalidInput, "one of late"),
        (even, lambda n: charge_fee(n, 50_001, "CNY", "late", SOON), InvalidInput, "at most 50000"),
        (even, lambda n: charge_fee(n, 1, "CNY", "late", date(2023, 1, 1)), Conflict, "before the day"),
        (written, lambda n: charge_fee(n, 1, "CNY", "late", SOON), Conflict, "cannot be charged a fee"),
        (written, lambda n: write_off(n, SOON), Conflict, "cannot be written off"),
        (even, lambda n: write_off(n, date(2023, 1, 1)), Conflict, "before the last day"),
        (even, lambda n: close(n, SOON, "x"), Conflict, "is not written off"),
        (closed, lambda n: close(n, SOON, "x"), Conflict, "was closed on"),
    ],
)
def test_what_does_not_fit_is_refused_and_says_what_would(
    life: Callable[[], Life], do: Callable[[Loan], object], kind: type[Refusal], says: str
) -> None:
    with pytest.raises(kind) as refused:
        do(life().loan)
    told = refused.value.detail + " ".join(v.accepted for v in refused.value.violations)
    assert says in told


def test_nothing_is_written_off_where_nothing_is_owed() -> None:
    life = even()
    life.add(repay(life.loan, 400, "CNY", date(2024, 5, 1)))
    with pytest.raises(Conflict, match="nothing is owed"):
        write_off(life.loan, date(2024, 5, 2))


def test_a_repayment_of_an_unknown_product_needs_its_terms() -> None:
    life = Life(replace(even().events[0].body, product="my-own"))
    with pytest.raises(NotFound):
        repay(life.loan, 100, "CNY", date(2024, 2, 1))
    assert parts(repay(life.loan, 100, "CNY", date(2024, 2, 1), terms=product("instalment"))) == (
        0,
        10,
        90,
        0,
    )


@pytest.mark.parametrize("shares", [[5000, 4999], [10_000, 0], [10_001, -1]])
def test_partners_shares_must_sum_to_the_whole(shares: list[int]) -> None:
    given = [PartnerShare(partner=f"b{n}", share_bp=bp) for n, bp in enumerate(shares)]
    with pytest.raises(InvalidInput) as refused:
        money_out(shares=given)
    assert refused.value.violations[0].field == "shares"


def test_a_partner_is_named_once() -> None:
    with pytest.raises(InvalidInput):
        money_out(shares=[PartnerShare(partner="b", share_bp=5000)] * 2)


def test_the_fold_takes_nothing_that_no_command_lets_through() -> None:
    life = even()
    paid = repay(life.loan, 100, "CNY", date(2024, 2, 1))
    with pytest.raises(InvariantBroken, match=r"begins with repayment\.received"):
        apply(None, event(paid, 0))
    with pytest.raises(InvariantBroken, match=r"cannot take loan\.disbursed"):
        apply(life.loan, event(life.events[0].body, 1))
    first = life.add(paid)
    undone = reverse(life.loan, paid)
    with pytest.raises(InvariantBroken, match="no payment that stands"):
        apply(life.loan, event(undone, 2, replaces="event-9"))
    greedy = replace(undone, allocation=Allocation(interest_minor=11, principal_minor=89))
    with pytest.raises(InvariantBroken):
        apply(life.loan, event(greedy, 2, replaces=first.id))
    short = replace(life.events[0].body, amount_minor=361)
    with pytest.raises(InvariantBroken, match="does not sum"):
        apply(None, event(short, 0))
