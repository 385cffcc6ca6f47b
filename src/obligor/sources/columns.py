"""From a lender's columns to facts: Polars expressions, each with the checks that tell it from nonsense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from obligor.kernel import EXPONENTS
from obligor.sources.spec import Amount, Dated, Field, Purpose, Rate, Term

__all__ = ["Check", "Made", "amount", "dated", "fact", "purpose", "rate", "term"]

_RATE_TO_BP = {"fraction": 10_000, "percent": 100, "bp": 1}
_TERM_TO_MONTHS = {"months": 1, "years": 12}
# Rows from which on the values of a column say in which unit they are.
_ENOUGH = 30


@dataclass(frozen=True)
class Check:
    """Rows in which `bad` holds break a promise of the mapping: at `path`, `shown` is not `accepted`."""

    path: str
    bad: pl.Expr
    shown: pl.Expr
    accepted: str


@dataclass(frozen=True)
class Made:
    """An expression for a value, and the checks to be made on the whole table before it is used."""

    value: pl.Expr
    checks: tuple[Check, ...]


def fact(path: str, field: Field, dtype: pl.DataType, currency: str, issued: pl.Expr) -> Made:
    """A field's fact: Int64, String, Boolean or Date; a decimal is Int64 times 10^scale."""
    given = _present(field.column, dtype, field.missing)
    match field.type:
        case "category" if field.values is None:
            return Made(given.cast(pl.String), ())
        case "category":
            return _named(path, given, field.values or {}, pl.String(), "values")
        case "flag":
            return _named(path, given, field.values or {}, pl.Boolean(), "values")
        case "level":
            return _bounded(path, field, _named(path, given, field.levels or {}, pl.Int64(), "levels"))
        case "date" | "months_between":
            return _dated_fact(path, field, dtype, given, issued)
        case "int":
            return _bounded(path, field, _whole(path, given, dtype, field.strip, 1, exact=True))
        case "decimal":
            return _bounded(path, field, _whole(path, given, dtype, field.strip, 10 ** (field.scale or 0)))
        case "rate":
            unit = field.unit or "bp"
            made = _whole(path, given, dtype, field.strip, _RATE_TO_BP[unit])
            return _bounded(path, field, Made(made.value, (*made.checks, *_likely(path, unit, made.value))))
        case "money":
            times = 10 ** EXPONENTS[currency] if field.unit == "major" else 1
            return _bounded(path, field, _whole(path, given, dtype, field.strip, times))


def amount(path: str, part: Amount, dtype: pl.DataType, currency: str, least: int = 0) -> Made:
    """Money in minor units, by half-even from what the table holds; nulls are refused."""
    times = 10 ** EXPONENTS[currency] if part.unit == "major" else 1
    made = _whole(path, pl.col(part.column), dtype, part.strip, times)
    return _required(path, made, made.value < least, f"an amount of at least {least} minor units")


def rate(path: str, part: Rate, dtype: pl.DataType) -> Made:
    """A rate in basis points a year, by half-even; at most 1000 %."""
    made = _whole(path, pl.col(part.column), dtype, part.strip, _RATE_TO_BP[part.unit])
    made = Made(made.value, (*made.checks, *_likely(path, part.unit, made.value)))
    outside = (made.value < 0) | (made.value > 100_000)
    return _required(path, made, outside, f"a rate from 0 to 1000 % in the unit {part.unit}")


def term(path: str, column: str, part: Term, dtype: pl.DataType) -> Made:
    """A term in months, from 1 to 600."""
    made = _whole(path, pl.col(column), dtype, part.strip, _TERM_TO_MONTHS[part.unit], exact=True)
    outside = (made.value < 1) | (made.value > 600)
    return _required(path, made, outside, f"a term from 1 to 600 months in the unit {part.unit}")


def dated(path: str, part: Dated, dtype: pl.DataType, *, required: bool) -> Made:
    """A date; with month precision the first of its month."""
    made = _day(path, pl.col(part.column), dtype, part.format)
    value = made.value.dt.truncate("1mo") if part.precision == "month" else made.value
    if not required:
        return Made(value, made.checks)
    return _required(path, Made(value, made.checks), pl.lit(value=False), "a date")


def purpose(path: str, part: Purpose, dtype: pl.DataType) -> Made:
    """What the money was asked for, by its name."""
    given = _present(part.column, dtype, ())
    if part.values is None:
        return Made(given.cast(pl.String), ())
    return _named(path, given, part.values, pl.String(), "values")


def _present(column: str, dtype: pl.DataType, missing: Sequence[Any]) -> pl.Expr:
    """The column, with null for each of its values that says nothing."""
    given = pl.col(column)
    if dtype == pl.String:
        said = [str(value) for value in missing]
        return given if not said else pl.when(given.is_in(said).not_()).then(given)
    numbers = [value for value in missing if isinstance(value, int | float)]
    return given if not numbers else pl.when(given.is_in(numbers).not_()).then(given)


def _required(path: str, made: Made, outside: pl.Expr, accepted: str) -> Made:
    check = Check(
        f"{path}.column", made.value.is_null() | outside.fill_null(value=True), made.value, accepted
    )
    return Made(made.value, (*made.checks, check))


