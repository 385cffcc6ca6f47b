"""A lender as plain as can be, in memory: it grants by bureau band, disburses, counts days, writes off.

The world is measured on the book that it gets; the system that is to be tried has no part in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from datetime import date, timedelta
from itertools import accumulate, count
from typing import Any

import msgspec

from obligor.kernel import add_months
from obligor.world.messages import Answer, Request
from obligor.world.world import World

__all__ = ["Held", "PlainLender", "Snapshot"]

WRITE_OFF_DPD = 180
# From which score on at which yearly rate, in basis points; below the last nothing is lent.
BANDS = ((700, 900), (660, 1150), (620, 1450), (585, 1800))
THIN_RATE_BP = 1500
MOST_INQUIRIES = 8
SERIOUS_DPD = 60


class Held(msgspec.Struct, kw_only=True):
    """A loan on the plain lender's book. Amounts are in minor units."""

    reference: str
    amount_minor: int
    disbursed_on: date
    due_on: list[date]
    cumulative_minor: list[int]
    left_minor: list[int]
    paid_minor: int = 0
    recovered_minor: int = 0
    closed: bool = False
    written_off: bool = False

    def unpaid_line(self) -> int:
        """The first instalment that is not fully paid."""
        return bisect_right(self.cumulative_minor, self.paid_minor)

    def days_past_due(self, today: date) -> int:
        """Days since the oldest unpaid due date."""
        line = self.unpaid_line()
        late = line < len(self.due_on) and self.due_on[line] < today
        return (today - self.due_on[line]).days if late else 0

    def payoff_minor(self, today: date) -> int:
        """Dues and the principal beyond them, without interest since the last due date."""
        lines = bisect_right(self.due_on, today)
        due = self.cumulative_minor[lines - 1] if lines else 0
        return due + (self.left_minor[lines - 1] if lines else self.amount_minor) - self.paid_minor


class Snapshot(msgspec.Struct, frozen=True):
    """The open book at a month's end: each loan's bucket, 0, then 1 to 4 for each 30 days, and unpaid line.

    `written_off` are the loans that left it that day for a loss.
    """

    day: date
    buckets: dict[str, int]
    unpaid: dict[str, int]
    written_off: frozenset[str]


