"""Events of many persons as a table: what a backfill reads, and how it becomes packed rows.

A table comes as `TABLE` says, one row for each row that an event gives. `settle` resolves what takes rows
out of view, orders them by person and time and numbers the texts: the result, `SETTLED`, is what is kept in
Parquet and what `pack` turns into the rows that kernels take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from obligor.features.build import Place
from obligor.features.history import STILL
from obligor.features.measure import DIRECTIONS, SOURCES
from obligor.features.plan import Text
from obligor.features.rows import END, KINDS, LARGEST_AMOUNT, ROW, Rows, gives
from obligor.kernel import Event, InvalidInput, Violation

__all__ = ["SETTLED", "TABLE", "Packed", "checked", "currency_codes", "pack", "settle", "table"]

_TIME = pl.Datetime("us", "UTC")
# `id` names the event, `replaces` another whose rows leave the view when this one is known; a row of kind
# `end` lets the instalments of the loan `party` end. `amount_minor` holds the days past due of a class.
TABLE: Mapping[str, Any] = {
    "subject": pl.String(),
    "id": pl.String(),
    "replaces": pl.String(),
    "kind": pl.String(),
    "at": _TIME,
    "known_seq": pl.Int64(),
    "amount_minor": pl.Int64(),
    "currency": pl.String(),
    "direction": pl.String(),
    "category": pl.String(),
    "party": pl.String(),
}
_REQUIRED = ("subject", "at", "known_seq", "kind")
_KIND = pl.Enum(list(SOURCES))
_DIRECTION = pl.Enum(list(DIRECTIONS))
# In view for whoever knows the journal up to a place from known_seq + 1 to until_seq. `party_code` numbers
# the parties of one person from 1: enough to tell them apart.
SETTLED: Mapping[str, Any] = {
    "subject": pl.String(),
    "at": _TIME,
    "known_seq": pl.Int64(),
    "until_seq": pl.Int64(),
    "kind": _KIND,
    "amount_minor": pl.Int64(),
    "currency": pl.Categorical(),
    "direction": _DIRECTION,
    "category": pl.Categorical(),
    "party": pl.String(),
    "party_code": pl.Int32(),
}


def table(events: Iterable[Event]) -> pl.DataFrame:
    """The events of a journal as a table: each row for every person whom it concerns."""
    rows = [row for event in events for row in _rows(event)]
    return pl.DataFrame(rows, schema=dict(TABLE), orient="row")


def _rows(event: Event) -> Iterator[tuple[Any, ...]]:
    codes = {code: text for text, code in DIRECTIONS.items()}
    for place, subject in enumerate(event.subjects):
        named = (subject, event.id, event.replaces)
        found = False
        for given in gives(event.type):
            for entry in () if given.needs in event.erased else given.read(event.body, place > 0):
                found = True
                yield (
                    *named,
                    given.kind,
                    event.at if entry.on is None else datetime.combine(entry.on, time(), UTC),
                    event.known_seq,
                    entry.amount_minor,
                    entry.currency,
                    codes.get(entry.direction),
                    entry.category,
                    entry.party,
                )
        if event.replaces is not None and not found:
            yield (*named, None, event.at, event.known_seq, 0, None, None, None, None)


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the columns of TABLE; those that may be left out are null.

    Raises:
        InvalidInput: a column is absent or of another type, or a value is none of those accepted.
    """
    wrong = [
        Violation.of(name, None, f"a column of {TABLE[name]}")
        for name in _REQUIRED
        if name not in frame.columns
    ]
    if "replaces" in frame.columns and "id" not in frame.columns:
        wrong.append(Violation.of("id", None, "a column of String, which `replaces` points to"))
    for name, wanted in TABLE.items():
        if name in frame.columns and not _fits(frame.schema[name], wanted):
            wrong.append(Violation.of(name, str(frame.schema[name]), f"a column of {wanted}"))
    if wrong:
        raise InvalidInput("the events are no table of events", wrong)
    whole = frame.select(
        pl.col(name).cast(wanted) if name in frame.columns else pl.lit(None, wanted).alias(name)
        for name, wanted in TABLE.items()
    ).with_columns(pl.col("amount_minor").fill_null(0))
    _refuse_values(whole)
    return whole


