"""What a cap book is made of: immutable rows, so that it can be stored and loaded again."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

__all__ = ["Exposure", "Headroom", "Limit", "Reservation", "Row", "Usage"]


class Limit(msgspec.Struct, frozen=True, kw_only=True, tag="limit"):
    """The most that may be reserved and committed under a cap, in minor units."""

    cap: str
    limit_minor: int
    currency: str


class Usage(msgspec.Struct, frozen=True, kw_only=True, tag="usage"):
    """What a cap's room is used for, in one currency. `limit_minor` is None where no limit is set in it."""

    cap: str
    currency: str
    limit_minor: int | None
    reserved_minor: int
    committed_minor: int

    @property
    def used_minor(self) -> int:
        """Reserved and committed."""
        return self.reserved_minor + self.committed_minor

    @property
    def headroom_minor(self) -> int | None:
        """What is left; 0 where more than the limit is in use, None without a limit."""
        return None if self.limit_minor is None else max(0, self.limit_minor - self.used_minor)


class Reservation(msgspec.Struct, frozen=True, kw_only=True, tag="reservation"):
    """Room set aside under every one of `caps`. `left_minor` is what was neither committed nor released."""

    reservation_id: str
    application_id: str
    caps: tuple[str, ...]
    left_minor: int
    currency: str
    expires_at: datetime


class Exposure(msgspec.Struct, frozen=True, kw_only=True, tag="exposure"):
    """What a loan uses under every one of `caps`.

    `state` is `committed` (released, the money is not out yet), `disbursed` or `written_off`.
    """

    loan_id: str
    caps: tuple[str, ...]
    amount_minor: int
    currency: str
    state: str


class Headroom(NamedTuple):
    """The least room under several caps and the cap that binds; both None where no limit applies."""

    amount_minor: int | None
    cap: str | None


Row = Limit | Usage | Reservation | Exposure
