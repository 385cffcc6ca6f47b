"""Apache Fineract's published loan cases (facts only), as far as they fall in what our loans do.

In scope: first schedules of its instalment calculator; loans without down payment that are disbursed once,
with repayments, reversals and flat charges. Compared are the dates, principal and interest of schedules; what
is outstanding and overpaid after every step, and whether it is closed or overpaid; and the day from which a
loan counts as late. How a single payment is split when a charge is not due yet is each lender's own order and
is not compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from obligor.events import FeeCharged, Instalment
from obligor.kernel import Event, add_months
from obligor.loans import amortise, level_instalment, product, repay, reverse, schedule
from tests.loans.making import Life, by_hand

SIMPLE = {
    "add_charge",
    "approve",
    "business_date",
    "close_of_business",
    "create_loan",
    "disburse",
    "repayment",
    "set_config",
    "undo",
}
GRACE = 3  # the fixtures' grace on ageing: the first three days late do not count
RANGES = {
    "RANGE_1": (1, 3),
    "RANGE_3": (4, 30),
    "RANGE_30": (31, 60),
    "RANGE_60": (61, 90),
    "RANGE_90": (91, 120),
}


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[dict[str, Any]]:
    found = []
    for file in sorted((shared / "vectors/fineract").glob("*.jsonl")):
        found += [json.loads(line) for line in file.read_text().splitlines()]
    return found


def _minor(text: str) -> int:
    amount = Fraction(text) * 100
    assert amount.denominator == 1
    return int(amount)


def _day(text: str) -> date:
    return date.fromisoformat(text)


# ---- the instalment calculator


def _calculated(cases: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for case in cases:
        if case["class"] == "emi_calculator" and case.get("independent_check"):
            yield case


def test_the_first_schedules_of_the_instalment_calculator_are_ours_to_the_cent(
    cases: list[dict[str, Any]],
) -> None:
    seen = 0
    for case in _calculated(cases):
        disbursed, table = case["steps"][0], case["steps"][1]
        assert (disbursed["op"], table["expect"]) == ("disburse", "periods")
        # A rate of 9.4822 % is no whole number of basis points: scale the fractions instead.
        rate = int(Fraction(case["interest_rate_pct"]) * 10_000)
        days = {"MONTHS": 30, "DAYS": case["repay_every"], "WEEKS": 7 * case["repay_every"]}
        year = int(case["days_in_year"].removeprefix("DAYS_"))
        fractions = [(days[case["repay_unit"]], 100 * year)] * len(case["periods"])
        amount = _minor(disbursed["amount"])
        level = level_instalment(amount, rate, fractions)
        parts = amortise(amount, rate, fractions)
        rows = [row for row in table["rows"] if Fraction(row["rate_factor"])]
        assert len(rows) == len(parts)
        # Where the last instalment differs, Fineract moves a cent of it into the others; we do not.
        cents = 1 if case["id"].endswith("_repayEvery2Week") else 0
        for row, (principal, interest) in zip(rows, parts, strict=True):
            assert abs(principal - _minor(row["principal_due"])) <= 2 * cents
            assert interest == _minor(row["interest_due"])
        assert {abs(_minor(row["emi"]) - level) for row in rows[:-1]} == {cents}
        seen += 1
    assert seen == 5


# ---- loans with payments, reversals and charges


def _in_scope(case: dict[str, Any]) -> bool:
    if "product" not in case or case["product"]["down_payment"] is not None:
        return False
    operations = [step["op"] for step in case["steps"] if "op" in step]
    flat = all(
        step["charge"]["calculation"] == "FLAT" and step["charge"]["time"] == "SPECIFIED_DUE_DATE"
        for step in case["steps"]
        if step.get("op") == "add_charge"
    )
    recalculates = case["product"]["interest_recalculation"] is not None
    charges_by_itself = "Overdue Fees" in json.dumps(case["steps"])
    simple = set(operations) <= SIMPLE and operations.count("disburse") == 1
    return simple and flat and not recalculates and not charges_by_itself


def _schedule(case: dict[str, Any]) -> list[tuple[date, int, int]]:
    """The schedule as published where it is; else the even split that a loan without interest has."""
    terms = case["loan"]
    for step in case["steps"]:
        if step.get("expect") == "schedule":
            return [
                (_day(row["due_date"]), _minor(row["principal"]), _minor(row["interest"]))
                for row in step["rows"]
                if row["row"] == "installment" and Fraction(row["principal"])
            ]
    assert terms["interest_rate_pct"] == "0"
    begin = next(_day(step["date"]) for step in case["steps"] if step.get("op") == "disburse")
    count, amount = terms["number_of_repayments"], _minor(terms["principal"])
    parts = amortise(amount, 0, [(30, 360)] * count, 100)
    if terms["repay_unit"] == "MONTHS":
        dates = [add_months(begin, number) for number in range(1, count + 1)]
    else:
        dates = [begin + timedelta(days=terms["repay_every"] * number) for number in range(1, count + 1)]
    return [(due, principal, 0) for due, (principal, _) in zip(dates, parts, strict=True)]


class _Replay:
    """One case, lived by our loan; every checkpoint that speaks of what we keep is compared."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.compared = 0
        begin = next(_day(step["date"]) for step in case["steps"] if step.get("op") == "disburse")
        self.life = Life(by_hand(_schedule(case), begin, currency="CNY"))
        self.paid: list[Event] = []
        self.today = begin
        self.on = False

    def run(self) -> int:
        for step in self.case["steps"]:
            if "op" in step:
                getattr(self, "_" + step["op"], lambda _: None)(step)
            elif self.on:
                getattr(self, "_see_" + step["expect"], lambda _: None)(step)
        return self.compared

    def _business_date(self, step: dict[str, Any]) -> None:
        self.today = _day(step["date"])

    def _disburse(self, _: dict[str, Any]) -> None:
        self.on = True

    def _add_charge(self, step: dict[str, Any]) -> None:
        charge = FeeCharged(
            loan_id="l-1",
            amount_minor=_minor(step["amount_or_percent"]),
            currency="CNY",
            kind="late",
            charged_on=_day(step["due_date"]),
        )
        self.life.add(charge)

    def _repayment(self, step: dict[str, Any]) -> None:
        # What a lender's customer pays ahead covers the schedule; only a loan without interest is settled.
        amount = _minor(step["amount"])
        self.paid.append(self.life.add(repay(self.life.loan, amount, "CNY", _day(step["date"]))))

    def _undo(self, step: dict[str, Any]) -> None:
        if "nth" in step:
            on = _day(step.get("on") or step["made_on"])
            mine = [told for told in self.paid if told.body.value_on == on]
            told = mine[step["nth"] - 1]
        else:
            told = [t for t in self.paid if t.id in {p.event_id for p in self.life.loan.payments}][-1]
        body = reverse(self.life.loan, told.body, event_id=told.id)
        self.life.add(body, replaces=told.id)

    def _owed(self) -> int:
        """Everything to the end of the schedule, as Fineract counts it."""
        loan = self.life.loan
        interest = loan.terms.interest_owed_minor[-1] - loan.interest_paid_minor
        return (
            loan.principal_left_minor + (interest if loan.principal_left_minor else 0) + loan.fee_left_minor
        )

    def _same(self, ours: object, theirs: object) -> None:
        assert ours == theirs, (self.case["id"], ours, theirs)
        self.compared += 1

    def _see_outstanding(self, step: dict[str, Any]) -> None:
        self._same(self._owed(), _minor(step["value"]))

    def _see_overpaid(self, step: dict[str, Any]) -> None:
        self._same(self.life.loan.excess_minor, _minor(step["value"]))

    def _see_schedule_total(self, step: dict[str, Any]) -> None:
        row = step["row"]
        self._same(self._owed(), _minor(row["outstanding"]))
        self._same(self.life.loan.repaid_minor, _minor(row["paid"]))

    def _see_status(self, step: dict[str, Any]) -> None:
        ours = "ACTIVE" if self._owed() else "CLOSED_OBLIGATIONS_MET"
        self._same("OVERPAID" if self.life.loan.excess_minor else ours, step["value"].upper())

    def _see_schedule(self, step: dict[str, Any]) -> None:
        if self.life.loan.fee_charged_minor:
            return  # charges are spread over instalments there, and apart from them here
        rows = [row for row in step["rows"] if row["row"] == "installment"]
        for row, line in zip(rows, self.life.loan.instalments(self.today), strict=True):
            self._same((line.paid_minor, line.due_on), (_minor(row["paid"]), _day(row["due_date"])))
            if row["paid_date"]:
                self._same(line.paid_on, _day(row["paid_date"]))

    def _see_delinquency_range(self, step: dict[str, Any]) -> None:
        """Its days close with the day before; the delinquent date is the due date after the days of grace."""
        days = self.life.loan.days_past_due(self.today)
        if step["delinquent_date"] is None:
            self._same(days, 0)
            return
        oldest = self.today - timedelta(days=days)
        self._same(oldest + timedelta(days=GRACE), _day(step["delinquent_date"]))
        least, most = RANGES[step["value"]]
        closed = self.life.loan.days_past_due(self.today - timedelta(days=1)) - GRACE
        self._same(least <= closed + 1 and closed <= most, True)