def _fits(given: pl.DataType, wanted: pl.DataType) -> bool:
    if wanted == pl.String():
        return given == pl.String() or isinstance(given, pl.Categorical | pl.Enum) or given == pl.Null()
    if wanted == pl.Int64():
        return given.is_integer()
    return isinstance(given, pl.Datetime) and given.time_zone is not None


def _refuse_values(whole: pl.DataFrame) -> None:
    kinds = [*SOURCES, END]
    money = [source for source, fields in SOURCES.items() if "amount_minor" in fields]
    amount = pl.col("amount_minor")
    checks = [
        ("kind", pl.col("kind").is_in(kinds).not_(), f"one of {', '.join(kinds)}, or null"),
        ("direction", pl.col("direction").is_in(list(DIRECTIONS)).not_(), "in, out or null"),
        *((name, pl.col(name).is_null(), "a value in every row") for name in ("subject", "at", "known_seq")),
        (
            "amount_minor",
            amount.is_between(0, LARGEST_AMOUNT).not_(),
            f"an integer from 0 to {LARGEST_AMOUNT}",
        ),
        (
            "currency",
            pl.col("kind").is_in(money) & pl.col("currency").is_null(),
            f"a currency for each {', '.join(money)}",
        ),
    ]
    counted = whole.select(bad.sum().alias(str(number)) for number, (_, bad, _) in enumerate(checks))
    wrong = [
        Violation.of(name, f"in {count} rows", accepted)
        for (name, _, accepted), count in zip(checks, counted.row(0), strict=True)
        if count
    ]
    if wrong:
        raise InvalidInput("the events are no table of events", wrong)


def settle(frame: pl.DataFrame) -> pl.DataFrame:
    """A table of whole persons as SETTLED, ordered by subject, time and place in the journal.

    Rows that are equal in all three stay in the order in which they come.

    Raises:
        InvalidInput: as `checked` does.
    """
    whole = checked(frame)
    until = pl.lit(STILL, pl.Int64).alias("until_seq")
    rows = whole.filter(pl.col("kind").is_in(list(SOURCES)))
    replacing = whole.filter(pl.col("replaces").is_not_null())
    if len(replacing):
        # Of several corrections of one event the first counts.
        first = replacing.group_by("subject", pl.col("replaces").alias("id")).agg(
            pl.col("known_seq").min().alias("until_seq")
        )
        rows = rows.join(first, on=["subject", "id"], how="left", maintain_order="left").with_columns(
            pl.col("until_seq").fill_null(STILL)
        )
    else:
        rows = rows.with_columns(until)
    rows = _ended(rows, whole.filter(pl.col("kind") == END))
    return (
        rows.sort("subject", "at", "known_seq", maintain_order=True)
        .with_columns(pl.col("kind").cast(_KIND), pl.col("direction").cast(_DIRECTION))
        .with_columns(
            pl.col("party").rank("dense").over("subject").fill_null(0).cast(pl.Int32).alias("party_code")
        )
        .select(pl.col(name).cast(wanted) for name, wanted in SETTLED.items())
    )


def _ended(rows: pl.DataFrame, closed: pl.DataFrame) -> pl.DataFrame:
    """Let instalments after the end of their loan leave the view when that end is known."""
    if closed.is_empty():
        return rows
    numbered = rows.with_row_index("_row")
    ended = (
        numbered.lazy()
        .filter(pl.col("kind") == "due")
        .join(
            closed.lazy().select(
                "subject", "party", pl.col("at").alias("_end"), pl.col("known_seq").alias("_known")
            ),
            on=["subject", "party"],
        )
        .filter(pl.col("_end") < pl.col("at"))
        .group_by("_row")
        .agg(pl.col("_known").min())
        .collect()
    )
    return (
        numbered.join(ended, on="_row", how="left", maintain_order="left")
        .with_columns(pl.min_horizontal("until_seq", "_known").alias("until_seq"))
        .drop("_row", "_known")
    )


