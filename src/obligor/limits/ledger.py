"""The arithmetic of caps: limits, what is reserved and committed under each, reservations and exposures."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from obligor.kernel import InvariantBroken
from obligor.limits.dimension import default_of
from obligor.limits.rows import Exposure, Limit, Reservation, Row, Usage

__all__ = ["Ledger"]

_RESERVED, _COMMITTED = 0, 1


class Ledger:
    """Limits, reservations and exposures, with the sums per cap and currency kept beside them.

    A limit binds amounts of its own currency. Every change goes through here and keeps one equation: what is
    reserved (committed) under a cap is the sum over the reservations (exposures) that name it.
    """

    def __init__(self) -> None:
        self.limits: dict[str, Limit] = {}
        self.reservations: dict[str, Reservation] = {}
        self.exposures: dict[str, Exposure] = {}
        self._used: dict[str, dict[str, list[int]]] = {}
        self._expiring: list[tuple[datetime, str]] = []

    def limit_of(self, cap: str) -> Limit | None:
        """The limit that holds for a cap: its own, or that of its dimension's `*`."""
        return self.limits.get(cap) or self.limits.get(default_of(cap))

    def currencies(self, cap: str) -> tuple[str, ...]:
        """The currencies that a cap has been used in."""
        return tuple(self._used.get(cap, ()))

    def used(self, cap: str, currency: str) -> tuple[int, int]:
        """What is reserved and what is committed under a cap, in a currency."""
        reserved, committed = self._used.get(cap, {}).get(currency, (0, 0))
        return reserved, committed

    def usage(self, cap: str, currency: str) -> Usage:
        """The use of a cap as a row."""
        limit = self.limit_of(cap)
        reserved, committed = self.used(cap, currency)
        return Usage(
            cap=cap,
            currency=currency,
            limit_minor=limit.limit_minor if limit and limit.currency == currency else None,
            reserved_minor=reserved,
            committed_minor=committed,
        )

    def room(self, cap: str, currency: str) -> int | None:
        """What is left under a cap: negative where more is in use than a limit that was lowered allows."""
        limit = self.limit_of(cap)
        if limit is None or limit.currency != currency:
            return None
        return limit.limit_minor - sum(self.used(cap, currency))

    def hold(self, reservation: Reservation) -> None:
        """Put a reservation in, or what is left of it now; one with nothing left stays until it is purged."""
        before = self.reservations.get(reservation.reservation_id)
        if before is not None:
            self._add(before.caps, before.currency, _RESERVED, -before.left_minor)
        else:
            heapq.heappush(self._expiring, (reservation.expires_at, reservation.reservation_id))
        self._add(reservation.caps, reservation.currency, _RESERVED, reservation.left_minor)
        self.reservations[reservation.reservation_id] = reservation

    def expose(self, exposure: Exposure) -> None:
        """Put a loan's exposure in, in place of the one it had."""
        before = self.exposures.get(exposure.loan_id)
        if before is not None:
            self._add(before.caps, before.currency, _COMMITTED, -before.amount_minor)
        self._add(exposure.caps, exposure.currency, _COMMITTED, exposure.amount_minor)
        self.exposures[exposure.loan_id] = exposure

    def take(self, reservation_id: str, amount_minor: int) -> int:
        """Take up to an amount out of a reservation; returns how much there was."""
        held = self.reservations.get(reservation_id)
        taken = min(amount_minor, held.left_minor) if held else 0
        if held and taken:
            self.hold(replace(held, left_minor=held.left_minor - taken))
        return taken

    def expired(self, at: datetime) -> tuple[Reservation, ...]:
        """Reservations with something left that ended by a moment, first to last."""
        ended = sorted(item for item in self._expiring if item[0] <= at)
        held = (self.reservations.get(reservation_id) for _, reservation_id in ended)
        return tuple(reservation for reservation in held if reservation and reservation.left_minor)

    def purge(self, at: datetime) -> None:
        """Forget reservations that ended by a moment and have nothing left."""
        kept: list[tuple[datetime, str]] = []
        while self._expiring and self._expiring[0][0] <= at:
            item = heapq.heappop(self._expiring)
            held = self.reservations.get(item[1])
            if held and held.left_minor:
                kept.append(item)
            elif held:
                del self.reservations[item[1]]
        for item in kept:
            heapq.heappush(self._expiring, item)

    def rows(self) -> Iterator[Row]:
        """Everything, sorted: limits, reservations with something left, exposures, the use of every cap."""
        yield from (self.limits[cap] for cap in sorted(self.limits))
        yield from (held for _, held in sorted(self.reservations.items()) if held.left_minor)
        yield from (exposure for _, exposure in sorted(self.exposures.items()))
        for cap, currencies in sorted(self._used.items()):
            for currency in sorted(currencies):
                yield self.usage(cap, currency)

    def put(self, rows: Iterable[Row]) -> None:
        """Take in stored rows.

        Raises:
            InvariantBroken: the stored use of a cap is not the sum over its reservations and exposures.
        """
        usages: list[Usage] = []
        for row in rows:
            match row:
                case Limit():
                    self.limits[row.cap] = row
                case Reservation():
                    self.hold(row)
                case Exposure():
                    self.expose(row)
                case Usage():
                    usages.append(row)
        for usage in usages:
            self._add((usage.cap,), usage.currency, _RESERVED, 0)
            found = self.used(usage.cap, usage.currency)
            if found != (usage.reserved_minor, usage.committed_minor):
                raise InvariantBroken(f"the stored use of {usage.cap} is not the sum of what uses it")

    def _add(self, caps: tuple[str, ...], currency: str, which: int, amount_minor: int) -> None:
        for cap in caps:
            currencies = self._used.get(cap)
            if currencies is None:
                currencies = self._used[cap] = {}
            amounts = currencies.get(currency)
            if amounts is None:
                amounts = currencies[currency] = [0, 0]
            amounts[which] += amount_minor