def _named(path: str, given: pl.Expr, names: Mapping[str, Any], result: pl.DataType, option: str) -> Made:
    text = given.cast(pl.String)
    value = text.replace_strict(list(names), list(names.values()), default=None, return_dtype=result)
    check = Check(
        f"{path}.{option}",
        text.is_not_null() & value.is_null(),
        text,
        f"one of the {option} that are listed: {', '.join(names)}",
    )
    return Made(value, (check,))


def _whole(
    path: str, given: pl.Expr, dtype: pl.DataType, strip: Sequence[str], times: int, *, exact: bool = False
) -> Made:
    """The integer nearest to a number times `times` (ties to even); with `exact` only whole numbers pass."""
    where = f"{path}.column"
    checks: list[Check] = []
    if dtype.is_integer():
        return Made(given.cast(pl.Int64) * times, ())
    if dtype == pl.String:
        text = given
        for part in strip:
            text = text.str.replace_all(part, "", literal=True)
        number = text.str.strip_chars().cast(pl.Float64, strict=False)
        checks.append(Check(where, given.is_not_null() & number.is_null(), given, "a number"))
    elif dtype.is_numeric():
        number = given.cast(pl.Float64)
    else:
        return Made(pl.lit(None, pl.Int64), (_mistyped(where, dtype, "a column of numbers"),))
    finite = pl.when(number.is_finite()).then(number)
    if exact:
        checks.append(
            Check(where, finite.is_not_null() & (finite != finite.round()), number, "whole numbers")
        )
    checks.append(Check(where, number.is_not_null() & finite.is_null(), number, "a finite number"))
    return Made((finite * times).round(mode="half_to_even").cast(pl.Int64), tuple(checks))


def _bounded(path: str, field: Field, made: Made) -> Made:
    special = made.value.is_in(list(field.special)) if field.special else pl.lit(value=False)
    checks = list(made.checks)
    if field.minimum is not None:
        low = (made.value < field.minimum) & special.not_()
        checks.append(Check(f"{path}.minimum", low, made.value, f"at least {field.minimum}, or another unit"))
    if field.maximum is not None:
        high = (made.value > field.maximum) & special.not_()
        checks.append(Check(f"{path}.maximum", high, made.value, f"at most {field.maximum}, or another unit"))
    return Made(made.value, tuple(checks))


def _day(path: str, given: pl.Expr, dtype: pl.DataType, form: str | None) -> Made:
    where = f"{path}.column"
    if dtype == pl.Date:
        return Made(given, ())
    if dtype == pl.Datetime:
        return Made(given.dt.date(), ())
    if dtype != pl.String:
        return Made(pl.lit(None, pl.Date), (_mistyped(where, dtype, "a column of dates or of text"),))
    pattern = form or "%Y-%m-%d"
    # A month alone is no date to a parser.
    whole = pattern if "%d" in pattern else f"%d {pattern}"
    text = given if "%d" in pattern else pl.lit("01 ") + given
    value = text.str.to_date(whole, strict=False)
    return Made(
        value, (Check(where, given.is_not_null() & value.is_null(), given, f"a date like {pattern}"),)
    )


def _dated_fact(path: str, field: Field, dtype: pl.DataType, given: pl.Expr, issued: pl.Expr) -> Made:
    made = _day(path, given, dtype, field.format)
    later = Check(
        f"{path}.column",
        made.value.dt.truncate("1mo") > issued.dt.truncate("1mo"),
        made.value,
        "a date that was known at the application, not one after it",
    )
    checks = (*made.checks, later)
    if field.type == "date":
        return Made(made.value, checks)
    months = 12 * (issued.dt.year() - made.value.dt.year()).cast(pl.Int64) + (
        issued.dt.month().cast(pl.Int64) - made.value.dt.month().cast(pl.Int64)
    )
    # A month is whole once its day has come; a table that knows months only always says the first.
    begun = (made.value.dt.day() > issued.dt.day()).cast(pl.Int64)
    return _bounded(path, field, Made((months - begun).clip(lower_bound=0), checks))


def _likely(path: str, unit: str, value: pl.Expr) -> tuple[Check, ...]:
    """Shares that are said to be in percent and look like fractions, or the other way."""
    known, enough = value.is_not_null(), value.count() >= _ENOUGH
    where = f"{path}.unit"
    if unit == "percent":
        small = (value.quantile(0.99) <= 150) & (value.max() > 0) & enough
        accepted = "fraction, it seems: hardly any value is above 1.5 percent (shown in basis points)"
        return (Check(where, known & small, value, accepted),)
    if unit == "fraction":
        large = (value.median() > 20_000) & enough
        accepted = (
            "percent, it seems: half the values are above 2, which is 200 percent (shown in basis points)"
        )
        return (Check(where, known & large, value, accepted),)
    return ()


def _mistyped(where: str, dtype: pl.DataType, accepted: str) -> Check:
    return Check(where, pl.col("_row").is_not_null(), pl.lit(str(dtype)), accepted)
