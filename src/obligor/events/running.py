"""What is about no person: caps, days, strategies and models."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from obligor.events.classes import OPEN
from obligor.kernel import Body

__all__ = [
    "CapSet",
    "DayClosed",
    "ModelActivated",
    "ModelRegistered",
    "StrategyActivated",
    "StrategyPublished",
]


class CapSet(Body, frozen=True, kw_only=True):
    """A limit on `product/<name>`, on `partner/<name>`, or each obligor (`obligor/*`). Stream `cap/<cap>`."""

    TYPE: ClassVar[str] = "cap.set"
    SCHEMA: ClassVar[int] = 1
    cap: Annotated[str, OPEN]
    limit_minor: Annotated[int, OPEN]
    currency: Annotated[str, OPEN]


class DayClosed(Body, frozen=True, kw_only=True):
    """A business day is over in the tenant's zone: monitors look, reservations lapse. Stream `day/<date>`."""

    TYPE: ClassVar[str] = "day.closed"
    SCHEMA: ClassVar[int] = 1
    day: Annotated[date, OPEN]
    zone: Annotated[str, OPEN]


class StrategyPublished(Body, frozen=True, kw_only=True):
    """A strategy compiled, and its files are kept under their digest. Stream `strategy/<name>`."""

    TYPE: ClassVar[str] = "strategy.published"
    SCHEMA: ClassVar[int] = 1
    name: Annotated[str, OPEN]
    version: Annotated[str, OPEN]
    stage: Annotated[str, OPEN]
    sha256: Annotated[str, OPEN]


class StrategyActivated(Body, frozen=True, kw_only=True):
    """A published strategy decides from now on, for its stage. Stream `strategy/<name>`."""

    TYPE: ClassVar[str] = "strategy.activated"
    SCHEMA: ClassVar[int] = 1
    name: Annotated[str, OPEN]
    stage: Annotated[str, OPEN]
    sha256: Annotated[str, OPEN]


class ModelRegistered(Body, frozen=True, kw_only=True):
    """A model's table is kept under its digest; `trained_on` says what on. Stream `model/<name>`."""

    TYPE: ClassVar[str] = "model.registered"
    SCHEMA: ClassVar[int] = 1
    name: Annotated[str, OPEN]
    version: Annotated[str, OPEN]
    sha256: Annotated[str, OPEN]
    trained_on: Annotated[str, OPEN]
    known_on: Annotated[date | None, OPEN] = None


class ModelActivated(Body, frozen=True, kw_only=True):
    """A registered model scores from now on. Stream `model/<name>`."""

    TYPE: ClassVar[str] = "model.activated"
    SCHEMA: ClassVar[int] = 1
    name: Annotated[str, OPEN]
    sha256: Annotated[str, OPEN]
