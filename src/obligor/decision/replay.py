"""Replay: a recorded decision, made again from its own record, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from obligor.decision.batch import Spine, decide_batch
from obligor.decision.decide import Decision, Model, decide
from obligor.events import ApplicationDecided, BatchDecided, DrawdownDecided, FieldClass
from obligor.kernel import Conflict, Corrupted, Event, InvalidInput, encode
from obligor.strategy import Need, Strategy

__all__ = ["Artifacts", "Replay", "Tally", "replay", "replay_all", "replay_batch"]

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
    """Many replays. `first` is the place in the journal of the first mismatch.

    A batch counts as one of `decisions`; `batches` is how many of them are batches.
    """

    decisions: int
    equal: int
    mismatches: int
    erased: int
    first: int | None
    batches: int = 0


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


def replay_batch(body: BatchDecided, spine: Spine | None, artifacts: Artifacts) -> Replay:
    """Decide a recorded batch again from its spine as the journal has it, and compare.

    Without a spine, facts of it were erased.

    Raises:
        NotFound: the strategy is not among the artifacts.
        Corrupted: it is not what the event's digest says.
    """
    if spine is None:
        return Replay(equal=False, erased=True)
    strategy = artifacts.strategy(body.strategy_sha256)
    _same("strategy", body.strategy_sha256, strategy.sha256)
    try:
        differences = decide_batch(spine, strategy).differences(body)
    except (InvalidInput, Conflict):
        return Replay(equal=False, differences=("facts",))
    return Replay(equal=not differences, differences=differences)


def replay_all(
    events: Iterable[Event],
    artifacts: Artifacts,
    batches: Iterable[tuple[Event, Spine | None]] = (),
) -> Tally:
    """Replay every decision among some events (others are passed over), and batches with their spines.

    Raises:
        NotFound: an artifact is missing.
        Corrupted: an artifact is not what its digest says.
    """
    tally = _Counts()
    for event in events:
        if event.type in {ApplicationDecided.TYPE, DrawdownDecided.TYPE}:
            tally.add(event, replay(event, artifacts))
    for event, spine in batches:
        tally.add(event, replay_batch(event.body, spine, artifacts))
        tally.batches += 1
    return tally.tally()


class _Counts:
    def __init__(self) -> None:
        self.equal = self.mismatches = self.erased = self.batches = 0
        self.first: int | None = None

    def add(self, event: Event, found: Replay) -> None:
        self.erased += found.erased
        self.equal += found.equal
        if not (found.equal or found.erased):
            self.mismatches += 1
            self.first = event.known_seq if self.first is None else min(self.first, event.known_seq)

    def tally(self) -> Tally:
        total = self.equal + self.mismatches + self.erased
        return Tally(total, self.equal, self.mismatches, self.erased, self.first, self.batches)
