"""Events of many persons in Parquet: brought into order once, in bounded memory, and read person by person.

A kept table is a directory of `part-*.parquet`, each with whole persons in order (`features.SETTLED`), and
`tables.json`, which is written last. Reading takes as many rows at a time as fit the memory and cuts between
persons, so that a part may be of any size.
"""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from obligor import features
from obligor.features import Catalogue
from obligor.kernel import InvalidInput, NotFound

__all__ = ["EventTables", "backfill_events", "backfill_into", "keep_events"]

MEMORY_BYTES = 1 << 30
# An estimate, on the safe side, of what a row takes while it is sorted or packed, texts and copies included.
ROW_BYTES = 640
# The same for a feature's value while a part of a result is written.
RESULT_BYTES = 32
ROWS_LEAST = 10_000
PARTS_MOST = 1_024
LEVELS_MOST = 8
MANIFEST = "tables.json"
ROW_GROUP = 65_536

Told = Callable[[str, int, int], None]


class _Part(msgspec.Struct, frozen=True):
    file: str
    rows: int


class _Manifest(msgspec.Struct, frozen=True):
    format: str
    parts: list[_Part]


_FORMAT = "obligor-events-1"


class EventTables:
    """A kept table of events, opened for reading."""

    def __init__(self, directory: Path) -> None:
        """Open the table that `keep_events` has written.

        Raises:
            NotFound: there is none. InvalidInput: it is of another format, or a part is not there.
        """
        try:
            manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=_Manifest)
        except FileNotFoundError:
            raise NotFound(f"{directory} holds no kept table of events") from None
        except msgspec.MsgspecError:
            raise InvalidInput.field(MANIFEST, "…", f"what `keep_events` writes, format {_FORMAT}") from None
        if manifest.format != _FORMAT:
            raise InvalidInput.field(f"{MANIFEST}: format", manifest.format, _FORMAT)
        self._parts = [(directory / part.file, part.rows) for part in manifest.parts]
        for path, _ in self._parts:
            if not path.is_file():
                raise InvalidInput.field("events", path.name, f"a file, as {MANIFEST} says")
        self.rows = sum(rows for _, rows in self._parts)

    def batches(
        self, rows_most: int, columns: Sequence[str] = tuple(features.SETTLED)
    ) -> Iterator[pl.DataFrame]:
        """All rows, whole persons at a time: at most so many rows, and those of the person that is cut."""
        for path, rows in self._parts:
            left: pl.DataFrame | None = None
            for start in range(0, rows, rows_most):
                batch = pl.scan_parquet(path).select(columns).slice(start, rows_most).collect()
                if left is not None:
                    batch = pl.concat([left, batch])
                if start + rows_most < rows:
                    last = batch["subject"][-1]
                    cut = int(batch["subject"].search_sorted(last, side="left"))
                    left = batch[cut:]
                    batch = batch[:cut]
                if len(batch):
                    yield batch


