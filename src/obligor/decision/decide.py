"""The one decision: a pure function of facts, a model and a strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from obligor.kernel import Fact, digest
from obligor.strategy import Need, Scored, Strategy, Value

__all__ = ["Decision", "Model", "Named", "decide", "inputs_digest"]


class Named(Protocol):
    """A characteristic of a model, by the name of the fact it reads."""

    @property
    def name(self) -> str:
        """The fact's name."""


class Model(Protocol):
    """Anything that scores written facts, and can be told by its digest."""

    @property
    def sha256(self) -> str:
        """The digest of the model's table."""

    @property
    def characteristics(self) -> Sequence[Named]:
        """What it reads."""

    def score(self, facts: Mapping[str, Any], /) -> Scored:
        """Points, contributions, probability of default and reasons."""


class Decision(msgspec.Struct, frozen=True):
    """What was decided and what it was made of; all of it is canonical JSON.

    `outputs` are written facts, null where the outcome has none. `score`, `pd_ppm` and `contributions` (name,
    points, most points) are the model's, if it was asked, and then `model_sha256` is its digest.
    `facts_read` are the facts that the decision depends on, as they were given: `inputs_sha256` is over them,
    the strategy and the model that was asked. Numbers in `trace` are in units of their scale.
    """

    outcome: str
    outputs: dict[str, Fact]
    reasons: tuple[str, ...]
    score: int | None
    pd_ppm: int | None
    contributions: tuple[tuple[str, int, int], ...]
    trace: list[Any]
    facts_read: dict[str, Fact]
    strategy_sha256: str
    model_sha256: str | None
    inputs_sha256: str


def decide(facts: Mapping[str, Fact], strategy: Strategy, model: Model | None = None) -> Decision | Need:
    """Decide on written facts, or say which facts the next step needs and does not have.

    Facts that neither the strategy nor the model reads may be there and are ignored. A fact that is null is
    known to be missing; one that is absent has not been asked for yet.

    Raises:
        InvalidInput: a fact is not what the strategy or the model takes; all of them are named.
        Conflict: the strategy asks for a model and there is none.
    """
    names: tuple[str, ...] = ()
    score = None
    if model is not None and strategy.scores:
        chosen = model
        names = tuple(item.name for item in model.characteristics)

        def score(_: Mapping[str, Value]) -> Scored | Need:
            # The model reads facts as they are written: its scales need not be the strategy's.
            absent = tuple(name for name in names if name not in facts)
            return Need(absent) if absent else chosen.score(facts)

    found = strategy.run(strategy.parse_facts(facts), score)
    if isinstance(found, Need):
        return found
    answer = found.score
    read = {name: facts[name] for name in found.reads}
    if answer is not None:
        read.update({name: facts[name] for name in names})
    used = model.sha256 if model is not None and answer is not None else None
    return Decision(
        outcome=found.outcome,
        outputs=strategy.render_outputs(found.outputs),
        reasons=found.reasons,
        score=None if answer is None else answer.points,
        pd_ppm=None if answer is None else answer.pd_ppm,
        contributions=() if answer is None else tuple(answer.contributions),
        trace=found.trace,
        facts_read=read,
        strategy_sha256=strategy.sha256,
        model_sha256=used,
        inputs_sha256=inputs_digest(read, strategy.sha256, used),
    )


def inputs_digest(facts: Mapping[str, Fact], strategy_sha256: str, model_sha256: str | None) -> str:
    """SHA-256 of the canonical JSON of all that a decision depends on."""
    return digest({"facts": dict(facts), "strategy": strategy_sha256, "model": model_sha256})
