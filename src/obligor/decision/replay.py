"""Replay: a recorded decision, made again from its own record, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from obligor.decision.decide import Decision, Model, decide
from obligor.events import ApplicationDecided, DrawdownDecided, FieldClass
from obligor.kernel import Conflict, Corrupted, Event, InvalidInput, encode
from obligor.strategy import Need, Strategy

__all__ = ["Artifacts", "Replay", "Tally", "replay", "replay_all"]

# Outputs that have a field of their own in an event.
TERMS = ("limit_minor", "rate_bp", "term_months", "payment_mode")


class Artifacts(Protocol):
    """Strategies and models by their digests."""

    def strategy(self, sha256: str, /) -> Strategy:
        """The strategy with this digest; NotFound where there is none."""

    def model(self, sha256: str, /) -> Model:
        """The model with this digest; NotFound where there is none."""


class Replay(msgspec.Struct, frozen=True):
    """Whether a decision came out again byte for byte.

    `differences` names the fields that did not. An erased decision has no facts any more: it is neither
    equal nor different, and counted apart.
    """

    equal: bool
    differences: tuple[str, ...] = ()
    erased: bool = False


class Tally(msgspec.Struct, frozen=True):
    """Many replays. `first` is the place in the journal of the first mismatch."""

    decisions: int
    equal: int
    mismatches: int
    erased: int
    first: int | None


class _Unasked:
    """Stands where no model was asked: a decision that now asks one is another decision."""

    sha256 = ""
    characteristics: Sequence[Any] = ()

    def score(self, _facts: Any, /) -> Any:
        raise Conflict("the recorded decision was made without a model")


_UNASKED = _Unasked()


def replay(event: Event, artifacts: Artifacts) -> Replay:
    """Decide again from the facts of a recorded decision, with the very strategy and model, and compare.

    Raises:
        Conflict: the event is no decision.
        NotFound: the strategy or the model is not among the artifacts.
        Corrupted: an artifact is not what the event's digest says.
    """
    body = event.body
    if not isinstance(body, ApplicationDecided | DrawdownDecided):
        raise Conflict(f"event {event.id} of type {event.type} is no decision")
    if event.erased & {FieldClass.CONDUCT, FieldClass.MONEY}:
        return Replay(equal=False, erased=True)
    strategy = artifacts.strategy(body.strategy_sha256)
    _same("strategy", body.strategy_sha256, strategy.sha256)
    model = None if body.model_sha256 is None else artifacts.model(body.model_sha256)
    if model is not None:
        _same("model", body.model_sha256, model.sha256)
    try:
        again = decide(body.facts, strategy, model or _UNASKED)
    except (InvalidInput, Conflict):
        # The recorded facts are not such that a decision can have been made of them.
        return Replay(equal=False, differences=("facts",))
    if isinstance(again, Need):
        return Replay(equal=False, differences=("facts",))
    differences = tuple(
        name for name, recorded, now in _pairs(body, again) if encode(recorded) != encode(now)
    )
    return Replay(equal=not differences, differences=differences)


def _same(kind: str, wanted: str | None, found: str) -> None:
    if wanted != found:
        raise Corrupted(f"the {kind} given for digest {wanted} has the digest {found}")


def _pairs(body: ApplicationDecided | DrawdownDecided, again: Decision) -> Iterator[tuple[str, Any, Any]]:
    """Recorded and replayed values of everything that a decision says."""
    for name in ("outcome", "outputs", "score", "pd_ppm", "reasons", "trace", "inputs_sha256"):
        yield name, getattr(body, name), getattr(again, name)
    yield "facts", body.facts, again.facts_read
    for name in TERMS:
        if name in again.outputs and hasattr(body, name):
            yield name, getattr(body, name), again.outputs[name]


def replay_all(events: Iterable[Event], artifacts: Artifacts) -> Tally:
    """Replay every decision among some events; others are passed over.

    Raises:
        NotFound: an artifact is missing.
        Corrupted: an artifact is not what its digest says.
    """
    equal = mismatches = erased = 0
    first: int | None = None
    for event in events:
        if event.type not in {ApplicationDecided.TYPE, DrawdownDecided.TYPE}:
            continue
        found = replay(event, artifacts)
        erased += found.erased
        equal += found.equal
        if not (found.equal or found.erased):
            mismatches += 1
            first = event.known_seq if first is None else first
    return Tally(equal + mismatches + erased, equal, mismatches, erased, first)
