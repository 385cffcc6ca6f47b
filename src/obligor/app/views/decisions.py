"""Decisions: the list with its filters and sums, and one decision with everything it was made of."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, field

from obligor.app.views.common import Choices, Reason, View
from obligor.kernel import MAX_INTEGER, Fact

__all__ = [
    "Cutoff",
    "Decision",
    "DecisionFilters",
    "DecisionRow",
    "Decisions",
    "FactRow",
    "Offer",
    "OutcomeSum",
    "Override",
    "ReasonSum",
    "Replay",
    "Reserved",
    "Score",
    "ScorePart",
    "TraceStep",
    "Version",
]

Points = Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]


class DecisionFilters(View, frozen=True, kw_only=True):
    """Every field narrows; days are inclusive, in the tenant's zone; scores are inclusive too.

    `overridden` keeps those with (True) or without (False) an override; `reason` looks at the main one.
    `signed` keeps those whose application has (True) or has not (False) a signed contract.
    """

    stage: str | None = None
    outcome: str | None = None
    product: str | None = None
    channel: str | None = None
    reason: str | None = None
    strategy: str | None = None
    score_from: Points | None = None
    score_to: Points | None = None
    day_from: date | None = None
    day_to: date | None = None
    overridden: bool | None = None
    person: str | None = None
    application: str | None = None
    signed: bool | None = None


class DecisionRow(View, frozen=True, kw_only=True):
    """A decision in a line: `asked_minor` was applied for or to be drawn, `strategy` is name and version.

    `overridden` is the human outcome, None where there is none; terms are the strategy's own.
    """

    decision_id: str
    event_id: str
    known_seq: int
    at: datetime
    stage: str
    outcome: str
    application_id: str
    person_id: str
    currency: str
    product: str | None = None
    channel: str | None = None
    asked_minor: int | None = None
    granted_minor: int | None = None
    rate_bp: int | None = None
    score: int | None = None
    pd_ppm: int | None = None
    reason: Reason | None = None
    strategy: str = ""
    overridden: str | None = None
    loan_id: str | None = None


class OutcomeSum(View, frozen=True, kw_only=True):
    """Decisions of one outcome. Means are over those that have the value."""

    outcome: str
    count: int
    asked_minor: int
    granted_minor: int
    mean_score: int | None = None
    mean_pd_ppm: int | None = None


class ReasonSum(View, frozen=True, kw_only=True):
    """How often a reason was the main one of a decision that was not approved."""

    reason: Reason
    count: int


class Decisions(View, frozen=True, kw_only=True):
    """Decisions newest first, at most 50; sums and `total` are over the whole filter.

    `next` continues after the last row; it is opaque, and None at the end.
    """

    filters: DecisionFilters
    rows: tuple[DecisionRow, ...]
    total: int
    next: str | None = None
    outcomes: tuple[OutcomeSum, ...] = ()
    reasons: tuple[ReasonSum, ...] = ()
    choices: Choices = Choices()


class ScorePart(View, frozen=True, kw_only=True):
    """A characteristic's share of the score: `value` as the model saw it, `most` the points it could give."""

    name: str
    en: str
    zh: str
    value: Fact
    points: int
    most: int


class Cutoff(View, frozen=True, kw_only=True):
    """A score from which an outcome is possible."""

    outcome: str
    points: int


class Score(View, frozen=True, kw_only=True):
    """`points` = `base` + the sum of the parts' points, in integers."""

    points: int
    base: int
    pd_ppm: int | None
    parts: tuple[ScorePart, ...]
    cutoffs: tuple[Cutoff, ...] = ()


class TraceStep(View, frozen=True, kw_only=True):
    """One step of the strategy, in order; `kind` is rules, table, grid, formula, score or need.

    `result` says what came out in a few words or cells ("row 6", "grade C"), `where` the file and row.
    `details` are the cells or values that matched, in the strategy's own words.
    """

    name: str
    kind: str
    result: str
    where: str = ""
    details: tuple[str, ...] = ()


class FactRow(View, frozen=True, kw_only=True):
    """A fact as it was written down. `source` is application, feature, limits, score or source:<name>."""

    name: str
    value: Fact
    unit: str = ""
    source: str = ""


class Version(View, frozen=True, kw_only=True):
    """A part that decided, with its digest. `part` is strategy, model, catalogue or inputs."""

    part: str
    name: str
    sha256: str


class Override(View, frozen=True, kw_only=True):
    """A person's own outcome, beside the decision."""

    event_id: str
    known_seq: int
    at: datetime
    outcome: str
    officer: str
    authority: str
    reason_code: str
    expires_at: datetime
    limit_minor: int | None = None
    rate_bp: int | None = None
    term_months: int | None = None
    conditions: str | None = None


class Offer(View, frozen=True, kw_only=True):
    """What was offered. `state` is open, accepted or expired."""

    amount_minor: int
    rate_bp: int
    term_months: int
    expires_at: datetime
    state: str


class Reserved(View, frozen=True, kw_only=True):
    """Headroom still set aside under every one of `caps`."""

    caps: tuple[str, ...]
    left_minor: int
    expires_at: datetime


class Replay(View, frozen=True, kw_only=True):
    """Whether facts, model and strategy give the same decision again; None where they were erased."""

    equal: bool | None
    differences: tuple[str, ...] = ()


class Decision(DecisionRow, frozen=True, kw_only=True):
    """A decision with everything it was made of."""

    recorded_at: datetime
    known_upto: int
    asked_months: int | None = None
    term_months: int | None = None
    purpose: str | None = None
    payment_mode: str | None = None
    scored: Score | None = None
    reasons: tuple[Reason, ...] = ()
    trace: tuple[TraceStep, ...] = ()
    facts: tuple[FactRow, ...] = ()
    outputs: dict[str, Fact] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
    override: Override | None = None
    offer: Offer | None = None
    reserved: Reserved | None = None
    replay: Replay | None = None
    erased: tuple[str, ...] = ()
