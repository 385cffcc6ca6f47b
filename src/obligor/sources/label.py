"""What was knowable of each loan on a day: the labels that a model may be trained on.

A loan is *bad* if it was `days_past_due` days past due within `within_months` months on book. A table of
totals does not hold that date, so it is inferred, and only where it is certain: all that a bad loan ever
paid covers q instalments, so on the last day of the window no more than q were paid, and the instalment
q + 1 was unpaid since its due date, q + 1 months after the issue. If that date and `days_past_due` days more
lie within the window, the loan was bad, and it was known by then. Arrears that were cured cannot be seen.

A loan is *good* if it was repaid and its last payment was made by `known_on`. A loan younger than
`minimum_age_months` is *immature*; one that was still open then, or that turned bad after the window, is
*indeterminate*. Neither is in the training frame: an open loan is never counted as good. The bad rate of the
frame is therefore above that of the book.

A table that does not say how loans were repaid gives less: a loan is good or bad as it ended, once it is
`minimum_age_months` old. In a table without dates, every loan is as it ended.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import polars as pl

from obligor.sources.spec import OffPolicy, Spec, Training

__all__ = ["Label", "label"]

# A part of a cent does not make an instalment unpaid: totals and instalments were rounded apart.
_TOLERANCE = 0.005


class Label(StrEnum):
    """What a loan is to a model trained on a day."""

    GOOD = "good"
    BAD = "bad"
    INDETERMINATE = "indeterminate"
    IMMATURE = "immature"
    OFF_POLICY = "off_policy"


def label(spec: Spec, known_on: date | None) -> pl.Expr:
    """The label of each row of a book's frame, as text, as it was knowable on a day.

    Without a day it is the mapping's; a table without dates knows none.
    """
    training = spec.training
    if training is None:
        mature, bad, good = pl.lit(value=True), pl.col("_bad"), pl.col("_bad").not_()
    else:
        day = known_on or training.known_on
        mature = pl.col("_issued").dt.offset_by(f"{training.minimum_age_months}mo") <= day
        if spec.repaid is None:
            bad, good = pl.col("_bad"), pl.col("_bad").not_()
        else:
            last = spec.outcome.last_payment
            bad, good = _as_repaid(training, day, month_only=last is not None and last.precision == "month")
    return (
        pl.when(_left_out(spec.outcome.off_policy))
        .then(pl.lit(Label.OFF_POLICY.value))
        .when(mature.not_())
        .then(pl.lit(Label.IMMATURE.value))
        .when(bad)
        .then(pl.lit(Label.BAD.value))
        .when(good)
        .then(pl.lit(Label.GOOD.value))
        .otherwise(pl.lit(Label.INDETERMINATE.value))
    )


def _left_out(off_policy: OffPolicy | None) -> pl.Expr:
    if off_policy is not None and off_policy.training == "leave_out":
        return pl.col("_off_policy")
    return pl.lit(value=False)


def _as_repaid(training: Training, known_on: date, *, month_only: bool) -> tuple[pl.Expr, pl.Expr]:
    """Which rows were bad and which good, from what was repaid (module docstring)."""
    issued = pl.col("_issued")
    window_end = issued.dt.offset_by(f"{training.within_months}mo")
    unpaid_due = issued.dt.offset_by(pl.format("{}mo", _covered() + 1))
    days = pl.duration(days=training.days_past_due)
    bad = pl.col("_bad") & (unpaid_due + days <= window_end) & (window_end <= known_on)
    last = pl.col("_last_paid_on")
    paid_by = last.dt.month_end() if month_only else last
    return bad, pl.col("_bad").not_() & (paid_by <= known_on)


def _covered() -> pl.Expr:
    """How many instalments all received principal and interest cover (annuity, equal monthly instalments)."""
    monthly = pl.col("_rate_bp") / 120_000
    months = pl.col("term_months")
    instalment = (
        pl.when(monthly > 0)
        .then(pl.col("_funded_minor") * monthly / (1 - (1 + monthly) ** -months.cast(pl.Float64)))
        .otherwise(pl.col("_funded_minor") / months)
    )
    received = pl.col("_principal_minor") + pl.col("_interest_minor")
    return (received / instalment + _TOLERANCE).floor().cast(pl.Int64)
