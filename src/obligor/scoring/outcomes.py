"""What a trainer learns from: known outcomes, goods and bads both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from obligor.kernel import InvalidInput
from obligor.scoring.woe import Ints

if TYPE_CHECKING:
    import polars as pl

__all__ = ["outcomes"]


def outcomes(frame: pl.DataFrame, target: str, names: Iterable[str]) -> Ints:
    """1 for bad and 0 for good of every row of a frame that has the named columns.

    Raises:
        InvalidInput: a column is absent, an outcome is unknown or neither, or there are no goods or no bads.
    """
    import polars as pl

    absent = [name for name in (target, *names) if name not in frame.columns]
    if absent:
        raise InvalidInput.field(absent[0], sorted(frame.columns), "a column of the frame")
    column = frame[target]
    if column.null_count():
        raise InvalidInput.field(
            target,
            f"{column.null_count()} unknown",
            "known outcomes only: an open loan is neither good nor bad",
        )
    if not (column.dtype.is_integer() or column.dtype == pl.Boolean):
        raise InvalidInput.field(target, str(column.dtype), "integers 0 and 1, or booleans")
    bad = column.cast(pl.Int64).to_numpy()
    found = np.unique(bad).tolist()
    if found != [0, 1]:
        raise InvalidInput.field(target, found[:5], "1 for bad and 0 for good, and some of both")
    return bad
