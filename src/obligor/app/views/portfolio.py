"""The book as a whole, and what decides about it: features and strategies."""

from __future__ import annotations

from datetime import date
from typing import Any

from obligor.app.views.common import Reason, View

__all__ = [
    "Book",
    "FeatureRow",
    "FeatureView",
    "Features",
    "Funnel",
    "ScoreBand",
    "Strategies",
    "StrategyInput",
    "StrategyRow",
    "StrategyRule",
    "StrategyStep",
    "StrategyTable",
    "StrategyView",
    "Use",
    "VintageRow",
]


# ---- The book


class Funnel(View, frozen=True, kw_only=True):
    """From application to loan, over everything up to the day; each counts applications but for `loans`.

    `approved` is the strategies' own outcome, before any override.
    """

    applications: int = 0
    asked_minor: int = 0
    decided: int = 0
    approved: int = 0
    referred: int = 0
    declined: int = 0
    contracts: int = 0
    drawn: int = 0
    loans: int = 0
    disbursed_minor: int = 0


class VintageRow(View, frozen=True, kw_only=True):
    """The loans of a month of disbursement. `late_30` and `late_90` have a number for each full month on book
    from 0: how many of the loans were ever more than so many days past due by its end.
    """

    month: str
    loans: int
    disbursed_minor: int
    late_30: tuple[int, ...]
    late_90: tuple[int, ...]


class ScoreBand(View, frozen=True, kw_only=True):
    """First decisions whose score lies in `low`..`high`, both inclusive.

    Of their loans `observed` have been 12 full months on book; `bad` of these were ever more than 90 days
    past due within them.
    """

    low: int
    high: int
    decided: int
    approved: int
    referred: int
    declined: int
    observed: int
    bad: int


class Book(View, frozen=True, kw_only=True):
    """The book as it stood at the end of `as_of`, by the events known now. Vintages latest first.

    Lateness is told as far as a close, a payment or a loss has shown it. `observed_to` is the last day of
    disbursement whose loans count as observed.
    """

    as_of: date
    funnel: Funnel
    vintages: tuple[VintageRow, ...] = ()
    bands: tuple[ScoreBand, ...] = ()
    observed_to: date


# ---- Features


class Use(View, frozen=True, kw_only=True):
    """Who reads a feature: `kind` is strategy or model. `active` says whether it decides now."""

    kind: str
    name: str
    sha256: str
    active: bool


class FeatureRow(View, frozen=True, kw_only=True):
    """A feature in a line; a window of None is the whole history. `uses` counts who reads it now."""

    name: str
    source: str
    aggregation: str
    window_days: int | None
    unit: str
    en: str
    zh: str
    uses: int


class Features(View, frozen=True, kw_only=True):
    """The catalogue that this deployment computes."""

    catalogue: str
    version: int
    sha256: str
    rows: tuple[FeatureRow, ...]


class FeatureView(FeatureRow, frozen=True, kw_only=True):
    """A feature as it is declared, in plain values, and everybody who has ever read it."""

    catalogue: str
    version: int
    catalogue_sha256: str
    declared: dict[str, Any]
    used_by: tuple[Use, ...]


# ---- Strategies


class StrategyRow(View, frozen=True, kw_only=True):
    """A version of a strategy. `decided` counts its decisions; `active` says whether it decides now."""

    sha256: str
    name: str
    version: str
    stage: str
    published_on: date
    activated_on: date | None
    active: bool
    decided: int
    event_id: str


class Strategies(View, frozen=True, kw_only=True):
    """Every version that was published, by stage, latest first."""

    rows: tuple[StrategyRow, ...]


class StrategyInput(View, frozen=True, kw_only=True):
    """A fact that a strategy may read."""

    name: str
    type: str
    unit: str | None
    source: str
    nullable: bool
    values: tuple[str, ...] = ()


class StrategyRule(View, frozen=True, kw_only=True):
    """A rule of a step: what it asks, which outcome it gives, and the reason for it.

    `count` is of how many decisions that were not approved it was the main reason.
    """

    when: str
    outcome: str
    reason: Reason
    count: int


class StrategyTable(View, frozen=True, kw_only=True):
    """A table, grid or scorecard as it is written, cell by cell."""

    file: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class StrategyStep(View, frozen=True, kw_only=True):
    """A step in order. `kind` is rules, formulas, table, scorecard or model."""

    name: str
    kind: str
    stops: bool = False
    rules: tuple[StrategyRule, ...] = ()
    formulas: tuple[tuple[str, str], ...] = ()
    table: StrategyTable | None = None
    model: str | None = None


class StrategyView(StrategyRow, frozen=True, kw_only=True):
    """One version with everything in it. `outcomes` counts its decisions from the mildest to the hardest."""

    about: str
    outcomes: tuple[tuple[str, int], ...]
    inputs: tuple[StrategyInput, ...]
    steps: tuple[StrategyStep, ...]
    outputs: tuple[tuple[str, str], ...]
