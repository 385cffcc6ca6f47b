"""What a mapping file may say, section by section."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from obligor.kernel import Currency, Ident, Text

__all__ = [
    "Amount",
    "Characteristic",
    "Dated",
    "Deciding",
    "Field",
    "FieldType",
    "History",
    "Issued",
    "NotInput",
    "OffPolicy",
    "Outcome",
    "Purpose",
    "Rate",
    "Rebuild",
    "Repaid",
    "Spec",
    "Status",
    "Term",
    "Training",
]

Scalar = str | int | float | bool
FieldType = Literal["int", "decimal", "money", "rate", "category", "level", "flag", "date", "months_between"]
FactName = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z][a-z0-9_]{0,63}\Z",
        description="a fact's name: small letters, digits and _, units last (_minor, _bp, _months)",
    ),
]
Few = Annotated[int, Meta(ge=1, le=120, description="a number of months from 1 to 120")]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section; what it does not know is refused."""


class Amount(_Part, frozen=True, kw_only=True):
    """A column of money in the table's currency. `strip` are texts taken out before a number is read."""

    column: str
    unit: Literal["major", "minor"] = "major"
    strip: tuple[str, ...] = ()


class Rate(_Part, frozen=True, kw_only=True):
    """A column of rates a year."""

    column: str
    unit: Literal["fraction", "percent", "bp"]
    strip: tuple[str, ...] = ()


class Term(_Part, frozen=True, kw_only=True):
    """A column of terms, or `months` where all have the same."""

    column: str | None = None
    months: Annotated[int, Meta(ge=1, le=600)] | None = None
    unit: Literal["months", "years"] = "months"
    strip: tuple[str, ...] = ()


class Dated(_Part, frozen=True, kw_only=True):
    """A column of dates. With `precision: month` the day in it says nothing.

    `format` is how a column of text writes them, in the signs of strftime.
    """

    column: str
    precision: Literal["day", "month"] = "day"
    format: str | None = None


class Issued(_Part, frozen=True, kw_only=True):
    """When each loan was made: a column of dates as in `Dated`, or `day`, for a table without dates."""

    column: str | None = None
    precision: Literal["day", "month"] = "day"
    format: str | None = None
    day: date | None = None


class Purpose(_Part, frozen=True, kw_only=True):
    """What the money was asked for; without `values` as it stands in the column."""

    column: str
    values: dict[str, Ident] | None = None


class Field(_Part, frozen=True, kw_only=True):
    """A column as a fact of the application.

    int            whole numbers as they are.
    decimal        numbers with `scale` places; a string in a request, an integer times 10^scale in a frame.
    money          `unit` major or minor; the fact is in minor units (name ends in _minor).
    rate           `unit` fraction, percent or bp; the fact is in basis points (name ends in _bp).
    category       text; `values` gives each its name, without it the text is the name.
    level          text that stands for an amount; `levels` gives each its integer.
    flag           `values` gives each text its true or false.
    date           a day; `format` is how text writes it.
    months_between whole months from the column's date to the application (name ends in _months).

    `missing` are values that say nothing; `special` are numbers that are codes and no quantities, with what
    they mean; `minimum` and `maximum` bound the fact in its own unit. A missing value is a null fact.
    """

    column: str
    type: FieldType
    unit: str | None = None
    scale: Annotated[int, Meta(ge=1, le=8)] | None = None
    values: dict[str, Ident | bool] | None = None
    levels: dict[str, int] | None = None
    missing: tuple[Scalar, ...] = ()
    special: dict[int, Text] = {}
    minimum: int | None = None
    maximum: int | None = None
    format: str | None = None
    strip: tuple[str, ...] = ()


class History(_Part, frozen=True, kw_only=True):
    """The terms that the loan really had: they rebuild its life and are never inputs."""

    funded: Amount
    rate: Rate


class Status(_Part, frozen=True, kw_only=True):
    """How each loan stood when the table was made. `open` is neither good nor bad."""

    column: str
    repaid: tuple[str | int, ...]
    bad: tuple[str | int, ...]
    open: tuple[str | int, ...] = ()


class OffPolicy(_Part, frozen=True, kw_only=True):
    """Loans made outside the lender's policy: kept in the training frame or left out, and why."""

    column: str
    values: tuple[str, ...]
    training: Literal["keep", "leave_out"]
    why: Text


