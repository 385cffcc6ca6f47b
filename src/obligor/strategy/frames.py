"""Frames of facts: checked column by column against the inputs, and turned into what a plan reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from obligor.kernel import Fact, InvalidInput, Violation
from obligor.strategy.facts import accepted
from obligor.strategy.schema import Input
from obligor.strategy.vectors import FEW, Pool, integer, select

__all__ = ["DIGITS", "ROWS", "FrameReader", "frame_of", "refusal"]

# The digits of a Decimal column, the most that Polars has.
DIGITS = 38
# A typed frame's column that only says how many rows there are.
ROWS = "rows"


def frame_of(inputs: Mapping[str, Input], facts: Mapping[str, Sequence[Fact]]) -> pl.DataFrame:
    """Written facts, column by column, as a frame that `FrameReader` takes.

    Raises:
        InvalidInput: a column is missing, or a fact is not of the type of its input: the first of each
        column.
    """
    columns: list[pl.Series] = []
    wrong: list[Violation] = []
    for name, item in inputs.items():
        values = facts.get(name)
        if values is None:
            wrong.append(Violation.of(name, None, f"a column: {accepted(item)}"))
            continue
        try:
            columns.append(pl.Series(name, _read(values, item), dtype=_dtype(item)))
        except (TypeError, ValueError, ArithmeticError):
            row = next(number for number, value in enumerate(values) if not _readable(value, item))
            wrong.append(Violation.of(f"{name}[{row}]", values[row], accepted(item)))
    if wrong:
        raise refusal(wrong)
    return pl.DataFrame(columns)


def _dtype(item: Input) -> pl.DataType:
    if item.type == "decimal":
        return pl.Decimal(DIGITS, item.scale)
    return {"boolean": pl.Boolean, "category": pl.String, "date": pl.Date}.get(item.type, pl.Int64)()


def _read(values: Sequence[Fact], item: Input) -> Sequence[Any]:
    """Written facts as Polars takes them.

    Raises:
        TypeError: one is of another class than its input.
        ValueError, ArithmeticError: a text is no such fact.
    """
    if not set(map(type, values)) <= _CLASSES[item.type]:
        raise TypeError
    if item.type == "decimal":
        return [None if value is None else _decimal(value, item.scale) for value in values]
    if item.type == "date":
        return [None if value is None else date.fromisoformat(str(value)) for value in values]
    return values


def _decimal(value: Fact, scale: int) -> Decimal:
    found = Decimal(value or 0)
    if found != round(found, scale):
        raise ValueError
    return found


def _readable(value: Fact, item: Input) -> bool:
    try:
        pl.Series(_read([value], item), dtype=_dtype(item))
    except (TypeError, ValueError, ArithmeticError):
        return False
    return True


_NONE = type(None)
_CLASSES: Mapping[str, set[type]] = {
    "integer": {int, _NONE},
    "decimal": {int, str, _NONE},
    "boolean": {bool, _NONE},
    "category": {str, _NONE},
    "date": {str, _NONE},
}


class FrameReader:
    """Reads frames of facts for a set of inputs; what a schema asks for is worked out once."""

    def __init__(self, inputs: Mapping[str, Input], pool: Pool) -> None:
        self.inputs = inputs
        self.pool = pool
        self._plans: dict[tuple[pl.DataType | None, ...], _Reading] = {}

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The columns of the inputs as a plan takes them: `v_<name>`, integers in units, categories as codes.

        A column holds whole numbers of any width, booleans, dates, texts or categories, as its input is; for
        a decimal, Decimals with no more places than the input has, or whole numbers. Floats are not taken.

        Raises:
            InvalidInput: a column is missing, of another type, or holds what its input does not take; every
                such column is named with its first such row, counted from 0.
        """
        reading = self._reading(frame.schema)
        found = frame.select(reading.extremes).row(0, named=True) if reading.extremes else {}
        typed = frame.select(reading.typed)
        wrong = []
        for name, item in self.inputs.items():
            outside = self._outside(frame, typed.get_column(f"v_{name}"), name, found)
            if outside is not None:
                row = outside.arg_true()[0]
                wrong.append(Violation.of(f"{name}[{row}]", frame.get_column(name)[row], accepted(item)))
        if wrong:
            raise refusal(wrong)
        return typed.with_columns(pl.repeat(True, frame.height, eager=True).alias(ROWS))

    def _reading(self, schema: pl.Schema) -> _Reading:
        key = tuple(schema.get(name) for name in self.inputs)
        if key not in self._plans:
            wrong = list(_misfits(self.inputs, schema))
            if wrong:
                raise refusal(wrong)
            self._plans[key] = _Reading(
                [
                    _typed(schema[name], name, item, self.pool).alias(f"v_{name}")
                    for name, item in self.inputs.items()
                ],
                list(_extremes(self.inputs, schema)),
            )
        return self._plans[key]

    def _outside(
        self, frame: pl.DataFrame, typed: pl.Series, name: str, found: Mapping[str, Any]
    ) -> pl.Series | None:
        """Where a column holds what its input does not take; None where it does nowhere."""
        item = self.inputs[name]
        if not item.nullable and frame.get_column(name).null_count():
            return frame.get_column(name).is_null()
        if item.type == "category":
            return typed == self.pool.unknown if typed.max() == self.pool.unknown else None
        if item.minimum is None or item.maximum is None or found.get(f"min_{name}") is None:
            return None
        numbers = _numbers(frame.schema[name], name, item)
        # The input's bounds in what the column counts in.
        lo, hi = -(-item.minimum // numbers.worth), item.maximum // numbers.worth
        if lo <= found[f"min_{name}"] and found[f"max_{name}"] <= hi:
            return None
        return frame.select((numbers.expr < lo) | (numbers.expr > hi)).to_series()


class _Reading(NamedTuple):
    """The typed columns of a schema, and the least and greatest of each that has bounds."""

    typed: list[pl.Expr]
    extremes: list[pl.Expr]


class _Numbers(NamedTuple):
    """The integers of a column, and what one of them is worth in units of its input."""

    expr: pl.Expr
    worth: int


def refusal(wrong: list[Violation]) -> InvalidInput:
    """The refusal of a frame."""
    names = ", ".join(violation.field for violation in wrong)
    return InvalidInput(f"columns that the strategy does not take: {names}", wrong)


def _misfits(inputs: Mapping[str, Input], schema: pl.Schema) -> Iterator[Violation]:
    """Columns that are missing or of a type that their input does not take."""
    for name, item in inputs.items():
        dtype = schema.get(name)
        if dtype is None:
            yield Violation.of(name, None, f"a column: {accepted(item)}")
        elif not _fits(dtype, item):
            yield Violation.of(name, str(dtype), f"a column of {_WANTED[item.type].format(item.scale)}")


_WANTED = {
    "integer": "whole numbers",
    "decimal": "Decimals with at most {} places, or of whole numbers",
    "boolean": "booleans",
    "category": "texts or categories",
    "date": "dates",
}


def _fits(dtype: pl.DataType, item: Input) -> bool:
    if dtype == pl.Null:
        return True
    if item.type == "boolean":
        return dtype == pl.Boolean
    if item.type == "category":
        return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
    if item.type == "date":
        return dtype == pl.Date
    if isinstance(dtype, pl.Decimal):
        return item.type == "decimal" and dtype.scale <= item.scale
    return dtype.is_integer()


def _numbers(dtype: pl.DataType, name: str, item: Input) -> _Numbers:
    column = pl.col(name)
    if dtype == pl.Date:
        return _Numbers(column.to_physical(), 1)
    if isinstance(dtype, pl.Decimal):
        return _Numbers(column.to_physical(), 10 ** (item.scale - dtype.scale))
    return _Numbers(column, 10**item.scale)


def _extremes(inputs: Mapping[str, Input], schema: pl.Schema) -> Iterator[pl.Expr]:
    for name, item in inputs.items():
        if item.minimum is not None and schema[name] != pl.Null:
            numbers = _numbers(schema[name], name, item).expr
            yield from (numbers.min().alias(f"min_{name}"), numbers.max().alias(f"max_{name}"))


def _typed(dtype: pl.DataType, name: str, item: Input, pool: Pool) -> pl.Expr:
    """A column as a plan takes it; what is out of bounds may become anything."""
    if item.type == "boolean":
        return pl.col(name).cast(pl.Boolean)
    if item.type == "category":
        return _codes(dtype, pl.col(name), item, pool)
    numbers = _numbers(dtype, name, item)
    whole = numbers.expr.cast(pl.Int64, strict=False)
    return whole if numbers.worth == 1 else whole * integer(numbers.worth)


def _codes(dtype: pl.DataType, column: pl.Expr, item: Input, pool: Pool) -> pl.Expr:
    """The codes of a category's texts; the code of `other`, or `pool.unknown`, for those not listed."""
    rest = pool.unknown if item.other is None else pool.codes[item.other]
    listed = {value: pool.codes[value] for value in item.values}
    if isinstance(dtype, pl.Enum):
        packed = [listed.get(value, rest) for value in dtype.categories] or [rest]
        return pl.lit(pl.Series(packed, dtype=pool.dtype)).gather(column.to_physical())
    text = column.cast(pl.String)
    if len(listed) > FEW:
        codes = text.replace_strict(
            list(listed), list(listed.values()), default=rest, return_dtype=pool.dtype
        )
    else:
        codes = pl.lit(rest, dtype=pool.dtype)
        for value, code in listed.items():
            codes = select(text == pl.lit(value), pl.lit(code, dtype=pool.dtype), codes)
    return pl.when(column.is_not_null()).then(codes)
