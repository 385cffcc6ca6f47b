"""Which events say something about a person's history, and what: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from obligor.events import (
    ApplicationReceived,
    ClassChanged,
    DeviceSeen,
    FeeCharged,
    FieldClass,
    LoanClosed,
    LoanDisbursed,
    RepaymentReceived,
    TransferPosted,
)
from obligor.features.measure import DIRECTIONS

__all__ = ["END", "KINDS", "LARGEST_AMOUNT", "ROW", "Entry", "Gives", "Rows", "gives"]

# One row of a packed history, 56 bytes. A row is in view for whoever knows the journal up to `known_upto`
# when known_seq < known_upto <= until_seq. Texts are codes of the history, 0 for none.
ROW = np.dtype(
    [
        ("at_us", np.int64),
        ("known_seq", np.int64),
        ("until_seq", np.int64),
        ("amount_minor", np.int64),
        ("event", np.uint64),
        ("category", np.int32),
        ("party", np.int32),
        ("currency", np.int32),
        ("kind", np.uint8),
        ("direction", np.uint8),
    ],
    align=True,
)
Rows = NDArray[np.void]
KINDS: Mapping[str, int] = {
    "repayment": 1,
    "transfer": 2,
    "application": 3,
    "device": 4,
    "loan": 5,
    "due": 6,
    "fee": 7,
    "class": 8,
}
# What gives no row of its own: from here on the instalments of the loan `party` are not due any more.
END = "end"
LARGEST_AMOUNT = 10**15


class Entry(NamedTuple):
    """What an event says, before its texts are turned into codes.

    `amount_minor` holds the days past due of a class. `on` is the day of what lies ahead: it counts from the
    beginning of that day in UTC, other entries from the moment of their event.
    """

    amount_minor: int = 0
    currency: str | None = None
    direction: int = 0
    category: str | None = None
    party: str | None = None
    on: date | None = None


class Gives(NamedTuple):
    """A kind of row, the class of fields it is read from, and how: nothing where there is nothing to say.

    The reader's second argument is true for a person who is concerned but is not the one the event is
    about: the receiver of a transfer.
    """

    kind: str
    needs: FieldClass
    read: Callable[[Any, bool], Sequence[Entry]]


def _repayment(body: RepaymentReceived, other: bool) -> Sequence[Entry]:
    return () if other else (Entry(body.amount_minor, body.currency, party=body.loan_id),)


def _transfer(body: TransferPosted, other: bool) -> Sequence[Entry]:
    if body.direction is None or body.direction not in DIRECTIONS:
        return ()
    direction = DIRECTIONS[body.direction]
    if other:
        # Posted once, by the payer's account: for the receiver it comes in, from an account without a label.
        return (Entry(body.amount_minor, body.currency, 3 - direction, None, body.account_id),)
    return (Entry(body.amount_minor, body.currency, direction, body.counterparty_class, body.counterparty),)


def _application(body: ApplicationReceived, other: bool) -> Sequence[Entry]:
    return () if other else (Entry(body.amount_minor, body.currency, 0, body.product, body.channel),)


def _device_of_application(body: ApplicationReceived, other: bool) -> Sequence[Entry]:
    return () if other or body.device_id is None else (Entry(party=body.device_id),)


def _device(body: DeviceSeen, other: bool) -> Sequence[Entry]:
    if other or body.device_id is None:
        return ()
    return (Entry(category=body.platform, party=body.device_id),)


def _loan(body: LoanDisbursed, other: bool) -> Sequence[Entry]:
    return () if other else (Entry(body.amount_minor, body.currency, 0, body.product, body.loan_id),)


def _due(body: LoanDisbursed, other: bool) -> Sequence[Entry]:
    if other:
        return ()
    return [
        Entry(line.principal_minor + line.interest_minor, body.currency, party=body.loan_id, on=line.due_on)
        for line in body.schedule
    ]


def _end(body: LoanClosed, other: bool) -> Sequence[Entry]:
    return () if other else (Entry(party=body.loan_id),)


def _fee(body: FeeCharged, other: bool) -> Sequence[Entry]:
    return () if other else (Entry(body.amount_minor, body.currency, 0, body.kind, body.loan_id),)


def _class(body: ClassChanged, other: bool) -> Sequence[Entry]:
    return () if other else (Entry(body.days_past_due, None, 0, body.five_tier, body.loan_id),)


_GIVES: Mapping[str, tuple[Gives, ...]] = {
    RepaymentReceived.TYPE: (Gives("repayment", FieldClass.MONEY, _repayment),),
    TransferPosted.TYPE: (Gives("transfer", FieldClass.CONDUCT, _transfer),),
    ApplicationReceived.TYPE: (
        Gives("application", FieldClass.MONEY, _application),
        Gives("device", FieldClass.CONDUCT, _device_of_application),
    ),
    DeviceSeen.TYPE: (Gives("device", FieldClass.CONDUCT, _device),),
    LoanDisbursed.TYPE: (Gives("loan", FieldClass.MONEY, _loan), Gives("due", FieldClass.MONEY, _due)),
    LoanClosed.TYPE: (Gives(END, FieldClass.MONEY, _end),),
    FeeCharged.TYPE: (Gives("fee", FieldClass.MONEY, _fee),),
    ClassChanged.TYPE: (Gives("class", FieldClass.MONEY, _class),),
}
# RepaymentReversed and TransferReversed give no row: like every correction they close, through the
# envelope's `replaces`, the rows of the event they take back.


def gives(event_type: str) -> tuple[Gives, ...]:
    """The rows that events of a type give; none for most types."""
    return _GIVES.get(event_type, ())
