"""Caps, drawdowns and loans as dictionaries and sums over the events, without the rooms' own folds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from obligor import events as e
from obligor.kernel import Event
from tests.simulation.final import Final
from tests.simulation.ground import TENANT
from tests.simulation.violation import expect

__all__ = ["Caps", "check_money"]


@dataclass
class Caps:
    """What is set aside and lent under every cap, and the limits."""

    limits: dict[str, int] = field(default_factory=dict)
    held: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)  # by reservation: caps, left
    lent: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)  # by loan: caps, amount
    written_off: set[str] = field(default_factory=set)
    use: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def limit(self, cap: str) -> int | None:
        return self.limits.get(cap, self.limits.get(cap.partition("/")[0] + "/*"))

    def apply(self, event: Event) -> None:
        """Follow an event, and see that it fits."""
        body = event.body
        before = {cap: self.use[cap] for cap in getattr(body, "caps", ())}
        match body:
            case e.CapSet():
                self.limits[body.cap] = body.limit_minor
            case e.HeadroomReserved():
                expect(body.reservation_id not in self.held, "a reservation was made twice")
                self._hold(body.reservation_id, body.caps, body.amount_minor)
                self._fits(event, before)
            case e.HeadroomCommitted():
                caps, left = self.held[body.reservation_id]
                expect(body.amount_minor <= left, f"more was committed than was set aside: {event.known_seq}")
                expect(body.loan_id not in self.lent, f"loan {body.loan_id} was committed twice")
                self._hold(body.reservation_id, caps, left - body.amount_minor)
                self._lend(body.loan_id, body.caps, body.amount_minor)
                self._fits(event, before)
            case e.HeadroomReleased():
                caps, left = self.held[body.reservation_id]
                expect(body.amount_minor <= left, f"more was released than was set aside: {event.known_seq}")
                self._hold(body.reservation_id, caps, left - body.amount_minor)
            case e.LoanDisbursed():
                same = self.lent.get(body.loan_id) == (body.caps, body.amount_minor)
                expect(same, f"loan {body.loan_id} is not what was committed")
            case e.RepaymentReceived():
                self._change(body.loan_id, -body.allocation.principal_minor)
            case e.RepaymentReversed() if body.loan_id not in self.written_off:
                self._change(body.loan_id, body.allocation.principal_minor)
            case e.LoanWrittenOff():
                self.written_off.add(body.loan_id)
                self._lend(body.loan_id, self.lent[body.loan_id][0], 0)
            case _:
                pass

    def _hold(self, name: str, caps: tuple[str, ...], left: int) -> None:
        self._replace(self.held, name, caps, left)

    def _lend(self, name: str, caps: tuple[str, ...], amount: int) -> None:
        self._replace(self.lent, name, caps, amount)

    def _change(self, loan: str, by: int) -> None:
        caps, amount = self.lent[loan]
        expect(amount + by >= 0, f"more was repaid on {loan} than was lent")
        self._lend(loan, caps, amount + by)

    def _replace(self, where: dict[str, Any], name: str, caps: tuple[str, ...], amount: int) -> None:
        before, was = where.get(name, ((), 0))
        for cap in before:
            self.use[cap] -= was
        for cap in caps:
            self.use[cap] += amount
        where[name] = (caps, amount)

    def _fits(self, event: Event, before: dict[str, int]) -> None:
        """Where more is in use than before, it is within the limit: that may have been lowered below."""
        for cap, was in before.items():
            limit, use = self.limit(cap), self.use[cap]
            expect(limit is None or use <= max(limit, was), f"{cap} is exceeded at {event.known_seq}")

    def sums(self, cap: str) -> tuple[int, int]:
        """What is set aside and what is lent under a cap, added up from nothing."""
        return tuple(  # type: ignore[return-value]
            sum(amount for caps, amount in found.values() if cap in caps) for found in (self.held, self.lent)
        )


def check_money(final: Final) -> None:
    """No cap exceeded at any place, no line overdrawn, one loan for a drawdown, and the rows say the same."""
    caps = Caps()
    for event in final.events:
        caps.apply(event)
    rows = {row["cap"]: row for row in final.rows("SELECT * FROM p_cap WHERE tenant = ?", TENANT)}
    for cap in {*caps.use, *rows}:
        reserved, committed = caps.sums(cap)
        expect(caps.use[cap] == reserved + committed, f"the use of {cap} is not the sum of what uses it")
        row = rows.get(cap, {"reserved_minor": 0, "committed_minor": 0})
        found = (row["reserved_minor"], row["committed_minor"])
        expect(found == (reserved, committed), f"{cap} shows {found} and has {(reserved, committed)}")
    _check_lines(final)
    _check_loans(final, caps)


def _check_lines(final: Final) -> None:
    """What was released of a line is never more than what stood approved."""
    approved: dict[str, int] = {}
    drawn: dict[str, int] = defaultdict(int)
    loans: set[str] = set()
    for event in final.of(e.ApplicationDecided, e.ApplicationOverridden, e.DrawdownDecided):
        body = event.body
        if not isinstance(body, e.DrawdownDecided):
            approved[body.application_id] = (body.limit_minor or 0) if body.outcome == "approve" else 0
        elif body.outcome == "release":
            drawn[body.application_id] += body.amount_minor
            within = drawn[body.application_id] <= approved[body.application_id]
            expect(within, f"{body.application_id} is overdrawn at {event.known_seq}")
            expect(body.loan_id is not None and body.loan_id not in loans, "two drawdowns have one loan")
            loans.add(body.loan_id)
    for event in final.of(e.LoanDisbursed):
        expect(event.body.loan_id in loans, f"{event.body.loan_id} was paid out and not released")
        loans.remove(event.body.loan_id)


def _check_loans(final: Final, caps: Caps) -> None:
    """A loan's balance is what was paid out less what was paid back, in the book as in the events."""
    left: dict[str, int] = {}
    ended: set[str] = set()
    for event in final.events:
        body = event.body
        match body:
            case e.LoanDisbursed():
                left[body.loan_id] = body.amount_minor
                expect(sum(line.principal_minor for line in body.schedule) == body.amount_minor, "a schedule")
            case e.RepaymentReceived():
                parts = body.allocation
                whole = parts.fee_minor + parts.interest_minor + parts.principal_minor + parts.excess_minor
                expect(whole == body.amount_minor, f"the payment at {event.known_seq} went nowhere in part")
                left[body.loan_id] -= parts.principal_minor
            case e.RepaymentReversed() if body.loan_id not in caps.written_off:
                left[body.loan_id] += body.allocation.principal_minor
                ended.discard(body.loan_id)
            case e.LoanWrittenOff() | e.LoanClosed():
                ended.add(body.loan_id)
            case _:
                pass
    rows = final.rows("SELECT loan_id, principal_minor, status FROM p_loan WHERE tenant = ?", TENANT)
    expect({row["loan_id"] for row in rows} == set(left), "the book has other loans than were paid out")
    for row in rows:
        loan = row["loan_id"]
        balance, shown = 0 if loan in ended else left[loan], row["principal_minor"]
        expect(shown == balance, f"loan {loan} shows {shown}, not {balance}")
        expect((row["status"] == "open") == (loan not in ended), f"loan {loan} shows {row['status']}")
