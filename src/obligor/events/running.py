"""What is about no person: caps, days and what is decided at their close, strategies and models."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from obligor.events.classes import OPEN
from obligor.kernel import Body

__all__ = [
    "BatchDecided",
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


class BatchDecided(Body, frozen=True, kw_only=True):
    """A strategy decided many cases at once, as columns. Stream `day/<date>` of the close that it was for.

    The spine is `rows` cases in their order, each with the facts that were known of it on `as_of`. They were
    listed when the journal had `known_at[0]` entries, and looked at in parts of `part_rows`; of part n the
    facts are those of `known_at[n]` entries, and 0 says that a part could not be decided. The digests are
    over canonical JSON: who the cases are, the facts that were read with the strategy and the model, and
    every result. `outcomes` counts the cases, `changed` those for which an event of their own follows.
    """

    TYPE: ClassVar[str] = "batch.decided"
    SCHEMA: ClassVar[int] = 1
    batch_id: Annotated[str, OPEN]
    stage: Annotated[str, OPEN]
    as_of: Annotated[date, OPEN]
    strategy: Annotated[str, OPEN]
    strategy_sha256: Annotated[str, OPEN]
    rows: Annotated[int, OPEN]
    part_rows: Annotated[int, OPEN]
    known_at: Annotated[tuple[int, ...], OPEN]
    spine_sha256: Annotated[str, OPEN]
    inputs_sha256: Annotated[str, OPEN]
    result_sha256: Annotated[str, OPEN]
    outcomes: Annotated[dict[str, int], OPEN]
    changed: Annotated[int, OPEN]
    model: Annotated[str | None, OPEN] = None
    model_sha256: Annotated[str | None, OPEN] = None
    catalogue_sha256: Annotated[str | None, OPEN] = None


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
