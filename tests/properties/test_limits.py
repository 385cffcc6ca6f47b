"""Caps under any interleaving: what is accepted stays within every limit, and sums are those of a model."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from obligor.events import (
    Allocation,
    DayClosed,
    LoanClosed,
    LoanDisbursed,
    LoanWrittenOff,
    RepaymentReceived,
    RepaymentReversed,
)
from obligor.kernel import Body, Conflict, Event
from obligor.limits import CapBook, Row
from tests.loans.making import event

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
PEOPLE = ["p1", "p2", "p3"]
PARTNERS = [None, "bank"]
CAPS = ["obligor/*", "obligor/p2", "product/instalment", "partner/bank"]


class CapMachine(RuleBasedStateMachine):
    """Many clients at once, in any order: each command is checked on the book and applied, or refused."""

    @initialize()
    def begin(self) -> None:
        self.book = CapBook()
        self.events: list[Event] = []
        self.now = BEGIN
        self.limits: dict[str, int] = {}
        self.held: dict[str, dict] = {}  # the model: reservations and loans, summed anew each time
        self.loans: dict[str, dict] = {}
        self.paid: list[tuple[str, int]] = []

    def accept(self, body: Body) -> None:
        told = event(body, len(self.events), at=self.now)
        self.book.apply(told)
        self.events.append(told)
        touched = self.book.changed(told)
        for row in touched:
            assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row

    def limit(self, cap: str) -> int | None:
        return self.limits.get(cap, self.limits.get(cap.partition("/")[0] + "/*"))

    def use(self) -> Counter[str]:
        """What each cap is used for, added up from scratch."""
        found: Counter[str] = Counter()
        for held in self.held.values():
            for cap in held["caps"]:
                found[cap] += held["left"]
        for loan in self.loans.values():
            for cap in loan["caps"]:
                found[cap] += loan["amount"]
        return found

    def room(self, caps: tuple[str, ...]) -> int | None:
        use = self.use()
        rooms = [limit - use[cap] for cap in caps if (limit := self.limit(cap)) is not None]
        return max(0, min(rooms)) if rooms else None

    def within(self, caps: tuple[str, ...]) -> None:
        use = self.use()
        for cap in caps:
            limit = self.limit(cap)
            assert limit is None or use[cap] <= limit, "what was accepted stays within its limits"

    @rule(cap=st.sampled_from(CAPS), limit=st.sampled_from([0, 60, 250, 600, 1000]))
    def set_cap(self, cap: str, limit: int) -> None:
        self.accept(self.book.set_cap(cap, limit, "CNY"))
        self.limits[cap] = limit

    @rule(person=st.sampled_from(PEOPLE), amount=st.integers(1, 400), days=st.integers(1, 30))
    def reserve(self, person: str, amount: int, days: int) -> None:
        caps = self.book.applies(product="instalment", person=person)
        name, room = f"r{len(self.events)}", self.room(caps)
        assert self.book.headroom(caps, currency="CNY").amount_minor == room

        def ask() -> Body:
            return self.book.reserve(
                name,
                application_id="a",
                caps=caps,
                amount_minor=amount,
                currency="CNY",
                expires_at=self.now + timedelta(days=days),
            )

        if room is not None and amount > room:
            with pytest.raises(Conflict):
                ask()
        else:
            self.accept(ask())
            self.held[name] = {"caps": caps, "left": amount, "ends": self.now + timedelta(days=days)}
            self.within(caps)

    @precondition(lambda self: any(held["left"] for held in self.held.values()))
    @rule(data=st.data(), partner=st.sampled_from(PARTNERS), part=st.integers(1, 120))
    def commit(self, data: st.DataObject, partner: str | None, part: int) -> None:
        name = data.draw(st.sampled_from(sorted(n for n, held in self.held.items() if held["left"])))
        held = self.held[name]
        amount = max(1, held["left"] * part // 100)
        joining = self.book.applies(partner=partner)
        room = self.room(joining)
        loan_id = f"l{len(self.events)}"

        def ask() -> Body:
            return self.book.commit(
                name, loan_id=loan_id, caps=held["caps"] + joining, amount_minor=amount, at=self.now
            )

        short = amount > held["left"] or (room is not None and amount > room)
        if short or held["ends"] <= self.now:
            with pytest.raises(Conflict):
                ask()
        else:
            self.accept(ask())
            held["left"] -= amount
            self.loans[loan_id] = {"caps": held["caps"] + joining, "amount": amount, "state": "committed"}
            self.within(joining)

    @precondition(lambda self: any(loan["state"] == "committed" for loan in self.loans.values()))
    @rule(data=st.data(), share=st.integers(50, 100))
    def disburse(self, data: st.DataObject, share: int) -> None:
        names = sorted(name for name, loan in self.loans.items() if loan["state"] == "committed")
        name = data.draw(st.sampled_from(names))
        loan = self.loans[name]
        loan["amount"] = max(1, loan["amount"] * share // 100)
        loan["state"] = "disbursed"
        self.accept(_lent(name, loan["caps"], loan["amount"]))

    @rule(person=st.sampled_from(PEOPLE), amount=st.integers(1, 300))
    def take_over_a_loan(self, person: str, amount: int) -> None:
        """A fact of somebody else's making: it counts, whatever the limits say."""
        caps = self.book.applies(product="instalment", person=person)
        name = f"l{len(self.events)}"
        self.accept(_lent(name, caps, amount))
        self.loans[name] = {"caps": caps, "amount": amount, "state": "disbursed"}

    @precondition(lambda self: self.loans)
    @rule(data=st.data(), share=st.integers(1, 100))
    def repay(self, data: st.DataObject, share: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.loans)))
        loan = self.loans[name]
        if loan["state"] != "disbursed" or not loan["amount"]:
            return
        principal = max(1, loan["amount"] * share // 100)
        loan["amount"] -= principal
        self.paid.append((name, principal))
        self.accept(_paid(RepaymentReceived, name, principal))
        if not loan["amount"]:
            self.accept(LoanClosed(loan_id=name, closed_on=BEGIN.date(), why="repaid"))

    @precondition(lambda self: self.paid)
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        name, principal = data.draw(st.sampled_from(self.paid))
        self.paid.remove((name, principal))
        if self.loans[name]["state"] == "disbursed":
            self.loans[name]["amount"] += principal
        self.accept(_paid(RepaymentReversed, name, principal))

    @precondition(lambda self: self.loans)
    @rule(data=st.data())
    def write_off(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.loans)))
        loan = self.loans[name]
        if loan["state"] == "disbursed" and loan["amount"]:
            self.accept(
                LoanWrittenOff(
                    loan_id=name,
                    principal_minor=loan["amount"],
                    interest_minor=0,
                    fee_minor=0,
                    currency="CNY",
                    written_off_on=BEGIN.date(),
                )
            )
            loan |= {"amount": 0, "state": "written_off"}

    @rule(days=st.integers(1, 15))
    def close_days(self, days: int) -> None:
        self.now += timedelta(days=days)
        ended = self.book.expired(self.now)
        assert sorted(r.reservation_id for r in ended) == sorted(
            name for name, held in self.held.items() if held["left"] and held["ends"] <= self.now
        )
        for reservation in ended:
            self.accept(self.book.release(reservation.reservation_id, "expired"))
            self.held[reservation.reservation_id]["left"] = 0
        self.accept(DayClosed(day=self.now.date(), zone="UTC"))

    @invariant()
    def the_book_is_the_sum_of_what_uses_it(self) -> None:
        if not hasattr(self, "book"):
            return
        use = self.use()
        for cap in {*use, "product/instalment"}:
            if self.limit(cap) is None and not use[cap]:
                continue
            found = self.book.usage(cap, "CNY")
            assert found.used_minor == use[cap]
            assert found.limit_minor == self.limit(cap)
        for person in PEOPLE:
            assert self.book.exposure(person, "CNY") == use[f"obligor/{person}"]

    @invariant()
    def rebuilt_is_live_and_stored_is_loaded(self) -> None:
        if not hasattr(self, "book"):
            return
        rows = list(self.book.rows())
        again = CapBook()
        for told in self.events:
            again.apply(told)
        assert list(again.rows()) == rows
        wire = msgspec.json.encode(rows)
        assert list(CapBook.load(msgspec.json.decode(wire, type=list[Row])).rows()) == rows


