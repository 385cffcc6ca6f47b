"""What changes in a world: people's standing, applications, debts, balances, and the diary.

Everything here is plain data, so that a world can be written down and taken up again.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

import msgspec

__all__ = [
    "FOR_EVER",
    "REFERENCE",
    "Bounce",
    "Debt",
    "Folk",
    "Leg",
    "Pay",
    "Petition",
    "Recover",
    "Redraw",
    "RingApplies",
    "State",
    "Step",
    "TakeBack",
    "TakeUp",
    "Tale",
    "Task",
    "Trail",
]


# How an application's reference begins; its number follows.
REFERENCE = "sim-application-"

# Accounts are reported while there is a loan, and for a while after an application or the last loan.
FOR_EVER = 10_000_000


class Folk(msgspec.Struct):
    """A person's dealings with the lender so far. Days are proleptic ordinals."""

    person_id: str | None = None
    applications: int = 0
    pending: int | None = None
    loans: list[str] = []
    accounts: list[str] = []
    devices: int = 0
    watched_until: int = 0
    quiet_until: int = 0
    outside: int = 0
    outside_due_minor: int = 0
    worst_dpd: int = 0
    income_factor: float = 1.0
    written_off: bool = False


class Petition(msgspec.Struct, kw_only=True):
    """One application through its life. `turn` counts the person's own, from 0.

    `outcome` is the lender's, None while it is open. `fate` says how it ended for the person: `lent`,
    `declined`, `went_elsewhere`, `draw_refused`, `refused`, `lapsed`, or `open`. `relief` is what the loan's
    index falls by, for it was granted smaller than asked. `entrusted` money went straight to a payee.
    """

    number: int
    person: int
    turn: int
    day: int
    seconds: int
    product: str
    purpose: str
    amount_minor: int
    asked_months: int
    index: float
    outside_bp: int
    patience: float
    haste: float
    bureau: dict[str, int | bool | str | None]
    application_id: str | None = None
    outcome: str | None = None
    limit_minor: int | None = None
    rate_bp: int | None = None
    term_months: int | None = None
    offered_minor: int | None = None
    answered: list[str] = []
    draws: int = 0
    named_payee: bool = False
    taken: bool = False
    fate: str = "open"
    drawn_minor: int = 0
    loan_id: str | None = None
    loans: int = 0
    relief: float = 0.0
    entrusted: bool = False


