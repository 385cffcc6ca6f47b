"""Facts that know more than an applicant could: found by what they tell, whatever their column is called.

Three things are looked for, each a promise of the mapping: that no fact alone ranks the outcomes better than
`auc_alarm`; that none holds the lender's own judgement, which shows by telling the rate that was charged; and
that none is the instalment, which follows from the amount, the term and that rate.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from obligor.kernel import Violation
from obligor.scoring import auc
from obligor.sources.mapping import Mapping
from obligor.sources.spec import Field

__all__ = ["suspects"]

# Values with an order are looked at in groups of equal size, so that a relation need not be a straight line.
GROUPS = 20
# A group too small says nothing: it is judged by the rate of all.
LEAST_ROWS = 30
# How much of the variance of the lender's rate a fact may tell. A bureau score tells half of it; a grade nine
# tenths.
RATE_TOLD_MOST = 0.8
# Instalments are rounded, and some loans are not like the others.
INSTALMENT_NEAR, INSTALMENT_ROWS = 0.01, 0.9


def suspects(ended: pl.DataFrame, history: pl.DataFrame, mapping: Mapping) -> Iterator[Violation]:
    """What is suspicious of the facts: see the module's docstring.

    `ended` has the characteristics and `bad`, the final outcome; `history` all fields, `requested_minor`,
    `term_months`, and `_funded_minor` and `_rate_bp`, null where the mapping has no history.
    """
    alarm = mapping.spec.auc_alarm
    for fact in mapping.characteristics:
        field = mapping.fields.get(fact)
        alone = _auc(ended, fact, field)
        if alone > alarm:
            path = f"fields.{fact}.column" if field else f"characteristics.{fact}"
            accepted = (
                "a fact that was known at the application: alone it tells the outcome with an AUC of"
                f" {alone:.3f}, above auc_alarm, {alarm:g}{_missing(ended, fact)}. List its column under"
                " not_inputs if it is learnt later; raise auc_alarm if an applicant can be this plain"
            )
            yield mapping.located.violation(path, _column(field, fact), accepted)
    judged = history.filter(pl.col("_rate_bp").is_not_null())
    if judged["_rate_bp"].n_unique() < 2:
        return
    for fact, field in mapping.fields.items():
        told = _rate_told(judged, fact, field)
        if told > RATE_TOLD_MOST:
            accepted = (
                f"no judgement of the lender: it tells {100 * told:.0f} % of the variance of history.rate."
                " List the column under not_inputs"
            )
            yield mapping.located.violation(f"fields.{fact}.column", field.column, accepted)
        elif field.type in {"money", "int"} and _is_instalment(judged, fact):
            accepted = (
                "a fact of the applicant: it is the instalment, which follows from the amount, the term and"
                " history.rate. List the column under not_inputs"
            )
            yield mapping.located.violation(f"fields.{fact}.column", field.column, accepted)


def _column(field: Field | None, fact: str) -> str:
    return field.column if field else fact


def _groups(frame: pl.DataFrame, fact: str, field: Field | None) -> pl.Series:
    """Each row's group by its value of a fact: the value itself where it is no quantity, else by its rank."""
    column = frame[fact]
    if not column.dtype.is_integer() or column.n_unique() <= GROUPS:
        return column.cast(pl.String).fill_null("(missing)").alias("group")
    special = list(field.special) if field else []
    value = pl.col(fact)
    plain = pl.when(value.is_in(special).not_()).then(value)
    rank = ((plain.rank("average") - 1) * GROUPS // plain.count()).cast(pl.Int64).cast(pl.String)
    code = pl.when(value.is_in(special)).then(pl.lit("code ") + value.cast(pl.String))
    return frame.select(pl.coalesce(rank, code, pl.lit("(missing)")).alias("group")).to_series()


def _auc(ended: pl.DataFrame, fact: str, field: Field | None) -> float:
    """How well a fact alone ranks the outcomes, each of its groups at the rate of bads that it has."""
    grouped = ended.select(_groups(ended, fact, field), "bad")
    rows, rate = pl.len().over("group"), pl.col("bad").mean().over("group")
    risk = grouped.select(
        pl.when(rows >= LEAST_ROWS).then(rate).otherwise(pl.col("bad").mean()).alias("risk")
    )
    points = -(risk["risk"].to_numpy() * 1e6).round().astype(np.int64)
    return float(auc(grouped["bad"].to_numpy(), points))


def _missing(ended: pl.DataFrame, fact: str) -> str:
    """Who fills a cell in once the outcome is known leaves it empty for some: told where it is so."""
    empty = ended.filter(pl.col(fact).is_null())
    if empty.height < LEAST_ROWS:
        return ""
    share, bad = empty.height / ended.height, int(empty["bad"].sum()) / empty.height
    overall = int(ended["bad"].sum()) / ended.height
    return f"; it is missing in {share:.0%} of the rows, of which {bad:.0%} are bad, of all {overall:.0%}"


def _rate_told(judged: pl.DataFrame, fact: str, field: Field) -> float:
    """The share of the variance of the lender's rate that lies between a fact's groups (eta squared)."""
    grouped = judged.select(_groups(judged, fact, field), "_rate_bp")
    if grouped["group"].n_unique() * LEAST_ROWS > grouped.height:
        return 0.0
    rate = grouped["_rate_bp"].to_numpy()
    means = grouped.select(pl.col("_rate_bp").mean().over("group")).to_series().to_numpy()
    return float(means.var() / rate.var())


def _is_instalment(judged: pl.DataFrame, fact: str) -> bool:
    """Whether a column of numbers is the level instalment of the loans, in major or in minor units."""
    rows = judged.filter(pl.col(fact).is_not_null() & (pl.col("_rate_bp") > 0))
    if rows.height < LEAST_ROWS:
        return False
    monthly = rows["_rate_bp"].to_numpy() / 120_000
    level = (
        rows["_funded_minor"].to_numpy() * monthly / (1 - (1 + monthly) ** -rows["term_months"].to_numpy())
    )
    given = rows[fact].to_numpy()
    near = (np.abs(given / level - 1) < INSTALMENT_NEAR) | (np.abs(100 * given / level - 1) < INSTALMENT_NEAR)
    return bool(near.mean() > INSTALMENT_ROWS)