def keep_events(
    events: Path, directory: Path, *, memory_bytes: int = MEMORY_BYTES, told: Told | None = None
) -> EventTables:
    """Bring Parquet files of events (`features.TABLE`), in any order, into a kept table.

    Persons are dealt out to parts by a checksum of their name, on disk, in as many parts as it takes for
    each to fit the memory; a part that is still too large is dealt out again. One person's rows have to fit.

    Raises:
        NotFound: there is no such file, or no Parquet file in the directory.
        InvalidInput: the files are no tables of events; or `directory` is not empty.
    """
    files = _files(events)
    if directory.exists() and any(directory.iterdir()):
        raise InvalidInput.field(
            "directory", directory.name, "a directory that is not there yet, or is empty"
        )
    directory.mkdir(parents=True, exist_ok=True)
    fit = _rows_that_fit(memory_bytes)
    total = sum(_height(path) for path in files)
    parts: list[_Part] = []
    with _scratch(directory) as scratch:
        done = 0
        for rows in _Dealer(fit, told).dealt(_slices(files, fit // 4), total, scratch):
            settled = features.settle(rows)
            file = f"part-{len(parts):05d}.parquet"
            settled.write_parquet(directory / file, compression="lz4", row_group_size=ROW_GROUP)
            parts.append(_Part(file, len(settled)))
            done += len(rows)
            if told is not None:
                told("order", done, total)
    unfinished = directory / f"{MANIFEST}.tmp"
    unfinished.write_bytes(msgspec.json.encode(_Manifest(_FORMAT, parts)))
    unfinished.replace(directory / MANIFEST)
    return EventTables(directory)


def backfill_events(
    events: Path,
    spine: pl.DataFrame,
    catalogue: Catalogue,
    *,
    memory_bytes: int = MEMORY_BYTES,
    scratch: Path | None = None,
    told: Told | None = None,
) -> pl.DataFrame:
    """`features.backfill` over a kept table, or over Parquet files of events in any order.

    The latter are brought into order first, in a directory of `scratch` that is removed again. The memory
    is for the events; the spine and its result are held beside it.

    Raises:
        NotFound, InvalidInput: as `keep_events`, `EventTables` and `features.backfill` do.
    """
    with _scratch(scratch) as place:
        batches, count = _batches(events, catalogue, memory_bytes, place, told)
        return features.backfill(batches, spine, catalogue, told=count)


def backfill_into(
    out: Path,
    events: Path,
    spine: pl.DataFrame,
    catalogue: Catalogue,
    *,
    memory_bytes: int = MEMORY_BYTES,
    told: Told | None = None,
) -> None:
    """Write what `backfill_events` gives as a Parquet file, beside which it works and which appears at once.

    A result that takes more than half of the memory is computed on the disk. Only the spine is held.

    Raises:
        NotFound, InvalidInput: as `backfill_events`.
    """
    shape = (len(catalogue.names), len(spine))
    unfinished = out.with_name(f"{out.name}.tmp")
    with _scratch(out.resolve().parent) as place:
        batches, count = _batches(events, catalogue, memory_bytes, place, told)
        spilled = shape[0] * shape[1] * np.dtype(np.int64).itemsize > memory_bytes // 2
        values = (
            np.memmap(place / "values", np.int64, "w+", shape=shape) if spilled else np.empty(shape, np.int64)
        )
        features.fill(batches, spine, catalogue, values, told=count)
        rows_most = max(ROWS_LEAST, memory_bytes // (RESULT_BYTES * len(catalogue.names)))
        parts = []
        for start in range(0, max(len(spine), 1), rows_most):
            rows = slice(start, start + rows_most)
            parts.append(place / f"rows-{start}.parquet")
            features.framed(spine[rows], values[:, rows], catalogue).write_parquet(parts[-1])
            if told is not None:
                told("write", min(start + rows_most, len(spine)), len(spine))
        if len(parts) > 1:
            pl.scan_parquet(parts).sink_parquet(unfinished)
        else:
            parts[0].replace(unfinished)
        unfinished.replace(out)


def _batches(
    events: Path, catalogue: Catalogue, memory_bytes: int, scratch: Path, told: Told | None
) -> tuple[Iterator[pl.DataFrame], Callable[[int], None]]:
    """The events in batches that fit, and who is told of each; unordered ones are kept in `scratch`."""
    if (events / MANIFEST).is_file():
        tables = EventTables(events)
    else:
        tables = keep_events(events, scratch / "kept", memory_bytes=memory_bytes, told=told)
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        if told is not None:
            told("features", done, tables.rows)

    # Whole row groups, so that none is read twice; more at a time only leaves the caches.
    fit = min(_rows_that_fit(memory_bytes), 4 * ROW_GROUP)
    columns = features.columns_for(catalogue)
    return tables.batches(fit // ROW_GROUP * ROW_GROUP or fit, columns), count


def _rows_that_fit(memory_bytes: int) -> int:
    return max(ROWS_LEAST, memory_bytes // ROW_BYTES)


def _files(events: Path) -> list[Path]:
    files = sorted(events.glob("*.parquet")) if events.is_dir() else [events]
    if not files or not files[0].is_file():
        raise NotFound(f"there is no Parquet file at {events}")
    return files


def _height(path: Path) -> int:
    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as error:
        raise InvalidInput.field("events", path.name, f"a readable Parquet file: {error}") from None


@contextmanager
def _scratch(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=".obligor-", dir=directory))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _slices(files: Iterable[Path], rows_most: int) -> Iterator[pl.DataFrame]:
    for path in files:
        for start in range(0, _height(path), rows_most):
            yield features.checked(pl.scan_parquet(path).slice(start, rows_most).collect())


@dataclass(frozen=True)
class _Dealer:
    """Deals rows out to parts on disk until each part fits, all rows of a person to the same part."""

    fit: int
    told: Told | None

    def dealt(
        self, slices: Iterable[pl.DataFrame], total: int, place: Path, level: int = 0
    ) -> Iterator[pl.DataFrame]:
        """The same rows in frames that fit, each person's together."""
        if total <= self.fit:
            yield pl.concat([features.checked(pl.DataFrame(schema=dict(features.TABLE))), *slices])
            return
        # Twice as many parts as it takes, since persons are not alike.
        count = min(PARTS_MOST, -(-2 * total // self.fit))
        sizes = [0] * count
        done = 0
        for number, rows in enumerate(slices):
            dealt = rows.with_columns(_part_of(rows["subject"], count, level))
            for (part,), some in dealt.partition_by("_part", as_dict=True, include_key=False).items():
                sizes[part] += len(some)
                (place / f"{part}").mkdir(exist_ok=True)
                some.write_ipc(place / f"{part}" / f"{number:06d}.arrow", compression="lz4")
            done += len(rows)
            if self.told is not None:
                self.told("deal" if level == 0 else "deal again", done, total)
        for part, size in enumerate(sizes):
            if size:
                yield from self._again(place / f"{part}", size, level)

    def _again(self, place: Path, size: int, level: int) -> Iterator[pl.DataFrame]:
        """One part: as it is, or dealt out once more where it is too large and holds more than one person."""
        files = sorted(place.glob("*.arrow"))
        slices = (pl.read_ipc(path) for path in files)
        if size > self.fit and level < LEVELS_MOST and _persons(files) > 1:
            yield from self.dealt(slices, size, place, level + 1)
        else:
            yield pl.concat(list(slices))
        shutil.rmtree(place, ignore_errors=True)


def _persons(files: Sequence[Path]) -> int:
    return int(pl.scan_ipc(list(files)).select(pl.col("subject").n_unique()).collect().item())


def _part_of(subjects: pl.Series, count: int, level: int) -> pl.Series:
    """Which part each row goes to: a checksum of the person's name, another one at each level."""
    names = subjects.unique()
    # Longer names at each level: other bytes of the same number would only flip the same bits of all sums.
    parts = [zlib.crc32(name.encode() + bytes(level)) % count for name in names]
    part = subjects.replace_strict(names, pl.Series(parts, dtype=pl.UInt32), return_dtype=pl.UInt32)
    return part.alias("_part")
