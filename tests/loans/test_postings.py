from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from obligor.events import Allocation, ClassChanged
from obligor.kernel import Event
from obligor.loans import (
    ACCOUNTS,
    Loan,
    Policy,
    Posting,
    apply,
    balances,
    charge_fee,
    close,
    postings,
    recover,
    repay,
    reverse,
    write_off,
)
from tests.loans.making import JOINT, Life, by_hand

REVERSE = Policy(suspended="reverse")


class Books:
    """A loan whose every event is posted as it comes."""

    def __init__(self, policy: Policy | None = None, **more: object) -> None:
        lines = [(date(2024, month, 1), 90, 10) for month in (2, 3, 4, 5, 6, 7, 8)]
        self.policy = policy or Policy()
        self.life = Life(by_hand(lines, date(2024, 1, 1), currency="CNY", rate_bp=1200, **more))
        self.total: Counter[str] = Counter()
        self.last: dict[str, int] = {}
        self._post(None, self.life.events[0])

    @property
    def loan(self) -> Loan:
        return self.life.loan

    def add(self, body: object, replaces: str | None = None) -> Event:
        before = self.loan
        told = self.life.add(body, replaces)
        self._post(before, told)
        return told

    def _post(self, before: Loan | None, told: Event) -> None:
        lines = postings(before, told, after=self.loan, policy=self.policy)
        assert lines == postings(before, told, policy=self.policy)
        assert sum(line.amount_minor for line in lines) == 0
        assert {line.account for line in lines} <= set(ACCOUNTS)
        self.last = {line.account: line.amount_minor for line in lines}
        self.total.update(self.last)
        assert sum(self.total.values()) == 0, "the trial balance is zero at each step"

    def classed(self, on: date) -> None:
        self.add(
            ClassChanged(
                loan_id="l-1",
                on=on,
                days_past_due=0,
                five_tier="normal",
                ifrs9_stage=1,
                non_performing=False,
                strategy="s",
                strategy_sha256="0",
            )
        )


def test_a_loans_life_posts_claim_income_and_cash_apart() -> None:
    books = Books()
    assert books.last == {"cash": -630, "loan_principal": 630}
    books.add(repay(books.loan, 100, "CNY", date(2024, 2, 1)))
    assert books.last == {"cash": 100, "loan_principal": -90, "interest_income": -10}
    books.add(charge_fee(books.loan, 5, "CNY", "late", date(2024, 3, 2)))
    assert books.last == {
        "fee_receivable": 5,
        "fee_income": -5,
        "interest_receivable": 10,
        "interest_income": -10,
    }, "what fell due since the last event is recognised with the next one"
    books.add(repay(books.loan, 105, "CNY", date(2024, 3, 3)))
    assert books.last == {
        "cash": 105,
        "fee_receivable": -5,
        "interest_receivable": -10,
        "loan_principal": -90,
    }


def test_interest_paid_before_it_is_due_is_income_at_once_and_not_again() -> None:
    books = Books()
    books.add(repay(books.loan, 200, "CNY", date(2024, 1, 20)))
    assert books.last == {"cash": 200, "loan_principal": -180, "interest_income": -20}
    books.classed(date(2024, 3, 5))
    assert books.last == {}


def test_the_balances_of_a_day_between_events_hold_what_has_fallen_due() -> None:
    books = Books()
    assert balances(books.loan, date(2024, 1, 31))["interest_receivable"] == 0
    assert balances(books.loan, date(2024, 2, 1))["interest_receivable"] == 10
    assert balances(books.loan, date(2024, 3, 1))["interest_income"] == -20
    assert set(balances(books.loan, date(2024, 2, 1))) == set(ACCOUNTS)


def test_past_ninety_days_unpaid_interest_is_suspended_and_returns_when_it_is_paid() -> None:
    books = Books()
    books.classed(date(2024, 5, 1))
    assert (books.total["interest_receivable"], books.total["interest_income"]) == (40, -40)
    books.classed(date(2024, 5, 2))  # 91 days past due
    assert books.last == {"interest_suspense": -40, "interest_income": 40}
    books.classed(date(2024, 6, 1))
    assert books.last == {"interest_receivable": 10, "interest_suspense": -10}
    books.add(repay(books.loan, 100, "CNY", date(2024, 6, 2)))
    assert books.total["interest_income"] == -10, "what is paid is income"
    books.add(repay(books.loan, 400, "CNY", date(2024, 6, 2)))
    assert (books.total["interest_suspense"], books.total["interest_income"]) == (0, -50)


def test_a_lender_may_reverse_the_accrual_and_keep_the_claim_off_the_books() -> None:
    books = Books(REVERSE)
    books.classed(date(2024, 5, 1))
    books.classed(date(2024, 5, 2))
    assert books.last == {
        "interest_receivable": -40,
        "interest_income": 40,
        "memo_suspended_interest": 40,
        "memo_suspended_contra": -40,
    }
    assert books.total["interest_suspense"] == 0