def test_payments_reversals_and_charges_leave_what_fineract_says_is_outstanding(
    cases: list[dict[str, Any]],
) -> None:
    replays = [_Replay(case) for case in cases if _in_scope(case)]
    compared = [replay.run() for replay in replays]
    assert len(replays) >= 60
    assert sum(compared) >= 230


def test_published_schedules_without_interest_are_those_of_our_product(cases: list[dict[str, Any]]) -> None:
    """Monthly loans with the product's own rounding to whole units."""
    terms = replace(
        product("instalment"),
        instalment_multiple_minor=100,
        currency="EUR",
        minimum_minor=1,
        day_count="30/360",
    )
    seen = 0
    for case in cases:
        loan = case.get("loan", {})
        if not _in_scope(case) or loan["repay_unit"] != "MONTHS" or loan["interest_rate_pct"] != "0":
            continue
        if not any(step.get("expect") == "schedule" for step in case["steps"]):
            continue
        begin = next(_day(step["date"]) for step in case["steps"] if step.get("op") == "disburse")
        lines = schedule(terms, _minor(loan["principal"]), 0, loan["number_of_repayments"], begin, "EUR")
        assert [(i.due_on, i.principal_minor, i.interest_minor) for i in lines] == _schedule(case), case["id"]
        assert all(isinstance(line, Instalment) for line in lines)
        seen += 1
    assert seen >= 10
