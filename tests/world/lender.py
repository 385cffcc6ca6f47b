"""A lender as small as can be: it grants what a rule says, disburses, counts days, and writes off at 120."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, count
from typing import Any

from obligor.kernel import add_months
from obligor.world import Answer, Request, World

Grants = Callable[[dict[str, Any]], bool]


@dataclass
class Loan:
    application: str
    person: str
    amount: int
    disbursed_on: date
    due_on: list[date]
    cumulative: list[int]
    left: list[int]
    year_on: date
    paid: int = 0
    worst: int = 0
    worst_12m: int = 0
    written_off: bool = False
    closed_on: date | None = None
    recovered: int = 0

    def payoff(self, today: date) -> int:
        """Dues and the principal beyond them, without interest since the last due date."""
        lines = bisect_right(self.due_on, today)
        due = self.cumulative[lines - 1] if lines else 0
        left = self.left[lines - 1] if lines else self.amount
        return due + left - self.paid

    def dpd(self, today: date) -> int:
        line = bisect_right(self.cumulative, self.paid)
        if line >= len(self.due_on) or self.due_on[line] >= today:
            return 0
        return (today - self.due_on[line]).days


class Lender:
    """Plays a world to its end in memory. `grants` decides; `rate_bp` is everybody's rate."""

    def __init__(
        self,
        world: World,
        grants: Grants = lambda application: True,
        rate_bp: int = 1400,
        *,
        keep: bool = True,
    ) -> None:
        self.keep = keep
        self.offer_share = 1.0
        self.count = 0
        self.world = world
        self.grants = grants
        self.rate_bp = rate_bp
        self.ids = count(1)
        self.persons: dict[str, str] = {}
        self.applications: dict[str, dict[str, Any]] = {}
        self.loans: dict[str, Loan] = {}
        self.due: dict[date, set[str]] = defaultdict(set)
        self.requests: list[Request] = []
        self.payments: dict[str, int] = {}
        self.purchases: dict[str, int] = {}
        self.balances: dict[str, int] = {}
        self.released: dict[str, tuple[str, int, str | None]] = {}
        self.per_day: list[tuple[int, int]] = []
        self.stock: list[dict[str, Any]] = []

    def play(self, days: int) -> "Lender":
        for _ in range(days):
            today = self.world.next_day
            before, applications = self.count, len(self.applications)
            batch = self.world.day(today)
            while batch:
                batch = self.world.react(
                    [answer for request in batch for answer in self.post(request, today)]
                )
            self.per_day.append((len(self.applications) - applications, self.count - before))
            self._close(today)
        return self

    def post(self, request: Request, today: date) -> list[Answer]:
        """Answer a request, and add the lender's own steps that follow from it."""
        self.count += 1
        if self.keep:
            self.requests.append(request)
        p = request.payload
        if request.kind == "application":
            return [Answer(request, self._apply(p))]
        if request.kind == "drawdown":
            return self._draw(request, today)
        body = p["body"]
        response: dict[str, Any] = {"event_id": request.id, "known_seq": self.count}
        if p["type"] in {"source.answered", "source.failed"}:
            application = self.applications[body["application_id"]]
            if p["type"] == "source.answered":
                application["bureau"] = body["facts"]
            good = self.grants(application)
            response |= {
                "application_id": body["application_id"],
                "status": "decided",
                "outcome": "approve" if good else "decline",
                "limit_minor": application["amount_minor"] if good else None,
                "rate_bp": self.rate_bp if good else None,
                "term_months": application["term_months"] if good else None,
            }
            answers = [Answer(request, response)]
            if good:
                offer = {
                    "type": "offer.made",
                    "at": p["at"],
                    "body": {"application_id": body["application_id"]},
                }
                mine = Request(f"lender-{next(self.ids)}", "event", offer)
                amount = int(application["amount_minor"] * self.offer_share)
                terms = {"amount_minor": amount, "rate_bp": self.rate_bp}
                answers.append(Answer(mine, terms))
            return answers
        self._book(p["type"], body, p["source_ref"])
        return [Answer(request, response)]

    def _apply(self, p: dict[str, Any]) -> dict[str, Any]:
        identity = p["person"]["national_id"]
        person = self.persons.setdefault(identity, f"person-{len(self.persons) + 1}")
        application = f"application-{len(self.applications) + 1}"
        self.applications[application] = {**p, "person_id": person}
        return {
            "application_id": application,
            "person_id": person,
            "status": "needs",
            "needs": ["bureau"],
        }

    def _draw(self, request: Request, today: date) -> list[Answer]:
        p = request.payload
        loan_id = f"loan-{len(self.loans) + 1}"
        application = self.applications[p["application_id"]]
        released = {
            "drawdown_id": request.id,
            "outcome": "release",
            "payment_mode": "self",
            "loan_id": loan_id,
        }
        lines = schedule(
            application["product"], p["amount_minor"], self.rate_bp, application["term_months"], today
        )
        cumulative = list(accumulate(line["principal_minor"] + line["interest_minor"] for line in lines))
        left = [p["amount_minor"] - paid for paid in accumulate(line["principal_minor"] for line in lines)]
        due_on = [date.fromisoformat(line["due_on"]) for line in lines]
        self.loans[loan_id] = Loan(
            p["application_id"],
            application["person_id"],
            p["amount_minor"],
            today,
            due_on,
            cumulative,
            left,
            add_months(today, 12),
        )
        account = p.get("account_id")
        if account:
            self.balances[account] += p["amount_minor"]
        body = {"loan_id": loan_id, "account_id": account}
        mine = Request(f"lender-{next(self.ids)}", "event", {"type": "loan.disbursed", "body": body})
        return [Answer(request, released), Answer(mine, {"loan_id": loan_id, "schedule": lines})]

    def _book(self, kind: str, body: dict[str, Any], source_ref: str) -> None:
        if kind == "repayment.received":
            loan = self.loans[body["loan_id"]]
            assert not loan.written_off
            assert loan.closed_on is None
            on = date.fromisoformat(body["value_on"])
            if body["amount_minor"] >= loan.payoff(on):
                loan.closed_on = on
            loan.paid += body["amount_minor"]
            self.payments[source_ref] = body["amount_minor"]
        elif kind == "repayment.reversed":
            self.loans[body["loan_id"]].paid -= self.payments[body["source_ref"]]
        elif kind == "recovery.received":
            assert self.loans[body["loan_id"]].written_off
            self.loans[body["loan_id"]].recovered += body["amount_minor"]
        elif kind == "account.opened":
            assert body["account_id"] not in self.balances
            self.balances[body["account_id"]] = body["opening_minor"]
        elif kind == "transfer.posted":
            sign = 1 if body["direction"] == "in" else -1
            self.balances[body["account_id"]] += sign * body["amount_minor"]
            assert self.balances[body["account_id"]] >= 0, body
            if sign < 0 and body["counterparty"] in self.balances:
                self.balances[body["counterparty"]] += body["amount_minor"]
            self.purchases[body["transfer_id"]] = body["amount_minor"]
        elif kind == "transfer.reversed":
            self.balances[body["account_id"]] += self.purchases.pop(body["transfer_id"])

    def _close(self, today: date) -> None:
        buckets = [0, 0, 0, 0, 0]
        for loan_id, loan in self.loans.items():
            if loan.closed_on or loan.written_off:
                continue
            dpd = loan.dpd(today)
            loan.worst = max(loan.worst, dpd)
            if today <= loan.year_on:
                loan.worst_12m = max(loan.worst_12m, dpd)
            buckets[0 if dpd == 0 else min(4, 1 + (dpd - 1) // 30)] += 1
            if dpd > 120:
                loan.written_off = True
                self.world.notice("loan.written_off", {"loan_id": loan_id})
        if (today + timedelta(days=1)).day == 1:
            states = {
                key: 0 if (d := loan.dpd(today)) == 0 else min(4, 1 + (d - 1) // 30)
                for key, loan in self.loans.items()
                if not loan.closed_on and not loan.written_off
            }
            self.stock.append({"day": today, "buckets": buckets, "states": states})


def schedule(product: str, amount: int, rate_bp: int, months: int, start: date) -> list[dict[str, Any]]:
    """Annuity, or interest each month and principal at the end, as a lender answers it."""
    rate = rate_bp / 120_000
    level = round(amount * rate / (1 - (1 + rate) ** -months))
    if product == "bullet":
        level = round(amount * rate)
    left, lines = amount, []
    for number in range(1, months + 1):
        interest = round(left * rate)
        principal = left if number == months else level - interest
        left -= principal
        lines.append(
            {
                "number": number,
                "due_on": add_months(start, number).isoformat(),
                "principal_minor": principal,
                "interest_minor": interest,
            }
        )
    return lines