TestCaps = CapMachine.TestCase
TestCaps.settings = settings(max_examples=60, stateful_step_count=40)


def _lent(loan_id: str, caps: tuple[str, ...], amount: int) -> LoanDisbursed:
    return LoanDisbursed(
        loan_id=loan_id,
        application_id="a",
        person_id="p",
        product="instalment",
        amount_minor=amount,
        currency="CNY",
        rate_bp=0,
        term_months=1,
        day_count="30/360",
        disbursed_on=BEGIN.date(),
        schedule=(),
        caps=caps,
    )


def _paid(kind: type, loan_id: str, principal: int) -> Body:
    body: Body = kind(
        loan_id=loan_id,
        amount_minor=principal,
        currency="CNY",
        value_on=BEGIN.date(),
        allocation=Allocation(principal_minor=principal),
    )
    return body


@given(
    seed=st.integers(0, 10**6),
    shares=st.lists(st.integers(1, 5), min_size=30, max_size=64),
    limit=st.integers(1_000, 100_000),
)
def test_however_requests_are_interleaved_a_cap_holds_and_is_used_where_demand_allows(
    seed: int, shares: list[int], limit: int
) -> None:
    """Every client reserves, then commits; the scheduler runs one step of a random client at a time."""
    book, told, dice = CapBook(), 0, random.Random(seed)

    def accept(body: Body) -> None:
        nonlocal told
        book.apply(event(body, told, at=BEGIN))
        told += 1

    accept(book.set_cap("product/instalment", limit, "CNY"))
    todo = [(client, "reserve") for client in range(len(shares))]
    refused = []
    while todo:
        client, step = todo.pop(dice.randrange(len(todo)))
        caps = book.applies(product="instalment", person=f"p{client}")
        amount = limit * shares[client] // 100
        try:
            if step == "reserve":
                ends = BEGIN + timedelta(days=1)
                accept(
                    book.reserve(
                        f"r{client}",
                        application_id="a",
                        caps=caps,
                        amount_minor=amount,
                        currency="CNY",
                        expires_at=ends,
                    )
                )
                todo.append((client, "commit"))
            else:
                accept(
                    book.commit(f"r{client}", loan_id=f"l{client}", caps=caps, amount_minor=amount, at=BEGIN)
                )
        except Conflict:
            refused.append(amount)
        assert book.usage("product/instalment").used_minor <= limit
    final = book.usage("product/instalment")
    assert final.reserved_minor == 0
    if refused:
        assert final.committed_minor + min(refused) > limit, "nothing was refused that would have fitted"
        assert final.committed_minor >= limit * 95 // 100 - 1
