"""Many decisions at once: a strategy as columns over a spine of cases, with digests to know them again by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from obligor.events import BatchDecided
from obligor.kernel import Fact, InvariantBroken, digest
from obligor.strategy import Strategy

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Batch", "Spine", "decide_batch"]


class Spine(NamedTuple):
    """Cases in their order, and what was known of each on a day: written facts, a list for each of them."""

    as_of: date
    cases: Sequence[str]
    facts: Mapping[str, Sequence[Fact]]


class Batch(NamedTuple):
    """What a strategy made of a spine.

    `results` has a list for `outcome`, each output, `reasons` and `ended`, as `Strategy.columns` names them
    and as they are written: decimals and dates as text. The digests are those of a `BatchDecided`.
    """

    results: Mapping[str, Sequence[Any]]
    outcomes: Mapping[str, int]
    spine_sha256: str
    inputs_sha256: str
    result_sha256: str

    def differences(self, body: BatchDecided) -> tuple[str, ...]:
        """The fields of a recorded batch that came out otherwise."""
        pairs = {
            "rows": (body.rows, len(self.results["outcome"])),
            "spine_sha256": (body.spine_sha256, self.spine_sha256),
            "inputs_sha256": (body.inputs_sha256, self.inputs_sha256),
            "result_sha256": (body.result_sha256, self.result_sha256),
            "outcomes": (body.outcomes, dict(self.outcomes)),
        }
        return tuple(name for name, (recorded, now) in pairs.items() if recorded != now)


def decide_batch(spine: Spine, strategy: Strategy) -> Batch:
    """Decide every case of a spine by the column function of a strategy without a model.

    Raises:
        InvalidInput: a fact that the strategy reads is missing or not what it takes.
        Conflict: the strategy scores.
    """
    read = {name: spine.facts[name] for name in strategy.inputs if name in spine.facts}
    told = strategy.columns(strategy.frame(read))
    if told.height != len(spine.cases):
        raise InvariantBroken(f"{len(spine.cases)} cases were given, {told.height} were decided")
    results = {name: _written(told.get_column(name)) for name in told.columns}
    return Batch(
        results=results,
        outcomes=dict(sorted(Counter(results["outcome"]).items())),
        spine_sha256=digest({"as_of": spine.as_of.isoformat(), "cases": list(spine.cases)}),
        inputs_sha256=digest({"facts": read, "strategy": strategy.sha256, "model": None}),
        result_sha256=digest(results),
    )


def _written(column: pl.Series) -> list[Any]:
    return [_plain(value) for value in column.to_list()]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value
