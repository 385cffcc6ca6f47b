"""What is answered to a write: the place of its first event in the journal, and what came of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from obligor.app.views.common import Reason, View

__all__ = ["Applied", "Drawn", "Taken"]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an event; most types add to it, such as a disbursement its `schedule`.

    `duplicate` is true where the event was known by its source and reference: then these are its first place.
    """

    event_id: str
    known_seq: int
    duplicate: bool = False


class Applied(View, frozen=True, kw_only=True):
    """The answer to an application: decided, or `needs` the sources that the strategy asks for.

    Amounts are in minor units, `rate_bp` in basis points a year, `pd_ppm` in parts per million. `case_id` is
    the case that a referral opened.
    """

    event_id: str
    known_seq: int
    application_id: str
    person_id: str
    status: Literal["decided", "needs"]
    needs: tuple[str, ...] = ()
    decision_id: str | None = None
    decision_event_id: str | None = None
    outcome: str | None = None
    limit_minor: int | None = None
    rate_bp: int | None = None
    term_months: int | None = None
    score: int | None = None
    pd_ppm: int | None = None
    reasons: tuple[Reason, ...] = ()
    case_id: str | None = None


class Drawn(View, frozen=True, kw_only=True):
    """The answer to a request for money: with the outcome `release` it has a `loan_id`, to be paid out."""

    event_id: str
    known_seq: int
    drawdown_id: str
    decision_id: str
    decision_event_id: str
    outcome: str
    payment_mode: str | None
    loan_id: str | None
    reasons: tuple[Reason, ...]
