"""Where a value falls: thresholds or groups, then special codes, then missing, then other categories."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from msgspec import Meta

from obligor.kernel import MAX_INTEGER, InvalidInput
from obligor.scoring.characteristic import Characteristic, Value
from obligor.scoring.woe import Ints

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Layout"]


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cells of one characteristic, counted from 0.

    A number falls into cell i when cuts[i-1] <= it < cuts[i]; a category into the cell of its group. Then
    comes a cell for each special code, one for missing, and, where unseen categories count as `other`,
    one for these.
    """

    characteristic: Characteristic
    cuts: tuple[Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def plain(self) -> int:
        """How many cells are intervals or groups: they come first."""
        return len(self.cuts) + 1 if self.characteristic.is_number else len(self.groups)

    @property
    def missing(self) -> int:
        """The cell of values that are not known."""
        return self.plain + len(self.characteristic.specials)

    @property
    def other(self) -> int:
        """The cell of categories that are rare or unseen."""
        return self.missing + (not self.characteristic.is_number and self.characteristic.unseen == "other")

    @property
    def size(self) -> int:
        """How many cells there are."""
        return self.other + 1

    @property
    def exact(self) -> dict[Value, int]:
        """The cells that hold single values: categories, special codes, None."""
        found: dict[Value, int] = {value: cell for cell, group in enumerate(self.groups) for value in group}
        found |= {special: self.plain + n for n, special in enumerate(self.characteristic.specials)}
        found[None] = self.missing
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """What each cell holds, in S-FEEL: `< 3`, `[3..7)`, `>= 7`, `"own","rent"`, `null`, `other`."""
        found: list[str] = []
        if self.characteristic.is_number:
            edges = [self._shown(cut) for cut in self.cuts]
            if not edges:
                found.append("-")
            else:
                inner = [f"[{low}..{high})" for low, high in pairwise(edges)]
                found += [f"< {edges[0]}", *inner, f">= {edges[-1]}"]
            found += [self._shown(int(special)) for special in self.characteristic.specials]
        else:
            found += [",".join(f'"{value}"' for value in group) for group in self.groups]
            found += [f'"{special}"' for special in self.characteristic.specials]
        found.append("null")
        return (*found, *["other"] * (self.size - len(found)))

    def _shown(self, scaled: int) -> str:
        scale = self.characteristic.scale
        if not scale:
            return str(scaled)
        whole, rest = divmod(abs(scaled), 10**scale)
        return f"{'-' if scaled < 0 else ''}{whole}.{rest:0{scale}d}"

    def finder(self) -> Callable[[Value], int]:
        """A function from a value to its cell."""
        exact = self.exact
        cuts = self.cuts
        other = self.other
        if self.characteristic.is_number:
            return lambda value: exact[value] if value in exact else bisect_right(cuts, value)  # type: ignore[type-var]
        return lambda value: exact.get(value, other)

    def cells(self, column: pl.Series) -> Ints:
        """The cell of each value of a column.

        Numbers are integer columns, already times 10 to the scale, or, for decimals, texts or Decimal;
        categories are texts; booleans are Boolean.

        Raises:
            InvalidInput: the column has another type; floats are never accepted.
        """
        import polars as pl

        if self.characteristic.is_number and column.dtype.is_integer():
            return self._integers(column)
        if column.dtype in (pl.Categorical, pl.Enum) or column.dtype.is_decimal():
            column = column.cast(pl.String)
        if column.dtype not in (pl.String, pl.Boolean, pl.Null):
            raise InvalidInput.field(
                self.characteristic.name,
                str(column.dtype),
                "a column of integers, texts or booleans: floats are rounded to the scale first",
            )
        find = self.finder()
        values = column.unique(maintain_order=True)
        places = [find(self.characteristic.value(value)) for value in values]
        return column.replace_strict(values, places, return_dtype=pl.Int64).to_numpy()

    def _integers(self, column: pl.Series) -> Ints:
        import polars as pl

        nulls = column.is_null().to_numpy()
        values = column.cast(pl.Int64).fill_null(0).to_numpy()
        if len(values) and max(abs(int(values.min())), abs(int(values.max()))) > MAX_INTEGER:
            worst = int(values[np.abs(values).argmax()])
            raise InvalidInput.field(self.characteristic.name, worst, f"integers up to {MAX_INTEGER}")
        cells = np.searchsorted(np.array(self.cuts, np.int64), values, side="right").astype(np.int64)
        for number, special in enumerate(self.characteristic.specials):
            cells[values == special] = self.plain + number
        cells[nulls] = self.missing
        return cells
