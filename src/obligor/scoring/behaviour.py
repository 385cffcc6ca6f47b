"""The behaviour score: of loans that are open at a month's end, which will be in default within a year.

Default is more than 90 days past due, or a write-off, `months` (12) after the month's end at the latest.
Loans that are in default already are not asked about. A month's end has a label on a day only if its whole
window was over by then: a default that is seen early is not counted early, since the good end of its
neighbours cannot be.

Days past due and payments count by value date (see `obligor.loans.overdue`). What was known at the time is
the fold of the events known then: ask for `behaviour_facts` at the close itself and keep them, and for the
outcome later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from obligor.kernel import Fact, InvalidInput, add_months
from obligor.loans import Loan
from obligor.scoring.boosting import Boosting
from obligor.scoring.characteristic import Characteristic, Reason
from obligor.scoring.model import PointsModel
from obligor.scoring.train import train
from obligor.scoring.train_boosted import train_boosted

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BEHAVIOUR", "behaviour_facts", "behaviour_frame", "behaviour_outcome", "train_behaviour"]

Extra = Callable[[Loan, date], Mapping[str, Fact]]
DEFAULT_DAYS = 90
_WHOLE = 10_000  # basis points
_YEAR = timedelta(days=365)


def _declared(
    name: str, code: str, en: str, zh: str, risk: Literal["rising", "falling", "monotone"]
) -> Characteristic:
    return Characteristic(name=name, kind="int", risk=risk, reason=Reason(code=code, en=en, zh=zh))


BEHAVIOUR = (
    _declared("days_past_due", "H01", "Payments are past due", "当前逾期", "rising"),
    _declared("worst_dpd_90d", "H02", "Late payments in 90 days", "近90天有逾期", "rising"),
    _declared("worst_dpd_365d", "H03", "Late payments in a year", "近一年有逾期", "rising"),
    _declared(
        "late_instalments_365d", "H04", "Instalments paid late in a year", "近一年逾期还款期数", "rising"
    ),
    _declared(
        "arrears_bp", "H05", "Arrears in relation to the amount lent", "逾期金额占放款金额比例", "rising"
    ),
    _declared("paid_bp", "H06", "Less was paid than fell due", "已还金额低于应还金额", "falling"),
    _declared("days_since_payment", "H07", "Time since the last payment", "距上次还款天数", "rising"),
    _declared("outstanding_bp", "H08", "Most of the loan is still outstanding", "未还本金占比较高", "rising"),
    _declared("months_on_book", "H09", "The age of the loan", "放款后月数", "monotone"),
    _declared("months_left", "H10", "The time left", "剩余期数", "rising"),
    _declared("rate_bp", "H11", "The rate of the loan", "贷款利率", "rising"),
    _declared("amount_minor", "H12", "The amount lent", "放款金额", "monotone"),
)


def behaviour_facts(loan: Loan, on: date) -> dict[str, int | None]:
    """What a loan's behaviour tells at the end of a day, by the names of `BEHAVIOUR`.

    `..._bp` are basis points: arrears and outstanding principal of the amount lent; cash paid of what fell
    due, None before anything did, at most 2 x 10,000. An instalment is late that was not covered on its due
    date; the year begins 365 days before.
    """
    lent = loan.amount_minor
    terms = loan.terms
    due = _due_by(loan, on)
    owed = terms.owed_minor[due - 1] if due else 0
    paid = loan.paid_by(on)
    cash = paid.interest_minor + paid.principal_minor + paid.excess_minor
    last = next((one.value_on for one in reversed(loan.payments) if one.value_on <= on), None)
    late = sum(
        1
        for due_on, covered in _covered(loan, on)
        if due_on > on - _YEAR and (covered is None or covered > due_on)
    )
    return {
        "days_past_due": loan.days_past_due(on),
        "worst_dpd_90d": loan.worst_days_past_due(max(loan.disbursed_on, on - timedelta(days=90)), on),
        "worst_dpd_365d": loan.worst_days_past_due(max(loan.disbursed_on, on - _YEAR), on),
        "late_instalments_365d": late,
        "arrears_bp": loan.arrears_minor(on) * _WHOLE // lent,
        "paid_bp": min(2 * _WHOLE, cash * _WHOLE // owed) if owed else None,
        "days_since_payment": (on - last).days if last else None,
        "outstanding_bp": loan.outstanding(on).principal_minor * _WHOLE // lent,
        "months_on_book": _months(loan.disbursed_on, on),
        "months_left": max(0, _months(on, terms.due_on[-1])),
        "rate_bp": loan.rate_bp,
        "amount_minor": lent,
    }


def behaviour_outcome(loan: Loan, on: date, known_on: date, *, months: int = 12) -> bool | None:
    """Whether a loan that was open and not in default at the end of a day was in default `months` later.

    None where the window was not over on `known_on`, or where the loan is not one to ask about. A loan that
    was repaid within the window is good.
    """
    end = add_months(on, months)
    if end > known_on or not _asked(loan, on):
        return None
    day = _default_day(loan, on, end)
    return day is not None


def behaviour_frame(
    loans: Iterable[Loan],
    known_on: date,
    *,
    months: int = 12,
    every: int = 1,
    first: date | None = None,
    extra: Extra | None = None,
) -> pl.DataFrame:
    """One row for each loan and month's end that has a label on `known_on`, in order of the month's end.

    Columns: `loan_id`, `on`, the facts of `behaviour_facts`, those that `extra` gives, and `bad`, 0 or 1.
    Every `every`-th month's end is taken, counted back from the last one, none before `first`: neighbouring
    months of one loan tell nearly the same.

    Raises:
        InvalidInput: months or every below 1.
    """
    import polars as pl

    for name, value in (("months", months), ("every", every)):
        if value < 1:
            raise InvalidInput.field(name, value, "at least 1")
    rows: list[dict[str, Any]] = []
    for loan in loans:
        for on in _month_ends(max(loan.disbursed_on, first or loan.disbursed_on), known_on, months, every):
            bad = behaviour_outcome(loan, on, known_on, months=months)
            if bad is not None:
                more = dict(extra(loan, on)) if extra else {}
                rows.append(
                    {"loan_id": loan.loan_id, "on": on} | behaviour_facts(loan, on) | more | {"bad": int(bad)}
                )
    schema = {"loan_id": pl.String, "on": pl.Date} | dict.fromkeys((c.name for c in BEHAVIOUR), pl.Int64)
    frame = pl.DataFrame(
        rows, schema=schema | {"bad": pl.Int64} if not rows else None, infer_schema_length=None
    )
    fixed = [pl.col(name).cast(kind) for name, kind in schema.items()]
    return frame.with_columns(fixed).sort("on", "loan_id", maintain_order=True)


def train_behaviour(
    frame: pl.DataFrame,
    *,
    known_on: date | None = None,
    kind: Literal["boosted", "logistic"] = "boosted",
    characteristics: Sequence[Characteristic] = (),
    name: str = "behaviour",
    note: str = "",
    base_rate: tuple[int, int] | None = None,
    boosting: Boosting | None = None,
) -> PointsModel:
    """A behaviour score from a frame of `behaviour_frame`, or of rows kept at closes, with `on` and `bad`.

    `characteristics` declare what the frame has beside `BEHAVIOUR`. Those of `BEHAVIOUR` that the frame does
    not have are not used.

    Raises:
        InvalidInput: as the trainers.
    """
    known = [c for c in BEHAVIOUR if c.name in frame.columns]
    declared = (*known, *characteristics)
    if kind == "logistic":
        return train(frame, "bad", declared, name=name, known_on=known_on, note=note, base_rate=base_rate)
    return train_boosted(
        frame,
        "bad",
        declared,
        name=name,
        known_on=known_on,
        note=note,
        base_rate=base_rate,
        order="on" if "on" in frame.columns else None,
        boosting=boosting,
    )


def _asked(loan: Loan, on: date) -> bool:
    """Whether a loan is open and not in default at the end of a day."""
    closed = loan.closed_on is not None and loan.closed_on <= on
    lost = loan.loss is not None and loan.loss.written_off_on <= on
    return loan.disbursed_on <= on and not closed and not lost and loan.days_past_due(on) <= DEFAULT_DAYS


def _default_day(loan: Loan, after: date, upto: date) -> date | None:
    """The first day after one and up to another on which a loan is in default.

    More than 90 days past due begins 91 days after a due date that was not covered by then.
    """
    found = [
        day
        for due_on, covered in _covered(loan, upto)
        if after < (day := due_on + timedelta(days=DEFAULT_DAYS + 1)) <= upto
        and (covered is None or covered >= day)
        and loan.days_past_due(day) > DEFAULT_DAYS
    ]
    if loan.loss is not None and after < loan.loss.written_off_on <= upto:
        found.append(loan.loss.written_off_on)
    return min(found, default=None)


def _covered(loan: Loan, on: date) -> Iterator[tuple[date, date | None]]:
    """Each due date up to a day, with the value date of the payment that covered all that was due by it."""
    payments = iter(loan.payments)
    cash, valued = 0, loan.disbursed_on
    for due_on, owed in zip(loan.terms.due_on, loan.terms.owed_minor, strict=True):
        if due_on > on:
            return
        while cash < owed:
            payment = next(payments, None)
            if payment is None or payment.value_on > on:
                break
            part = payment.allocation
            cash += part.interest_minor + part.principal_minor + part.excess_minor
            valued = payment.value_on
        yield due_on, valued if cash >= owed else None


def _due_by(loan: Loan, on: date) -> int:
    return sum(1 for due_on in loan.terms.due_on if due_on <= on)


def _months(start: date, end: date) -> int:
    return (end.year - start.year) * 12 + end.month - start.month


def _month_ends(first: date, known_on: date, months: int, every: int) -> Iterator[date]:
    """The ends of months from a day on whose window was over on another: every so many, with the last."""
    month = known_on.replace(day=1)
    found = []
    back = 0
    while True:
        end = add_months(month, 1 - back) - timedelta(days=1)
        if end < first:
            break
        if add_months(end, months) <= known_on:
            found.append(end)
        back += 1
    yield from reversed(found[::every])