class Outcome(_Part, frozen=True, kw_only=True):
    """How the loans ended, as seen on `observed_on`, and when each was last paid, if the table says."""

    status: Status
    observed_on: date
    last_payment: Dated | None = None
    off_policy: OffPolicy | None = None


class Repaid(_Part, frozen=True, kw_only=True):
    """What was received over a loan's life, by kind. `recoveries` came after write-off, before costs."""

    principal: Amount
    interest: Amount
    fees: Amount | None = None
    recoveries: Amount | None = None
    recovery_costs: Amount | None = None
    last_payment: Amount | None = None


class Rebuild(_Part, frozen=True, kw_only=True):
    """What totals do not say: when a loan was written off, and when recoveries came.

    `rounding_minor` is how far a repaid loan's received principal may lie from what was lent.
    """

    write_off_days_past_due: Annotated[int, Meta(ge=1, le=720)] = 150
    recovery_after_days: Annotated[int, Meta(ge=1, le=720)] = 90
    rounding_minor: Annotated[int, Meta(ge=0, le=1000)] = 100


class NotInput(_Part, frozen=True, kw_only=True):
    """Why a column may not be an input."""

    kind: Literal["own_score", "outcome", "terms", "identity", "geography", "unusable"]
    why: Text


class Training(_Part, frozen=True, kw_only=True):
    """What a label is, and the day on which it had to be known."""

    known_on: date
    days_past_due: Annotated[int, Meta(ge=1, le=360)] = 90
    within_months: Few = 12
    minimum_age_months: Few = 12


class Deciding(_Part, frozen=True, kw_only=True):
    """Which loans are decided: those issued from the first date to the last, both included.

    Where the table has no dates, `one_row_in` 3 decides every third row by a model of the others.
    """

    issued_from: date | None = None
    issued_to: date | None = None
    one_row_in: Annotated[int, Meta(ge=2, le=100)] | None = None

    @property
    def window(self) -> tuple[date, date]:
        """Its first and last day; a mapping with dates was checked to have both."""
        return self.issued_from or date.min, self.issued_to or date.max


class Characteristic(_Part, frozen=True, kw_only=True):
    """A fact that the model may use. `risk` says how the bad rate moves as the value grows.

    It is `rising`, `falling`, whichever of the two tells more (`monotone`, the default), or `free`; a fact
    whose values have no order has none. `code` and the texts are what a declined person is told when it cost
    most points.
    """

    code: Annotated[str, Meta(pattern=r"\A[A-Z][A-Z0-9_]{0,31}\Z", description="a code such as B01")]
    en: Annotated[str, Meta(min_length=1, max_length=300)]
    zh: Annotated[str, Meta(min_length=1, max_length=300)]
    risk: Literal["monotone", "rising", "falling", "free"] | None = None


class Spec(_Part, frozen=True, kw_only=True):
    """A whole mapping file. `product` is one name, or a name for each term in months.

    `history` and `repaid` are there if the table says how loans were repaid: without them loans are decided
    and not lived. `training` is there if it has dates. No fact may tell the outcome with an area under the
    curve above `auc_alarm`, which no honest application of this kind of lending reaches.
    """

    mapping: FactName
    version: Annotated[int, Meta(ge=1)]
    title: dict[Literal["en", "zh"], Text]
    origin: Annotated[str, Meta(max_length=2000)]
    currency: Currency
    # Not `Ident`: msgspec 0.22 crashes on a union of a text with a pattern and a container.
    product: str | Annotated[dict[int, Ident], Meta(min_length=1, description="a name for each term")]
    channel: Ident
    strategy: Ident
    issued: Issued
    amount: Amount
    term: Term
    outcome: Outcome
    deciding: Deciding
    fields: Annotated[dict[FactName, Field], Meta(min_length=1)]
    characteristics: Annotated[dict[FactName, Characteristic], Meta(min_length=1)]
    history: History | None = None
    repaid: Repaid | None = None
    training: Training | None = None
    purpose: Purpose | None = None
    row_id: str | None = None
    rebuild: Rebuild = Rebuild()
    auc_alarm: Annotated[float, Meta(gt=0.5, le=1.0)] = 0.8
    not_inputs: dict[str, NotInput] = {}
