"""The cap book of a tenant: what every event does to the caps, and what may still be done under them.

What counts, and when: a decision *reserves* room in the same commit (`headroom.reserved`); a released
drawdown *commits* it (`headroom.committed`): from then on the loan's amount counts, under the reservation's
caps and any that join with the drawdown, such as the partner's. `loan.disbursed` adds nothing for a loan
that was committed: it sets the loan's exposure to what was disbursed, under the caps it names. A loan that
comes without a commitment, such as one of a book taken over, counts from its disbursement. Repaid principal
frees room, a reversal takes it back, a write-off frees the rest: a written-off claim is no exposure.

Nothing that is reserved or committed takes a cap above its limit. What happens to a loan is a fact and may: a
reversal, a book taken over, or a limit that is lowered. Then there is no room until it fits again.

Use is kept for every dimension a loan names, limited or not, so that a cap set later knows what is in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Self

from obligor.events import CapSet, HeadroomCommitted, HeadroomReleased, HeadroomReserved
from obligor.kernel import Conflict, Event, InvalidInput, NotFound, Violation
from obligor.kernel import currency as known_currency
from obligor.limits.dimension import cap_name, checked
from obligor.limits.ledger import Ledger
from obligor.limits.rows import Exposure, Headroom, Reservation, Row, Usage
from obligor.limits.steps import STEPS

__all__ = ["CapBook"]


class CapBook:
    """Limits and their use, in memory, owned by the one writer of a tenant's journal.

    `apply` follows accepted events and is the only method that changes it. The methods that return an event's
    body check that the event may happen now and change nothing; the body takes effect when its event is
    applied, so a command that proposes several must count what the earlier ones will use. `TYPES` are the
    types of events that change it.
    """

    TYPES: ClassVar[frozenset[str]] = frozenset(body.TYPE for body in STEPS)

    def __init__(self) -> None:
        self._ledger = Ledger()

    @classmethod
    def load(cls, rows: Iterable[Row]) -> Self:
        """A book from stored rows; stored `Usage` is checked against what uses it.

        Raises:
            InvariantBroken: it differs.
        """
        book = cls()
        book._ledger.put(rows)
        return book

    def rows(self) -> Iterator[Row]:
        """All of the book as rows, in a stable order."""
        return self._ledger.rows()

    def apply(self, event: Event) -> None:
        """Follow an accepted event; other types than those of limits and loans change nothing.

        Raises:
            InvariantBroken: it would take a cap above its limit, or speaks of what is not there. Nothing has
                changed then.
        """
        step = STEPS.get(type(event.body))
        if step is not None:
            step(self._ledger, event.body, event.at)

    def changed(self, event: Event) -> tuple[Row, ...]:
        """The rows that an event touched, as they are now that it was applied.

        A reservation with nothing left is in it once more, so that a stored row can go. The default limit of
        a dimension (`obligor/*`) is one row: it also shows in the `limit_minor` of every `Usage` without a
        limit of its own, and these are not listed.
        """
        ledger, body = self._ledger, event.body
        if isinstance(body, CapSet):
            uses = [ledger.usage(body.cap, currency) for currency in ledger.currencies(body.cap)]
            return (ledger.limits[body.cap], *uses)
        if type(body) not in STEPS:
            return ()
        touched: list[Reservation | Exposure] = []
        if held := ledger.reservations.get(getattr(body, "reservation_id", "")):
            touched.append(held)
        if exposure := ledger.exposures.get(getattr(body, "loan_id", "")):
            touched.append(exposure)
        caps = dict.fromkeys((cap, row.currency) for row in touched for cap in row.caps)
        return (*touched, *(ledger.usage(cap, currency) for cap, currency in caps))

    def applies(
        self,
        product: str | None = None,
        partner: str | None = None,
        person: str | None = None,
        **others: str | None,
    ) -> tuple[str, ...]:
        """The caps that something counts under: one for each dimension given, whether a limit is set or not.

        Other dimensions by their names: `region="330100"`.

        Raises:
            InvalidInput: an unknown dimension, or a value that cannot stand in a cap's name.
        """
        values = {"obligor": person, "product": product, "partner": partner, **others}
        return tuple(cap_name(dimension, value) for dimension, value in values.items() if value is not None)

    def headroom(
        self,
        caps: Sequence[str],
        *,
        currency: str | None = None,
        held_under: Sequence[str] = (),
        held_minor: int = 0,
    ) -> Headroom:
        """The least room under these caps in minor units, and the cap that binds.

        `held_minor` is what the asker has reserved for itself under `held_under`: it counts as room there.

        Raises:
            InvalidInput: a limit is set in another currency than the one given.
        """
        least, binding = None, None
        for cap in caps:
            limit = self._ledger.limit_of(cap)
            if limit is None:
                continue
            if currency is not None and limit.currency != currency:
                raise InvalidInput.field("currency", currency, f"{limit.currency}, the currency of {cap}")
            room = limit.limit_minor - sum(self._ledger.used(cap, limit.currency))
            room = max(0, room + (held_minor if cap in held_under else 0))
            if least is None or room < least:
                least, binding = room, cap
        return Headroom(least, binding)

    def usage(self, cap: str, currency: str | None = None) -> Usage:
        """The use of a cap, in its limit's currency, or the one given, or the only one it was used in.

        Raises:
            NotFound: the cap has no limit and no use.
            InvalidInput: it has no limit and was used in several currencies.
        """
        return self._ledger.usage(cap, currency or self._currency(cap))

    def exposure(self, person: str, currency: str | None = None) -> int:
        """What a person uses, reserved and committed, in minor units; 0 for one who uses nothing.

        Raises:
            InvalidInput: they use several currencies and none was given.
        """
        cap = cap_name("obligor", person)
        if currency is None and not self._ledger.currencies(cap):
            return 0
        return sum(self._ledger.used(cap, currency or self._currency(cap)))

    def reservation(self, reservation_id: str) -> Reservation | None:
        """A reservation, if it is still known."""
        return self._ledger.reservations.get(reservation_id)

    def loan(self, loan_id: str) -> Exposure | None:
        """What a loan uses."""
        return self._ledger.exposures.get(loan_id)

    def expired(self, at: datetime) -> tuple[Reservation, ...]:
        """Reservations with something left that ended by a moment, first to last."""
        return self._ledger.expired(at)

    def undisbursed(self) -> tuple[Exposure, ...]:
        """Loans that were committed and whose money has not gone out."""
        return tuple(e for e in self._ledger.exposures.values() if e.state == "committed" and e.amount_minor)

    def set_cap(self, cap: str, limit_minor: int, currency: str) -> CapSet:
        """Set a limit, also below what is in use.

        Raises:
            InvalidInput: no cap's name, a negative limit, an unknown currency.
            Conflict: the cap has a limit in another currency.
        """
        checked(cap)
        known_currency(currency)
        if limit_minor < 0:
            raise InvalidInput.field("limit_minor", limit_minor, "an integer of at least 0")
        limit = self._ledger.limits.get(cap)
        if limit is not None and limit.currency != currency:
            accepted = f"{limit.currency}, the currency the limit was set in"
            raise Conflict(
                f"{cap} has its limit in {limit.currency}",
                (Violation.of("currency", currency, accepted),),
            )
        return CapSet(cap=cap, limit_minor=limit_minor, currency=currency)

    def reserve(
        self,
        reservation_id: str,
        *,
        application_id: str,
        caps: Sequence[str],
        amount_minor: int,
        currency: str,
        expires_at: datetime,
    ) -> HeadroomReserved:
        """Set room aside under every one of these caps, or under none.

        Raises:
            InvalidInput: no positive amount, or a limit is set in another currency.
            Conflict: the room does not suffice, or the reservation exists.
        """
        _positive(amount_minor)
        if reservation_id in self._ledger.reservations:
            raise Conflict(f"reservation {reservation_id} exists already")
        self._needs(amount_minor, self.headroom(caps, currency=currency))
        return HeadroomReserved(
            reservation_id=reservation_id,
            application_id=application_id,
            caps=tuple(caps),
            amount_minor=amount_minor,
            currency=currency,
            expires_at=expires_at,
        )

    def commit(
        self, reservation_id: str, *, loan_id: str, caps: Sequence[str], amount_minor: int, at: datetime
    ) -> HeadroomCommitted:
        """Turn part or all of a reservation into a loan's exposure, also under caps that join only now.

        Raises:
            InvalidInput: no positive amount, or a limit is set in another currency.
            NotFound: there is no such reservation.
            Conflict: it has ended or has less left, one of its own caps is missing, a joining cap has no
                room, or the loan is known.
        """
        _positive(amount_minor)
        held = self._ledger.reservations.get(reservation_id)
        if held is None:
            raise NotFound(f"there is no reservation {reservation_id!r}")
        if held.expires_at <= at:
            raise Conflict(f"reservation {reservation_id} ended at {held.expires_at.isoformat()}")
        if loan_id in self._ledger.exposures:
            raise Conflict(f"loan {loan_id} is committed already")
        missing = [cap for cap in held.caps if cap not in caps]
        if missing:
            raise Conflict(f"the reservation was made under {', '.join(missing)}; so is what comes out of it")
        if amount_minor > held.left_minor:
            accepted = f"at most {held.left_minor}, what is left of the reservation"
            raise Conflict(
                "the reservation has less left", (Violation.of("amount_minor", amount_minor, accepted),)
            )
        joining = [cap for cap in caps if cap not in held.caps]
        self._needs(amount_minor, self.headroom(joining, currency=held.currency))
        return HeadroomCommitted(
            reservation_id=reservation_id,
            application_id=held.application_id,
            loan_id=loan_id,
            caps=tuple(caps),
            amount_minor=amount_minor,
            currency=held.currency,
        )

    def release(self, reservation_id: str, why: str) -> HeadroomReleased:
        """Give back what is left of a reservation.

        Raises:
            NotFound: there is no such reservation.
            Conflict: nothing is left of it.
        """
        held = self._ledger.reservations.get(reservation_id)
        if held is None:
            raise NotFound(f"there is no reservation {reservation_id!r}")
        if not held.left_minor:
            raise Conflict(f"nothing is left of reservation {reservation_id}")
        return HeadroomReleased(
            reservation_id=reservation_id,
            application_id=held.application_id,
            amount_minor=held.left_minor,
            currency=held.currency,
            why=why,
        )

    def _needs(self, amount_minor: int, room: Headroom) -> None:
        if room.amount_minor is not None and amount_minor > room.amount_minor:
            accepted = f"at most {room.amount_minor}, what {room.cap} leaves"
            violation = Violation.of("amount_minor", amount_minor, accepted)
            raise Conflict(f"{room.cap} leaves {room.amount_minor}, which is less than asked", (violation,))

    def _currency(self, cap: str) -> str:
        limit = self._ledger.limit_of(cap)
        if limit is not None:
            return limit.currency
        used = self._ledger.currencies(cap)
        if not used:
            raise NotFound(f"{cap} has no limit and no use")
        if len(used) > 1:
            raise InvalidInput.field("currency", None, "one of " + ", ".join(used))
        return used[0]


def _positive(amount_minor: int) -> None:
    if amount_minor < 1:
        raise InvalidInput.field("amount_minor", amount_minor, "an integer of at least 1")
