"""What is said of a loan's money: where it is, and how it got where it may not be."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from obligor.funds.loan import Loan
from obligor.funds.lots import Trace, route

__all__ = ["Evidence", "Hit", "Hop", "Place", "Position", "Reached", "position"]

K = TypeVar("K")
_HOPS_TOLD, _EVENTS_TOLD = 32, 20


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """Loan money moving once: `amount_minor` of the `moved_minor` was the loan's.

    `source` and `target` are accounts that we see, or the sender's names for ones that we do not; the first
    hop comes from the loan.
    """

    at: datetime
    source: str
    target: str
    amount_minor: int
    moved_minor: int
    transfer_id: str | None
    event_id: str | None
    counterparty_class: str | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why a hit is one, under one rule: `hops` is the way of the largest arrival.

    Of a long way `skipped_hops` are left out after the first. `arrivals` counts what brought loan money.
    """

    rule: Literal["fifo"]
    counterparty: str
    counterparty_class: str
    amount_minor: int
    loan_share_bp: int
    arrivals: int
    skipped_hops: int
    hops: tuple[Hop, ...]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Loan money at a counterparty of a prohibited class: `amount_minor` in all since the disbursement.

    One hit a (loan, class, counterparty): when the amount passes the floor it is `first`, afterwards it is
    told again with each arrival. `event_ids` are the events it rests on, latest last.
    """

    loan_id: str
    person_id: str
    counterparty: str
    counterparty_class: str
    amount_minor: int
    currency: str
    at: datetime
    first: bool
    event_ids: tuple[str, ...]
    evidence: Evidence


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where some of a loan's money is: sunk at a counterparty, held in an account, or exit (out of sight)."""

    kind: Literal["sunk", "held", "exit"]
    name: str
    amount_minor: int
    counterparty_class: str | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A loan's money: disbursed = sunk + held + exit, to the minor unit. Places by kind, largest first.

    Of a closed loan it is the position at the close.
    """

    loan_id: str
    currency: str
    disbursed_minor: int
    sunk_minor: int
    held_minor: int
    exit_minor: int
    places: tuple[Place, ...]


class Reached:
    """What of a loan has reached one prohibited counterparty, and the way of the largest arrival."""

    def __init__(self, outside: tuple[str, str]) -> None:
        self.counterparty, self.name = outside
        self.minor = 0
        self.arrivals = 0
        self.largest: tuple[Trace, ...] = ()
        self.event_ids: tuple[str, ...] = ()
        self.told = False

    def add(self, last: Trace) -> None:
        """Count an arrival by its last step."""
        steps = tuple(route(last))
        self.minor += last.minor
        self.arrivals += 1
        if not self.largest or last.minor > self.largest[-1].minor:
            self.largest = steps
        new = [step.movement.event_id for step in steps]
        kept = [one for one in self.event_ids if one not in new]
        self.event_ids = tuple(one for one in (*kept, *new) if one is not None)[-_EVENTS_TOLD:]

    def hit(self, loan: Loan, at: datetime) -> Hit:
        """The hit as it stands now."""
        steps = self.largest
        told = steps if len(steps) <= _HOPS_TOLD else (steps[0], *steps[1 - _HOPS_TOLD :])
        evidence = Evidence(
            rule="fifo",
            counterparty=self.counterparty,
            counterparty_class=self.name,
            amount_minor=self.minor,
            loan_share_bp=10_000 * self.minor // loan.amount,
            arrivals=self.arrivals,
            skipped_hops=len(steps) - len(told) + steps[-1].skipped,
            hops=tuple(_hop(step, self.name if step is steps[-1] else None) for step in told),
        )
        first, self.told = not self.told, True
        return Hit(
            loan_id=loan.loan_id,
            person_id=loan.person_id,
            counterparty=self.counterparty,
            counterparty_class=self.name,
            amount_minor=self.minor,
            currency=loan.currency,
            at=at,
            first=first,
            event_ids=self.event_ids,
            evidence=evidence,
        )


def _hop(step: Trace, name: str | None) -> Hop:
    movement = step.movement
    return Hop(
        at=movement.at,
        source=step.source,
        target=step.target,
        amount_minor=step.minor,
        moved_minor=movement.minor,
        transfer_id=movement.transfer_id,
        event_id=movement.event_id,
        counterparty_class=name,
    )


def position(loan: Loan) -> Position:
    """Where a loan's money is."""
    places = [
        *(
            Place(kind="sunk", name=n, amount_minor=m, counterparty_class=c)
            for (n, c), m in _by_size(loan.sunk)
        ),
        *(Place(kind="held", name=name, amount_minor=minor) for name, minor in _by_size(loan.held)),
        *(
            Place(kind="exit", name=n, amount_minor=m, counterparty_class=c)
            for (n, c), m in _by_size(loan.exit)
        ),
    ]
    return Position(
        loan_id=loan.loan_id,
        currency=loan.currency,
        disbursed_minor=loan.amount,
        sunk_minor=loan.sunk_minor,
        held_minor=loan.held_minor,
        exit_minor=loan.exit_minor,
        places=tuple(places),
    )


def _by_size(places: dict[K, int]) -> list[tuple[K, int]]:
    return sorted(places.items(), key=lambda item: (-item[1], str(item[0])))