class Packed(NamedTuple):
    """Persons side by side: person p has rows[ends[p]:ends[p + 1]].

    `codes` are those of the kernel's texts, `most` is above every code, and `currency` holds the code of each
    person's only currency (`currency_codes`): 0 for none, -1 where there are several.
    """

    rows: Rows
    ends: NDArray[np.int64]
    subjects: pl.Series
    codes: NDArray[np.int64]
    most: int
    currency: NDArray[np.int64]


def pack(frame: pl.DataFrame, texts: Sequence[Text], place: Place) -> Packed:
    """A settled table of whole persons as packed rows; `texts` and `place` are the kernel's.

    Raises:
        InvalidInput: it is no settled table, or the rows are not in order.
    """
    parties = any(column == "party" for column, _ in texts)
    _check_settled(frame, parties=parties)
    runs = frame["subject"].rle().struct
    subjects = runs.field("value")
    ends = np.concatenate([[0], np.cumsum(runs.field("len").to_numpy(), dtype=np.int64)])
    # Categories of their own for parties, which are given up with the frame.
    party = frame["party"].cast(pl.Categorical(pl.Categories.random())) if parties else frame["party_code"]
    category = _coded(frame["category"])
    currency = _coded(frame["currency"])
    parties_ = _coded(party) if parties else party.to_numpy()
    codes = [_code(text, party.dtype if column == "party" else pl.Categorical()) for column, text in texts]
    rows: Rows = np.empty(len(frame), ROW)
    longs = (
        frame[name].to_physical().to_numpy() for name in ("at", "known_seq", "until_seq", "amount_minor")
    )
    kind = _numbers(frame["kind"], [KINDS[kind] for kind in SOURCES])
    direction = _numbers(frame["direction"], list(DIRECTIONS.values()))
    wrong = place(rows, ends, *longs, category, parties_, currency, kind, direction)
    if wrong or subjects.n_unique() != len(subjects):
        raise InvalidInput.field("events", "…", "rows ordered by subject, at and known_seq")
    return Packed(
        rows=rows,
        ends=ends,
        subjects=subjects,
        codes=np.array(codes, np.int64),
        most=1 + int(max(category.max(initial=0), parties_.max(initial=0))),
        currency=_only(currency, ends),
    )


def _check_settled(frame: pl.DataFrame, *, parties: bool) -> None:
    unused = "party_code" if parties else "party"
    wrong = [
        Violation.of(name, str(frame.schema.get(name)), f"a column of {wanted}, as `settle` gives it")
        for name, wanted in SETTLED.items()
        if name != unused and frame.schema.get(name) != wanted
    ]
    if wrong:
        raise InvalidInput("the events are not settled", wrong)


def _coded(series: pl.Series) -> NDArray[np.int32]:
    """Numbers from 1 for the texts, 0 for none."""
    codes: NDArray[np.int32] = (series.to_physical().cast(pl.Int32) + 1).fill_null(0).to_numpy()
    return codes


def _code(text: str, dtype: pl.DataType) -> int:
    """The number of a text."""
    return int(pl.Series([text]).cast(dtype).to_physical().item()) + 1


def currency_codes(names: pl.Series) -> NDArray[np.int64]:
    """The numbers that packed rows have for currencies, -1 for none."""
    codes = _coded(names.cast(pl.Categorical())).astype(np.int64)
    return np.where(codes == 0, np.int64(-1), codes)


def _numbers(series: pl.Series, numbers: Sequence[int]) -> NDArray[np.uint8]:
    """The number of each value of an enumeration, 0 for none."""
    given = series.to_physical().fill_null(len(numbers)).to_numpy()
    found: NDArray[np.uint8] = np.array([*numbers, 0], np.uint8)[given]
    return found


def _only(codes: NDArray[np.int32], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each person's only currency: 0 for none, -1 where there are several."""
    if len(ends) == 1:
        return np.zeros(0, np.int64)
    most = np.maximum.reduceat(codes, ends[:-1]).astype(np.int64)
    least = np.minimum.reduceat(np.where(codes == 0, np.iinfo(np.int32).max, codes), ends[:-1])
    return np.where((most != 0) & (least != most), -1, most)