class PlainLender:
    """Plays a world to the end of some months, and remembers what a book remembers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.loans: dict[str, Held] = {}
        self.approved: set[str] = set()
        self.applied: dict[str, tuple[date, str]] = {}
        self.snapshots: list[Snapshot] = []
        self.kinds: Counter[str] = Counter()
        self._asked: dict[str, dict[str, Any]] = {}
        self._payments: dict[str, int] = {}
        self._ids = count(1)

    def play(self, months: int) -> PlainLender:
        """Play so many months on."""
        end = add_months(self.world.next_day, months)
        while (today := self.world.next_day) < end:
            requests = self.world.day(today)
            while requests:
                requests = self.world.react([a for one in requests for a in self._answers(one, today)])
            if (today + timedelta(days=1)).day == 1:
                self._close(today)
        return self

    def _answers(self, request: Request, today: date) -> list[Answer]:
        payload = request.payload
        self.kinds[payload.get("type", request.kind)] += 1
        if request.kind == "application":
            reference = str(payload["reference"])
            self.applied[reference] = (today, payload["product"])
            application_id = f"a{len(self._asked)}"
            self._asked[application_id] = payload
            person = payload["person"]["national_id"]
            said = {"application_id": application_id, "person_id": person, "needs": ["bureau"]}
            return [Answer(request, said)]
        if request.kind == "drawdown":
            return self._lend(request, today)
        if payload["type"] in {"source.answered", "source.failed"}:
            return self._decide(request, payload["body"])
        self._book(payload["type"], payload["body"], payload["source_ref"], today)
        return [Answer(request, {"event_id": request.id})]

    def _decide(self, request: Request, body: dict[str, Any]) -> list[Answer]:
        asked = self._asked[body["application_id"]]
        rate = _rate_bp(body.get("facts") or {})
        name = {"application_id": body["application_id"]}
        if rate is None:
            return [Answer(request, name | {"outcome": "decline"})]
        asked["rate_bp"] = rate
        self.approved.add(str(asked["reference"]))
        terms = {"limit_minor": asked["amount_minor"], "rate_bp": rate, "term_months": asked["term_months"]}
        offer = Request(f"offer-{next(self._ids)}", "event", {"type": "offer.made", "body": name})
        return [Answer(request, name | terms | {"outcome": "approve"}), Answer(offer, {"rate_bp": rate})]

    def _lend(self, request: Request, today: date) -> list[Answer]:
        payload = request.payload
        asked = self._asked[payload["application_id"]]
        loan_id = f"l{len(self.loans)}"
        amount, months = payload["amount_minor"], asked["term_months"]
        lines = _schedule(asked["product"], amount, asked["rate_bp"], months, today)
        paid = accumulate(line["principal_minor"] for line in lines)
        self.loans[loan_id] = Held(
            reference=str(asked["reference"]),
            amount_minor=amount,
            disbursed_on=today,
            due_on=[date.fromisoformat(line["due_on"]) for line in lines],
            cumulative_minor=list(
                accumulate(line["principal_minor"] + line["interest_minor"] for line in lines)
            ),
            left_minor=[amount - principal for principal in paid],
        )
        entrusted = payload.get("payee") is not None and payload["amount_minor"] > 3_000_000
        body = {"loan_id": loan_id, "account_id": None if entrusted else payload.get("account_id")}
        mode = "entrusted" if entrusted else "self"
        released = {"outcome": "release", "loan_id": loan_id, "payment_mode": mode}
        mine = Request(f"loan-{loan_id}", "event", {"type": "loan.disbursed", "body": body})
        return [Answer(request, released), Answer(mine, {"loan_id": loan_id, "schedule": lines})]

    def _book(self, kind: str, body: dict[str, Any], reference: str, today: date) -> None:
        if kind == "repayment.received":
            loan = self.loans[body["loan_id"]]
            loan.closed = body["amount_minor"] >= loan.payoff_minor(today)
            loan.paid_minor += body["amount_minor"]
            self._payments[reference] = body["amount_minor"]
        elif kind == "repayment.reversed":
            self.loans[body["loan_id"]].paid_minor -= self._payments[body["source_ref"]]
        elif kind == "recovery.received":
            self.loans[body["loan_id"]].recovered_minor += body["amount_minor"]

    def _close(self, today: date) -> None:
        buckets, unpaid, lost = {}, {}, set()
        for loan_id, loan in self.loans.items():
            if loan.closed or loan.written_off:
                continue
            late = loan.days_past_due(today)
            if late >= WRITE_OFF_DPD:
                loan.written_off = True
                lost.add(loan_id)
                self.world.notice("loan.written_off", {"loan_id": loan_id})
                continue
            buckets[loan_id] = 0 if late == 0 else min(4, 1 + (late - 1) // 30)
            unpaid[loan_id] = loan.unpaid_line()
        self.snapshots.append(Snapshot(today, buckets, unpaid, frozenset(lost)))


def _rate_bp(facts: dict[str, Any]) -> int | None:
    """The price of a bureau's answer; None declines."""
    if (
        not facts
        or facts["bureau_inquiries_6m"] > MOST_INQUIRIES
        or facts["bureau_worst_dpd_24m"] >= SERIOUS_DPD
    ):
        return None
    score = facts["bureau_score"]
    if score is None:
        return THIN_RATE_BP
    return next((rate for least, rate in BANDS if score >= least), None)


def _schedule(product: str, amount: int, rate_bp: int, months: int, start: date) -> list[dict[str, Any]]:
    """Equal instalments, or interest each month and the principal at the end."""
    rate = rate_bp / 120_000
    level = round(amount * rate / (1 - (1 + rate) ** -months))
    if product == "bullet":
        level = round(amount * rate)
    left, lines = amount, []
    for number in range(1, months + 1):
        interest = round(left * rate)
        principal = left if number == months else level - interest
        left -= principal
        due_on = add_months(start, number).isoformat()
        lines.append({"due_on": due_on, "principal_minor": principal, "interest_minor": interest})
    return lines