def test_a_write_off_expenses_what_was_in_the_books_and_keeps_the_claim() -> None:
    books = Books()
    books.add(charge_fee(books.loan, 5, "CNY", "late", date(2024, 2, 10)))
    books.classed(date(2024, 8, 5))
    assert books.total["interest_suspense"] == -70
    books.add(write_off(books.loan, date(2024, 8, 5)))
    assert books.last == {
        "loan_principal": -630,
        "interest_receivable": -70,
        "interest_suspense": 70,
        "fee_receivable": -5,
        "write_off_expense": 635,
        "memo_written_off_claim": 705,
        "memo_written_off_contra": -705,
    }, "suspended interest was never income, so it is no expense"
    books.add(recover(books.loan, 100, 30, "CNY", date(2024, 9, 1)))
    assert books.last == {
        "cash": 70,
        "recovery_income": -100,
        "recovery_cost": 30,
        "memo_written_off_claim": -100,
        "memo_written_off_contra": 100,
    }
    books.add(close(books.loan, date(2024, 10, 1), "forgiven"))
    assert books.last == {"memo_written_off_claim": -605, "memo_written_off_contra": 605}
    left = {account: amount for account, amount in books.total.items() if amount}
    assert left == {
        "cash": -560,
        "fee_income": -5,
        "write_off_expense": 635,
        "recovery_income": -100,
        "recovery_cost": 30,
    }


def test_a_write_off_while_interest_is_in_income_expenses_it_too() -> None:
    books = Books()
    books.add(write_off(books.loan, date(2024, 3, 1)))
    assert books.total["write_off_expense"] == 630 + 20
    assert books.total["interest_income"] == -20


def test_a_reversal_posts_the_opposite_of_its_payment() -> None:
    books = Books()
    paid = books.add(repay(books.loan, 100, "CNY", date(2024, 2, 1)))
    forward = dict(books.last)
    books.add(reverse(books.loan, paid.body), replaces=paid.id)
    assert books.last["cash"] == -forward["cash"]
    assert books.last["loan_principal"] == -forward["loan_principal"]
    assert books.last["interest_receivable"] == 10, (
        "the interest stays due, so it stays income and is a claim"
    )


def test_a_payment_in_full_ends_the_interest_and_excess_is_a_liability() -> None:
    books = Books()
    books.classed(date(2024, 2, 2))
    everything = Allocation(principal_minor=630)
    books.add(repay(books.loan, 630, "CNY", date(2024, 2, 2), allocation=everything))
    assert books.last == {
        "cash": 630,
        "loan_principal": -630,
        "interest_receivable": -10,
        "interest_income": 10,
    }, "interest that the sender's books never took is no income"
    books.add(repay(books.loan, 7, "CNY", date(2024, 2, 3)))
    assert books.last == {"cash": 7, "customer_excess": -7}


@pytest.mark.parametrize("policy", [Policy(), REVERSE])
def test_a_joint_loan_posts_each_partners_part_and_each_balances(policy: Policy) -> None:
    books = Books(shares=JOINT)
    life = books.life
    paid = life.add(repay(life.loan, 101, "CNY", date(2024, 2, 1)))
    life.add(charge_fee(life.loan, 7, "CNY", "late", date(2024, 2, 2)))
    life.add(repay(life.loan, 50, "CNY", date(2024, 3, 9)))
    life.add(reverse(life.loan, paid.body), replaces=paid.id)
    life.add(write_off(life.loan, date(2024, 9, 9)))
    life.add(recover(life.loan, 111, 10, "CNY", date(2024, 10, 9)))
    mine: Counter[tuple[str, str]] = Counter()
    state = None
    for told in life.events:
        lines = postings(state, told, policy=policy)
        for partner in {line.partner for line in lines}:
            assert sum(line.amount_minor for line in lines if line.partner == partner) == 0
        mine.update({(str(line.partner), line.account): line.amount_minor for line in lines})
        state = apply(state, told)
        for account, amount in balances(state, state.booked_on, policy).items():
            assert sum(mine[share.partner, account] for share in JOINT) == amount
    assert {partner for partner, _ in mine} == {"ours", "bank-a", "bank-b"}


def test_a_partners_part_of_the_first_entry_is_its_share_to_the_minor_unit() -> None:
    life = Books(shares=JOINT).life
    lines = postings(None, life.events[0])
    assert lines == (
        Posting("cash", -189, "CNY", "ours"),
        Posting("loan_principal", 189, "CNY", "ours"),
        Posting("cash", -210, "CNY", "bank-a"),
        Posting("loan_principal", 210, "CNY", "bank-a"),
        Posting("cash", -231, "CNY", "bank-b"),
        Posting("loan_principal", 231, "CNY", "bank-b"),
    )
