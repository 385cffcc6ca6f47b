"""Features for many moments: the same kernels as online, over the packed rows of many persons.

Whoever trains a model asks for rows that look as they would have looked when the decision was made. There is
no second implementation that could differ from the online one, and no join that could lose a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from obligor.features.catalogue import Catalogue
from obligor.features.emit_kernel import NULL
from obligor.features.history import STILL
from obligor.features.table import SETTLED, Packed, currency_codes, pack
from obligor.kernel import InvalidInput, Violation

__all__ = ["SPINE", "backfill", "columns_for", "fill", "framed"]

# What a spine has; the last two may be left out.
SPINE = {
    "subject": pl.String(),
    "as_of": pl.Datetime("us", "UTC"),
    "known_upto": pl.Int64(),
    "currency": pl.String(),
}
_BLOCK = 16_384  # moments at a time: what they give lies beside the result until it is copied into it

Told = Callable[[int], None]


def backfill(
    batches: Iterable[pl.DataFrame], spine: pl.DataFrame, catalogue: Catalogue, *, told: Told | None = None
) -> pl.DataFrame:
    """The spine with a column of integers for each feature, row for row as it came.

    `batches` are settled tables (`settle`), each with all rows of the persons in it; only one is held at a
    time. The spine says for whom and as of when: `subject`, `as_of` (a time with its zone), and, if wanted,
    `known_upto`: only what has known_seq below it is seen, as if the journal ended there; without it, or
    where it is null, everything is seen, corrections included, whenever it was learned. `currency` is as in
    `Catalogue.compute`. Further columns are passed through. A person without events has the declared empty
    values. Values are those of `Catalogue.compute`, bit for bit. `told` is called with the number of events
    of each batch that is done.

    Raises:
        InvalidInput: a column of the spine is absent, of another type, null or named as a feature; a person
            lies in two batches, or has amounts in several currencies and none was named.
    """
    # Features by rows, so that each is one column of the result: nothing is copied to make the frame.
    values = np.empty((len(catalogue.names), len(spine)), np.int64)
    fill(batches, spine, catalogue, values, told=told)
    return framed(spine, values, catalogue)


def fill(
    batches: Iterable[pl.DataFrame],
    spine: pl.DataFrame,
    catalogue: Catalogue,
    values: NDArray[np.int64],
    *,
    told: Told | None = None,
) -> None:
    """`backfill` into an array of features by rows of the spine, which may lie on a disk; see `framed`.

    Raises:
        InvalidInput: as `backfill`.
    """
    moments = _Moments(spine, catalogue)
    for at, feature in enumerate(catalogue.features.values()):
        values[at] = NULL if feature.empty is None else feature.empty
    for batch in batches:
        if len(batch):
            moments.fill(pack(batch, catalogue.kernel.texts, catalogue.place), values)
        if told is not None:
            told(len(batch))


def framed(spine: pl.DataFrame, values: NDArray[np.int64], catalogue: Catalogue) -> pl.DataFrame:
    """Rows of a spine with what `fill` gave for them: features by rows."""
    return spine.with_columns(
        _column(name, values[at], nullable=catalogue.features[name].empty is None)
        for at, name in enumerate(catalogue.names)
    )


def _column(name: str, values: NDArray[np.int64], *, nullable: bool) -> pl.Series:
    series = pl.Series(name, values)
    return series.set(series == NULL, None) if nullable else series


def columns_for(catalogue: Catalogue) -> list[str]:
    """The columns of a settled table that a catalogue needs: texts of parties only where a filter asks."""
    asked = any(column == "party" for column, _ in catalogue.kernel.texts)
    return [name for name in SETTLED if name != ("party_code" if asked else "party")]


class _Moments:
    """A spine, its rows found by subject."""

    def __init__(self, spine: pl.DataFrame, catalogue: Catalogue) -> None:
        _check(spine, catalogue)
        self._catalogue = catalogue
        subjects = spine["subject"].cast(pl.String)
        order = subjects.arg_sort()
        self._order = order.to_numpy().astype(np.int64)
        runs = subjects.gather(order).rle().struct
        self._subjects = runs.field("value")
        lengths = runs.field("len").to_numpy()
        self._starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._done = np.zeros(len(self._subjects), np.bool_)
        self._as_of = spine["as_of"].dt.cast_time_unit("us").to_physical().to_numpy().astype(np.int64)
        known = spine["known_upto"] if "known_upto" in spine.columns else pl.Series([None], dtype=pl.Int64)
        self._known = np.broadcast_to(
            known.cast(pl.Int64).fill_null(STILL).to_numpy().astype(np.int64), len(spine)
        )
        self._currency = currency_codes(spine["currency"]) if "currency" in spine.columns else None

    def fill(self, packed: Packed, values: NDArray[np.int64]) -> None:
        """Compute the moments of these persons."""
        rows, persons = self._of(packed)
        money = self._money(packed, rows, persons)
        kernel, walk = self._catalogue.kernel, self._catalogue.built.fill
        for start in range(0, len(rows), _BLOCK):
            some = rows[start : start + _BLOCK]
            out = np.empty((len(some), len(values)), np.int64)
            seen = np.zeros((kernel.stamps, packed.most), np.int32)
            walk(
                packed.rows,
                packed.ends,
                persons[start : start + _BLOCK],
                self._as_of[some],
                self._known[some],
                packed.codes,
                money[start : start + _BLOCK],
                seen,
                out,
            )
            for column, computed in zip(values, out.T, strict=True):
                column[some] = computed

    def _of(self, packed: Packed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The spine's rows that ask for these persons, and which person each asks for."""
        if len(self._subjects) == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        place = self._subjects.search_sorted(packed.subjects).to_numpy().astype(np.int64)
        place = np.minimum(place, len(self._subjects) - 1)
        asked = (self._subjects.gather(place) == packed.subjects).to_numpy()
        place, persons = place[asked], np.flatnonzero(asked)
        if self._done[place].any():
            raise InvalidInput.field("events", "…", "all events of a person in one batch, ordered by subject")
        self._done[place] = True
        counts = self._starts[place + 1] - self._starts[place]
        # The numbers start, start + 1, … of each person, one after another.
        begins = np.repeat(self._starts[place] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        rows = self._order[begins + np.arange(counts.sum(), dtype=np.int64)]
        return rows, np.repeat(persons, counts)

    def _money(
        self, packed: Packed, rows: NDArray[np.int64], persons: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The code of the currency that each moment reads, -1 where there is none."""
        if self._currency is not None:
            return self._currency[rows]
        money = packed.currency[persons]
        if (money == -1).any():
            raise InvalidInput.field("currency", None, "a column: somebody has amounts in several currencies")
        return np.where(money == 0, np.int64(-1), money)


def _check(spine: pl.DataFrame, catalogue: Catalogue) -> None:
    wrong: list[Violation] = []
    for name, wanted in SPINE.items():
        given: Any = spine.schema.get(name)
        if given is None:
            if name in ("subject", "as_of"):
                wrong.append(Violation.of(name, None, f"a column of {wanted}"))
            continue
        fits = {
            "as_of": isinstance(given, pl.Datetime) and given.time_zone is not None,
            "known_upto": given.is_integer() or given == pl.Null,
        }.get(name, given == pl.String or isinstance(given, pl.Categorical | pl.Enum))
        if not fits:
            wrong.append(Violation.of(name, str(given), f"a column of {wanted}"))
        elif name != "known_upto" and spine[name].null_count():
            wrong.append(Violation.of(name, None, "a value in every row"))
    taken = [name for name in catalogue.names if name in spine.columns]
    wrong += [Violation.of(name, name, "a column that is not named as a feature") for name in taken]
    if wrong:
        raise InvalidInput("the spine does not say for whom and as of when", wrong)
