"""What each event does to the caps: one step of the fold per type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from obligor.events import (
    CapSet,
    DayClosed,
    HeadroomCommitted,
    HeadroomReleased,
    HeadroomReserved,
    LoanClosed,
    LoanDisbursed,
    LoanWrittenOff,
    RepaymentReceived,
    RepaymentReversed,
)
from obligor.kernel import Body, InvariantBroken
from obligor.limits.ledger import Ledger
from obligor.limits.rows import Exposure, Limit, Reservation

__all__ = ["STEPS", "Step"]

Step = Callable[[Ledger, Any, datetime], None]


def _set(ledger: Ledger, body: CapSet, _: datetime) -> None:
    ledger.limits[body.cap] = Limit(cap=body.cap, limit_minor=body.limit_minor, currency=body.currency)


def _reserved(ledger: Ledger, body: HeadroomReserved, _: datetime) -> None:
    if body.reservation_id in ledger.reservations:
        raise InvariantBroken(f"reservation {body.reservation_id} was made twice")
    _fits(ledger, body.caps, body.amount_minor, body.currency)
    ledger.hold(
        Reservation(
            reservation_id=body.reservation_id,
            application_id=body.application_id,
            caps=body.caps,
            left_minor=body.amount_minor,
            currency=body.currency,
            expires_at=body.expires_at,
        )
    )


def _committed(ledger: Ledger, body: HeadroomCommitted, _: datetime) -> None:
    """What is over the reservation, or under a cap that joins only now, needs room like a new one."""
    if body.loan_id in ledger.exposures:
        raise InvariantBroken(f"loan {body.loan_id} was committed twice")
    held = ledger.reservations.get(body.reservation_id)
    under = held.caps if held else ()
    taken = min(body.amount_minor, held.left_minor) if held else 0
    _fits(ledger, (cap for cap in body.caps if cap in under), body.amount_minor - taken, body.currency)
    _fits(ledger, (cap for cap in body.caps if cap not in under), body.amount_minor, body.currency)
    ledger.take(body.reservation_id, taken)
    ledger.expose(
        Exposure(
            loan_id=body.loan_id,
            caps=body.caps,
            amount_minor=body.amount_minor,
            currency=body.currency,
            state="committed",
        )
    )


def _released(ledger: Ledger, body: HeadroomReleased, _: datetime) -> None:
    if body.reservation_id not in ledger.reservations:
        raise InvariantBroken(f"there is no reservation {body.reservation_id} to release")
    ledger.take(body.reservation_id, body.amount_minor)


def _disbursed(ledger: Ledger, body: LoanDisbursed, _: datetime) -> None:
    known = ledger.exposures.get(body.loan_id)
    if known is not None and known.state != "committed":
        raise InvariantBroken(f"loan {body.loan_id} was disbursed twice")
    ledger.expose(
        Exposure(
            loan_id=body.loan_id,
            caps=body.caps,
            amount_minor=body.amount_minor,
            currency=body.currency,
            state="disbursed",
        )
    )


def _repaid(ledger: Ledger, body: RepaymentReceived, _: datetime) -> None:
    _change(ledger, body.loan_id, -body.allocation.principal_minor)


def _reversed(ledger: Ledger, body: RepaymentReversed, _: datetime) -> None:
    if _known(ledger, body.loan_id).state == "disbursed":
        _change(ledger, body.loan_id, body.allocation.principal_minor)


def _written_off(ledger: Ledger, body: LoanWrittenOff, _: datetime) -> None:
    ledger.expose(replace(_known(ledger, body.loan_id), amount_minor=0, state="written_off"))


def _closed(ledger: Ledger, body: LoanClosed, _: datetime) -> None:
    known = _known(ledger, body.loan_id)
    if known.amount_minor:
        raise InvariantBroken(f"loan {body.loan_id} was closed with {known.amount_minor} of principal left")


def _day_closed(ledger: Ledger, _: DayClosed, at: datetime) -> None:
    ledger.purge(at)


def _fits(ledger: Ledger, caps: Iterable[str], amount_minor: int, currency: str) -> None:
    if not amount_minor:
        return
    for cap in caps:
        room = ledger.room(cap, currency)
        if room is not None and amount_minor > room:
            raise InvariantBroken(f"{amount_minor} more goes over {cap}, which leaves {max(0, room)}")


def _change(ledger: Ledger, loan_id: str, amount_minor: int) -> None:
    known = _known(ledger, loan_id)
    left = known.amount_minor + amount_minor
    if left < 0:
        raise InvariantBroken(f"loan {loan_id} was repaid {-left} more than its principal")
    ledger.expose(replace(known, amount_minor=left))


def _known(ledger: Ledger, loan_id: str) -> Exposure:
    known = ledger.exposures.get(loan_id)
    if known is None:
        raise InvariantBroken(f"there is no loan {loan_id} under the caps")
    return known


STEPS: Mapping[type[Body], Step] = {
    CapSet: _set,
    HeadroomReserved: _reserved,
    HeadroomCommitted: _committed,
    HeadroomReleased: _released,
    LoanDisbursed: _disbursed,
    RepaymentReceived: _repaid,
    RepaymentReversed: _reversed,
    LoanWrittenOff: _written_off,
    LoanClosed: _closed,
    DayClosed: _day_closed,
}