class Debt(msgspec.Struct, kw_only=True):
    """A loan as its borrower sees it: what falls due when, and what was paid.

    `cumulative_minor[i]` is the sum of dues up to line i, `left_minor[i]` the principal that remains
    after it. `draw` counts the loans of one application, from 0: a line has several.
    """

    loan_id: str
    person: int
    petition: int
    account: str | None
    disbursed_on: int
    due_on: list[int]
    cumulative_minor: list[int]
    left_minor: list[int]
    principal_minor: int
    draw: int = 0
    paid_minor: int = 0
    fees_minor: int = 0
    step: int = 0
    status: Literal["open", "repaid", "written_off"] = "open"
    first_missed_on: int | None = None
    claim_minor: int = 0

    @property
    def bullet(self) -> bool:
        """Whether nearly all principal falls due on the last of several days."""
        return len(self.due_on) > 1 and self.left_minor[-2] > 0.9 * self.principal_minor

    def owed(self, today: int) -> int:
        """What is due and unpaid on a day, fees included."""
        lines = bisect_right(self.due_on, today)
        due = self.cumulative_minor[lines - 1] if lines else 0
        return max(0, due + self.fees_minor - self.paid_minor)

    def oldest(self, today: int) -> int | None:
        """The day of the oldest instalment that is due and not fully paid."""
        line = self._unpaid_line()
        return self.due_on[line] if line < bisect_right(self.due_on, today) else None

    def behind(self, today: int) -> int:
        """How many instalments are due and not fully paid."""
        return max(0, bisect_right(self.due_on, today) - self._unpaid_line())

    def oldest_minor(self) -> int:
        """What the oldest unpaid instalment still needs."""
        line = min(self._unpaid_line(), len(self.due_on) - 1)
        return max(0, self.cumulative_minor[line] - self._applied_minor())

    def principal_left(self) -> int:
        """The principal that payments so far have not reached, instalment by instalment."""
        if self.status != "open":
            return 0
        line = self._unpaid_line()
        return self.left_minor[line - 1] if line else self.principal_minor

    def payoff(self, today: int) -> int:
        """What ends the loan on a day: dues, interest since the last one to the day, and all principal."""
        lines = bisect_right(self.due_on, today)
        due = self.cumulative_minor[lines - 1] if lines else 0
        left = self.left_minor[lines - 1] if lines else self.principal_minor
        interest = 0
        if lines < len(self.due_on):
            since = self.due_on[lines - 1] if lines else self.disbursed_on
            line = self.cumulative_minor[lines] - due - (left - self.left_minor[lines])
            interest = -(-line * (today - since) // max(1, self.due_on[lines] - since))
        return max(0, due + left + interest + self.fees_minor - self.paid_minor)

    def _unpaid_line(self) -> int:
        return bisect_right(self.cumulative_minor, self._applied_minor())

    def _applied_minor(self) -> int:
        return max(0, self.paid_minor - self.fees_minor)


Tale = Literal["misuse", "ring", "shuttle", "investor"]


class Trail(msgspec.Struct, kw_only=True):
    """Ground truth of what was done with one loan's money, when that is worth telling.

    `planned_hops` counts transfers from the loan's account to the sink; `unseen` says that the chain
    leaves the lender's sight before it, and `first_seen` whether the money came into an account that the
    lender sees at all. `visible_minor` is what reached a labelled prohibited sink in plain sight.
    """

    loan_id: str
    person: int
    kind: Tale
    planned_hops: int
    sink: str | None = None
    label: str | None = None
    unseen: bool = False
    first_seen: bool = True
    drawn_minor: int = 0
    moved_minor: int = 0
    reached_minor: int = 0
    visible_minor: int = 0
    last_on: int | None = None


class Step(msgspec.Struct, frozen=True, tag=True):
    """A borrower decides about the next due date of a loan."""

    loan_id: str
    seconds: int


class Pay(msgspec.Struct, frozen=True, tag=True):
    """A borrower pays: everything owed, the oldest instalment, half of what is owed, or the loan off."""

    loan_id: str
    seconds: int
    mode: Literal["all", "one", "half", "off"]
    draw: float = 0.5


class Bounce(msgspec.Struct, frozen=True, tag=True):
    """A payment turns out not to have come."""

    loan_id: str
    seconds: int
    request_id: str
    amount_minor: int


class Recover(msgspec.Struct, frozen=True, tag=True):
    """Something comes in on a claim that was written off."""

    loan_id: str
    seconds: int
    amount_minor: int
    cost_minor: int


class Leg(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A planned transfer out of a seen account, to a place outside or another seen account.

    `trail` is the truth it belongs to; the `first` leg leaves the loan's account, a `sink` leg reaches
    the end. `then` follows `wait_days` later, moving what this one moved.
    """

    person: int
    seconds: int
    source: str
    target: str
    label: str | None
    amount_minor: int
    memo: str | None = None
    trail: int | None = None
    first: bool = False
    sink: bool = False
    then: Leg | None = None
    wait_days: int = 0


class TakeUp(msgspec.Struct, frozen=True, tag=True):
    """A person comes back to an offer that they slept on."""

    petition: int
    seconds: int


class Redraw(msgspec.Struct, frozen=True, tag=True):
    """A person draws on their line again: a share of what is free, all of it when trouble is near."""

    petition: int
    seconds: int
    share: float


class TakeBack(msgspec.Struct, frozen=True, tag=True):
    """A purchase is taken back, and the money returns to the account that paid."""

    account: str
    transfer_id: str
    seconds: int
    amount_minor: int


class RingApplies(msgspec.Struct, frozen=True, tag=True):
    """A member of a ring applies on the day that the ring agreed on."""

    person: int
    seconds: int


Task = Step | Pay | Bounce | Recover | Leg | TakeUp | Redraw | TakeBack | RingApplies


class State(msgspec.Struct, kw_only=True):
    """All that changes. `today` is the next day to be played, as an ordinal; `sent` counts requests."""

    today: int
    folks: list[Folk]
    sent: int = 0
    petitions: list[Petition] = []
    by_application: dict[str, int] = {}
    by_loan: dict[str, int] = {}
    debts: dict[str, Debt] = {}
    balances: dict[str, int] = {}
    diary: dict[int, list[Task]] = {}
    trails: list[Trail] = []
    refused: dict[str, int] = {}
    reacting: dict[str, int] = {}
