"""A loan's life at random: whatever happens, in whatever order it becomes known, these things hold."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from obligor import loans
from obligor.events import Allocation, ClassChanged, RepaymentReceived
from obligor.kernel import Conflict
from obligor.limits import CapBook
from obligor.loans import Policy, amortise, apply, balances, level_instalment, postings, product, schedule
from obligor.loans.joint import divide
from tests.loans.making import JOINT, Life, event, money_out
from tests.loans.slow import replay

BEGIN = date(2024, 1, 31)
DAYS = st.integers(0, 520).map(lambda days: BEGIN + timedelta(days=days))
POLICIES = (Policy(), Policy(suspend_after_days=30, suspended="reverse"))
PRODUCTS = ["instalment", "bullet", "lendingclub-36"]
MONTHS = 7


class LoanMachine(RuleBasedStateMachine):
    """Payments with any value date, early, late, too much, split by the sender; reversals; fees; the end."""

    @initialize(name=st.sampled_from(PRODUCTS), rate=st.sampled_from([0, 795, 2400]), joint=st.booleans())
    def begin(self, name: str, rate: int, joint: bool) -> None:
        terms = replace(product(name), minimum_term_months=MONTHS)
        shares = JOINT if joint else ()
        begin = money_out(terms, 1_000_001, rate_bp=rate, term_months=MONTHS, on=BEGIN, shares=shares)
        self.life = Life(begin)
        self.currency = self.life.loan.currency
        self.caps = CapBook()
        self.ledgers: list[Counter[tuple[str | None, str]]] = [Counter() for _ in POLICIES]
        self.reversible: list[str] = []
        self.posted = 0
        self.before: loans.Loan | None = None
        self.settle()

    def settle(self) -> None:
        """Post what was added, and check every entry."""
        for told in self.life.events[self.posted :]:
            before = self.before
            self.before = apply(before, told)
            for ledger, policy in zip(self.ledgers, POLICIES, strict=True):
                lines = postings(before, told, policy=policy)
                by_partner: Counter[str | None] = Counter()
                for line in lines:
                    assert line.amount_minor != 0
                    assert line.currency == self.currency
                    by_partner[line.partner] += line.amount_minor
                    ledger[line.partner, line.account] += line.amount_minor
                assert not any(by_partner.values()), "an entry sums to zero for every partner"
            self.caps.apply(told)
            self.posted += 1

    @property
    def loan(self) -> loans.Loan:
        return self.life.loan

    @precondition(lambda self: self.loan.status == "open")
    @rule(amount=st.integers(1, 400_000), value_on=DAYS)
    def pay(self, amount: int, value_on: date) -> None:
        told = self.life.add(loans.repay(self.loan, amount, self.currency, value_on))
        assert sum(_parts(told.body.allocation)) == amount
        self.reversible.append(told.id)
        self.settle()

    @precondition(lambda self: self.loan.status == "open")
    @rule(months=st.integers(1, 4), late=st.one_of(st.just(0), st.integers(-3, 40)))
    def pay_instalments(self, months: int, late: int) -> None:
        unpaid = [line for line in self.loan.instalments(date.max) if line.open_minor][:months]
        if unpaid:
            value_on = max(BEGIN, unpaid[0].due_on + timedelta(days=late))
            amount = sum(line.open_minor for line in unpaid)
            told = self.life.add(loans.repay(self.loan, amount, self.currency, value_on))
            self.reversible.append(told.id)
            self.settle()

    @precondition(lambda self: self.loan.status == "open")
    @rule(value_on=DAYS)
    def pay_all(self, value_on: date) -> None:
        owed = loans.interest.owing(self.loan, value_on)
        if owed.total_minor:
            told = self.life.add(loans.repay(self.loan, owed.total_minor, self.currency, value_on))
            assert _parts(told.body.allocation) == (
                owed.fee_minor,
                owed.interest_minor,
                owed.principal_minor,
                0,
            )
            assert self.loan.principal_left_minor == 0
            self.reversible.append(told.id)
            self.settle()

    @precondition(lambda self: self.loan.status == "open")
    @rule(interest=st.sampled_from([0, 17, 20_000, 700_000]), share=st.integers(0, 100), value_on=DAYS)
    def pay_as_the_sender_split(self, interest: int, share: int, value_on: date) -> None:
        principal = self.loan.principal_left_minor * share // 100
        split = Allocation(
            interest_minor=interest, principal_minor=principal, fee_minor=self.loan.fee_left_minor
        )
        if amount := sum(_parts(split)):
            paid = loans.repay(self.loan, amount, self.currency, value_on, allocation=split)
            self.reversible.append(self.life.add(paid).id)
            self.settle()

    @precondition(lambda self: self.loan.status == "open")
    @rule(amount=st.integers(1, 5_000), on=DAYS)
    def charge(self, amount: int, on: date) -> None:
        self.life.add(loans.charge_fee(self.loan, amount, self.currency, "late", on))
        self.settle()

    @precondition(lambda self: self.reversible)
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.reversible))
        told = next(e for e in self.life.events if e.id == name)
        assert isinstance(told.body, RepaymentReceived)
        self.life.add(loans.reverse(self.loan, told.body, event_id=name), replaces=name)
        self.reversible.remove(name)
        with pytest.raises(Conflict):
            loans.reverse(self.loan, told.body, event_id=name)
        self.settle()

    @rule(on=DAYS)
    def classify(self, on: date) -> None:
        days = self.loan.days_past_due(on)
        self.life.add(
            ClassChanged(
                loan_id="l-1",
                on=on,
                days_past_due=days,
                five_tier="normal",
                ifrs9_stage=1,
                non_performing=days > 90,
                strategy="s",
                strategy_sha256="0",
            )
        )
        self.settle()

    @precondition(lambda self: self.loan.status == "open" and len(self.life.events) > 4)
    @rule(days=st.integers(0, 60))
    def write_off(self, days: int) -> None:
        on = self.loan.booked_on + timedelta(days=days)
        if loans.interest.owing(self.loan, on).total_minor:
            self.life.add(loans.write_off(self.loan, on))
            assert self.loan.outstanding(on).total_minor == 0
            self.settle()

    @precondition(lambda self: self.loan.written_off)
    @rule(amount=st.integers(1, 300_000), cost=st.integers(0, 100), days=st.integers(0, 90))
    def recover(self, amount: int, cost: int, days: int) -> None:
        assert self.loan.loss is not None
        on = self.loan.loss.written_off_on + timedelta(days=days)
        self.life.add(loans.recover(self.loan, amount, min(cost, amount), self.currency, on))
        self.settle()

    @rule(on=DAYS)
    def close_if_paid(self, on: date) -> None:
        if closed := loans.close_if_paid(self.loan, on):
            self.life.add(closed)
            assert self.loan.days_past_due(date(2030, 1, 1)) == 0
            self.settle()

    @invariant()
    def books_add_up(self) -> None:
        if not hasattr(self, "life"):
            return
        for ledger, policy in zip(self.ledgers, POLICIES, strict=True):
            whole = balances(self.loan, self.loan.booked_on, policy)
            total: Counter[str] = Counter()
            for (_, account), amount in ledger.items():
                total[account] += amount
            assert {a: n for a, n in whole.items() if n} == {a: n for a, n in total.items() if n}
            assert sum(total.values()) == 0
            for asset in (
                "loan_principal",
                "interest_receivable",
                "fee_receivable",
                "memo_written_off_claim",
            ):
                assert whole[asset] >= 0
            assert whole["customer_excess"] <= 0
            assert whole["interest_suspense"] <= 0
            if self.loan.shares:
                for share in self.loan.shares:
                    mine = ledger[share.partner, "loan_principal"] * 10_000
                    assert abs(mine - whole["loan_principal"] * share.share_bp) < 10_000

    @invariant()
    def money_is_where_it_went(self) -> None:
        if not hasattr(self, "life"):
            return
        loan = self.loan
        assert sum(p.allocation.principal_minor for p in loan.payments) == loan.principal_paid_minor
        assert sum(p.allocation.interest_minor for p in loan.payments) == loan.interest_paid_minor
        assert 0 <= loan.principal_left_minor <= loan.amount_minor
        assert loan.fee_left_minor >= 0
        if loan.excess_minor:
            assert loan.principal_left_minor == 0, "nobody is owed money back on a loan that is not repaid"
        exposed = self.caps.loan("l-1")
        assert exposed is not None
        assert exposed.amount_minor == (0 if loan.written_off else loan.principal_left_minor)
        assert [p.value_on for p in loan.payments] == sorted(p.value_on for p in loan.payments)

    @invariant()
    def rebuilt_is_live(self) -> None:
        if not hasattr(self, "life"):
            return
        again = None
        for told in self.life.events:
            again = apply(again, told)
        assert again == self.loan

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        last = BEGIN + timedelta(days=620)
        for upto in {len(self.life.events), (len(self.life.events) + 1) // 2}:
            known = None
            for told in self.life.events[:upto]:
                known = apply(known, told)
            assert known is not None
            slow = replay(self.life.events[:upto], last)
            with_fees = replay(self.life.events[:upto], last, fees=True)
            scheduled = known.terms.disbursed.interest == "scheduled"
            for day, (days, arrears) in slow.items():
                assert known.days_past_due(day) == days, day
                assert known.days_past_due(day, fees=True) == with_fees[day][0], day
                if scheduled or day < known.schedule[-1].due_on:
                    assert known.arrears_minor(day) == arrears, day
            window = [days for day, (days, _) in slow.items() if day >= last - timedelta(days=90)]
            assert known.worst_days_past_due(last - timedelta(days=90), last) == max(window)


TestLoans = LoanMachine.TestCase
TestLoans.settings = settings(max_examples=70, stateful_step_count=16)


def _parts(part: Allocation) -> tuple[int, int, int, int]:
    return part.fee_minor, part.interest_minor, part.principal_minor, part.excess_minor


@given(
    amount=st.integers(10_000, 100_000_000),
    rate=st.integers(0, 3600),
    term=st.integers(1, 60),
    on=st.dates(date(2000, 1, 1), date(2060, 12, 31)),
    name=st.sampled_from(["instalment", "bullet"]),
)
def test_a_schedules_principal_sums_to_the_amount_lent(
    amount: int, rate: int, term: int, on: date, name: str
) -> None:
    terms = product(name)
    lines = schedule(terms, amount, rate, min(term, terms.maximum_term_months), on, "CNY")
    assert sum(line.principal_minor for line in lines) == amount
    assert all(line.principal_minor >= 0 and line.interest_minor >= 0 for line in lines)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(a.due_on < b.due_on for a, b in pairwise(lines))
    if name == "instalment":
        level = {line.principal_minor + line.interest_minor for line in lines[:-1]}
        assert len(level) <= 1
        # The last instalment takes the rounding of all: half a unit of each level payment, with its interest.
        if level:
            last = lines[-1].principal_minor + lines[-1].interest_minor
            assert abs(last - level.pop()) <= term * (1 + rate / 10_000) ** (term / 12) + 1


@given(amount=st.integers(1, 10**9), rate=st.integers(0, 6000), periods=st.integers(1, 60))
def test_the_level_instalment_is_the_annuity_formula_in_fractions(
    amount: int, rate: int, periods: int
) -> None:
    fractions = [(30, 360)] * periods
    i = Fraction(rate, 120_000)
    exact = Fraction(amount) * i / (1 - (1 + i) ** -periods) if rate else Fraction(amount, periods)
    assert level_instalment(amount, rate, fractions) == round(exact)
    assert sum(principal for principal, _ in amortise(amount, rate, fractions)) == amount


@given(
    book=st.lists(st.integers(-(10**9), 10**9), min_size=4, max_size=4),
    weights=st.lists(st.integers(1, 9999), min_size=1, max_size=6),
)
def test_partners_parts_sum_to_the_whole_and_each_balances(book: list[int], weights: list[int]) -> None:
    whole = {"a": book[0], "b": book[1], "m": book[2], "n": -book[2], "cash": -book[0] - book[1]}
    parts = divide(whole, weights, {"a": "cash", "b": "cash", "m": "n"})
    for account, amount in whole.items():
        assert sum(part[account] for part in parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert part["a"] + part["b"] + part["cash"] == 0
        assert part["m"] + part["n"] == 0
        assert abs(part["a"] * sum(weights) - book[0] * weight) < sum(weights)


@given(
    rate=st.sampled_from([0, 777, 1599, 2400]),
    amount=st.integers(50_000, 4_000_000),
    on=st.dates(date(2007, 1, 1), date(2011, 12, 31)),
)
def test_on_daily_terms_paying_on_the_day_pays_the_schedule(rate: int, amount: int, on: date) -> None:
    life = Life(money_out("lendingclub-36", amount, rate_bp=rate, term_months=36, on=on))
    for line in life.loan.schedule:
        before = life.loan.outstanding(line.due_on)
        assert before.interest_minor == before.interest_due_minor == line.interest_minor
        told = life.add(
            loans.repay(life.loan, line.principal_minor + line.interest_minor, "USD", line.due_on)
        )
        assert told.body.allocation.principal_minor == line.principal_minor
    assert life.loan.on_schedule == 36
    assert loans.close_if_paid(life.loan, line.due_on) is not None


@given(
    kept=st.integers(1, 8),
    late_told=st.lists(st.tuples(st.integers(0, 250), st.integers(1, 90_000)), max_size=3),
    undone=st.lists(st.integers(0, 7), max_size=2, unique=True),
)
def test_the_short_way_through_a_schedule_that_was_kept_earns_the_same(
    kept: int, late_told: list[tuple[int, int]], undone: list[int]
) -> None:
    life = Life(money_out("lendingclub-36", 1_000_000, rate_bp=1500, term_months=36, on=BEGIN))
    paid = []
    for line in life.loan.schedule[:kept]:
        amount = line.principal_minor + line.interest_minor
        paid.append(life.add(loans.repay(life.loan, amount, "USD", line.due_on)))
    assert life.loan.on_schedule == kept
    for day, amount in late_told:
        life.add(loans.repay(life.loan, amount, "USD", BEGIN + timedelta(days=day)))
    for place in undone:
        if place < kept:
            told = paid[place]
            body = loans.reverse(life.loan, told.body, event_id=told.id)
            life.add(body, replaces=told.id)
    long_way = replace(life.loan, on_schedule=0)
    for day in (BEGIN + timedelta(days=n) for n in range(0, 300, 7)):
        assert loans.interest.earned(life.loan, day) == loans.interest.earned(long_way, day)


@given(
    days=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 150_000)), max_size=12),
    on=st.integers(0, 420),
)
def test_daily_interest_is_the_sum_over_days_on_actual_days(days: list[tuple[int, int]], on: int) -> None:
    """ACT/365 accrual by walking every day in fractions; the fast one rounds once at each due date."""
    terms = replace(product("lendingclub-36"), day_count="ACT/365")
    life = Life(money_out(terms, 2_000_000, rate_bp=1825, term_months=36, on=BEGIN))
    for place, (day, amount) in enumerate(days):
        part = Allocation(principal_minor=amount)
        body = RepaymentReceived(
            loan_id="l-1",
            amount_minor=amount,
            currency="USD",
            value_on=BEGIN + timedelta(days=day),
            allocation=part,
        )
        life.loan = apply(life.loan, event(body, place + 1))
    exact = Fraction(0)
    balance = 2_000_000
    for day in range(on):
        balance -= sum(amount for at, amount in days if at == day)
        exact += Fraction(balance * 1825, 3_650_000)
    due, running = loans.interest.earned(life.loan, BEGIN + timedelta(days=on))
    periods = on // 28 + 1
    assert abs(due + running - exact) <= Fraction(periods, 2)
