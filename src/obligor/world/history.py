"""The lender's past: applications of other simulated people, all granted, with what became of them.

This is the sample that the first scorecard is trained on before going live. Its facts have the names and
types that they have at decision time; its outcomes come from the same behaviour as the world's.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from math import exp
from typing import Any

import msgspec
import numpy as np
import polars as pl

from obligor.kernel import Fact, add_months
from obligor.world import people as population
from obligor.world.asking import Ask, Standing, ask, instalment_minor
from obligor.world.behaviour import Terms, nature
from obligor.world.cash import past_flows
from obligor.world.counterparties import Counterparties
from obligor.world.lives import outlook
from obligor.world.luck import Purpose, stream
from obligor.world.people import Person
from obligor.world.settings import Settings

__all__ = ["SCHEMA", "history", "terms_of"]

SCHEMA: dict[str, Any] = {
    "reference": pl.String,
    "simulated": pl.Boolean,
    "applied_on": pl.Date,
    "outcome_known_on": pl.Date,
    "product": pl.String,
    "channel": pl.String,
    "purpose": pl.String,
    "requested_minor": pl.Int64,
    "term_months": pl.Int64,
    "income_month_minor": pl.Int64,
    "employment": pl.String,
    "months_employed": pl.Int64,
    "housing": pl.String,
    "rent_month_minor": pl.Int64,
    "debt_month_minor": pl.Int64,
    "age_years": pl.Int64,
    "dependents": pl.Int64,
    "bureau_score": pl.Int64,
    "bureau_inquiries_6m": pl.Int64,
    "bureau_worst_dpd_24m": pl.Int64,
    "bureau_open_loans": pl.Int64,
    "repaid_90d_minor": pl.Int64,
    "repayments_365d": pl.Int64,
    "days_since_repayment": pl.Int64,
    "inflow_90d_minor": pl.Int64,
    "outflow_30d_minor": pl.Int64,
    "applications_30d": pl.Int64,
    "devices_90d": pl.Int64,
    "gambling_90d_minor": pl.Int64,
    "worst_dpd_12m": pl.Int64,
    "bad": pl.Int64,
}
RETURNING = 0.30
RATE_BP = 1500
OLDEST_MONTHS, YOUNGEST_MONTHS = 36, 13


class Past(msgspec.Struct, frozen=True):
    """What all rows of a sample share."""

    seed: int
    begin: date
    settings: Settings
    places: Counterparties


def history(seed: int, count: int, start: date, settings: Settings) -> pl.DataFrame:
    """`count` past applications in order of their dates, with the columns of SCHEMA.

    They were made 13 to 36 months before `start`. `bad` is 1 where the loan was more than 90 days past
    due within 12 months on book; all outcomes were known by `start`. Indeterminate loans can be told by
    `worst_dpd_12m` (30 to 90). Fraud is left out.
    """
    # The people are drawn as of the sample's oldest day, so that ages and tenures fit their applications.
    begin = add_months(start, -OLDEST_MONTHS)
    span = (add_months(start, -YOUNGEST_MONTHS) - begin).days
    offsets = np.sort(stream(seed, Purpose.PAST_DATES).integers(0, span, count)).tolist()
    past = Past(seed, begin, _honest(settings), Counterparties(seed, count, settings))
    crowd = population.draw(seed, count, begin, past.settings, Purpose.PAST_PEOPLE)
    rows = [
        _row(past, person, begin + timedelta(days=offset))
        for person, offset in zip(crowd, offsets, strict=True)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


@lru_cache(maxsize=8192)
def terms_of(product: str, term_months: int, day: date) -> Terms:
    """The due dates of a loan of the starter products: monthly; a bullet's principal on the last."""
    dues = tuple(add_months(day, number) for number in range(1, term_months + 1))
    return Terms(day, dues, bullet=product == "bullet")


def _honest(settings: Settings) -> Settings:
    """The same world without a shock, and without rings: fraud is no case for a credit-risk sample."""
    return Settings(
        **{
            name: getattr(settings, name)
            for name in settings.__struct_fields__
            if name not in {"ring", "shock"}
        },
        ring=0.0,
    )


def _row(past: Past, person: Person, day: date) -> dict[str, Fact | date]:
    rng = stream(past.seed, Purpose.PAST_ASKING, person.number)
    asked = ask(person, day, past.begin, rng, Standing(), lines=past.settings.lines)
    who = nature(past.seed, person.number, 0, asked.index, purpose=Purpose.PAST_LIFE)
    terms = terms_of(asked.product, asked.term_months, day)
    became = outlook(who, terms, past.begin, past.settings)
    return {
        "reference": f"sim-past-{person.number:06d}",
        "simulated": True,
        "applied_on": day,
        "outcome_known_on": add_months(day, 12),
        "product": asked.product,
        "channel": asked.channel,
        "purpose": asked.purpose,
        "requested_minor": asked.amount_minor,
        "term_months": asked.term_months,
        **asked.fields,
        **asked.bureau,
        **_features(past, person, day, asked, rng),
        "worst_dpd_12m": became.worst_dpd,
        "bad": int(became.bad),
    }


def _features(past: Past, person: Person, day: date, asked: Ask, rng: np.random.Generator) -> dict[str, Fact]:
    """What the feature catalogue would have computed.

    A first applicant has the past of an account that is seen; some are returning and have repaid before.
    """
    facts: dict[str, Any] = {
        "repaid_90d_minor": 0,
        "repayments_365d": 0,
        "days_since_repayment": None,
        "inflow_90d_minor": 0,
        "outflow_30d_minor": 0,
        "applications_30d": 1 + int(rng.random() < 0.03 * exp(0.4 * asked.index)),
        "devices_90d": 1 + int(asked.new_device),
        "gambling_90d_minor": 0,
    }
    if rng.random() < RETURNING:
        missed = int(rng.random() < 0.12 * exp(0.6 * asked.index))
        paid = max(0, int(rng.integers(1, 13)) - missed)
        each = instalment_minor(asked.amount_minor, RATE_BP, max(6, asked.term_months))
        if paid:
            facts["repayments_365d"] = paid
            facts["days_since_repayment"] = int(rng.integers(0, 31)) + 30 * missed
            facts["repaid_90d_minor"] = each * min(paid, 3 - missed)
    if person.seen:
        luck = stream(past.seed, Purpose.PAST_BACKFILL, person.number)
        _, flows = past_flows(person, day, past.settings.backfill_months, luck)
        bets = past.places.usual("gambling", person.number).label == "gambling"
        for flow in flows:
            ago = day.toordinal() - flow.day
            if flow.direction == "in":
                facts["inflow_90d_minor"] += flow.amount_minor if ago < 90 else 0
            elif ago < 30:
                facts["outflow_30d_minor"] += flow.amount_minor
            if flow.kind == "gambling" and bets and ago < 90:
                facts["gambling_90d_minor"] += flow.amount_minor
    return facts
