"""Events in files: any order, little memory, and the same features as from memory."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from obligor import features
from obligor.features import backfill, settle, table
from obligor.kernel import InvalidInput, NotFound
from obligor.sources import EventTables, backfill_events, backfill_into, event_tables, keep_events
from tests.features.crowd import Crowd, crowd
from tests.features.samples import starter


@pytest.fixture
def little(monkeypatch):
    """Memory for 500 rows: what a budget gives is checked apart."""
    monkeypatch.setattr(event_tables, "ROWS_LEAST", 1)
    return 500 * event_tables.ROW_BYTES


@pytest.fixture(scope="module")
def some() -> Crowd:
    return crowd(6, 80, 4)


def scattered(some: Crowd, place: Path) -> pl.DataFrame:
    """The events as files in no order."""
    place.mkdir()
    mixed = table(some.events).sample(fraction=1, shuffle=True, seed=1)
    for number in range(3):
        mixed[number::3].write_parquet(place / f"{number}.parquet")
    return mixed


def expected(some: Crowd) -> pl.DataFrame:
    return backfill([settle(table(some.events))], some.spine, starter())


def test_scattered_files_and_little_memory_give_the_same_features(some, little, tmp_path):
    scattered(some, tmp_path / "raw")
    scratch = tmp_path / "scratch"
    made = backfill_events(tmp_path / "raw", some.spine, starter(), memory_bytes=little, scratch=scratch)
    assert made.equals(expected(some))
    assert list(scratch.iterdir()) == [], "what was spilled is removed"


@pytest.mark.parametrize("spilled", [False, True])
def test_a_result_written_to_a_file_is_the_same_and_lies_on_the_disk_when_it_is_large(
    some, tmp_path, monkeypatch, spilled
):
    monkeypatch.setattr(event_tables, "ROWS_LEAST", 1)
    scattered(some, tmp_path / "raw")
    genuine, held = features.fill, []

    def fill(batches, spine, catalogue, values, **more):
        held.append(type(values))
        genuine(batches, spine, catalogue, values, **more)

    monkeypatch.setattr(features, "fill", fill)
    size = 8 * len(starter().names) * len(some.spine)
    told = []
    backfill_into(
        tmp_path / "out.parquet",
        tmp_path / "raw",
        some.spine,
        starter(),
        memory_bytes=size if spilled else 8 * size,
        told=lambda *step: told.append(step),
    )
    assert pl.read_parquet(tmp_path / "out.parquet").equals(expected(some))
    assert held == [np.memmap if spilled else np.ndarray]
    assert (len([step for step in told if step[0] == "write"]) > 1) == spilled
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out.parquet"}


def test_a_result_of_no_rows_is_a_file_without_rows(some, tmp_path):
    scattered(some, tmp_path / "raw")
    backfill_into(tmp_path / "out.parquet", tmp_path / "raw", some.spine[:0], starter())
    made = pl.read_parquet(tmp_path / "out.parquet")
    assert made.schema == expected(some).schema
    assert len(made) == 0


def test_a_kept_table_is_used_as_it_is(some, little, tmp_path, monkeypatch):
    rows = scattered(some, tmp_path / "raw")
    kept = keep_events(tmp_path / "raw", tmp_path / "kept", memory_bytes=little)
    assert kept.rows == rows.filter(pl.col("kind").is_in(list(features.SOURCES))).height
    assert EventTables(tmp_path / "kept").rows == kept.rows
    monkeypatch.setattr(event_tables, "keep_events", None)
    assert backfill_events(tmp_path / "kept", some.spine, starter()).equals(expected(some))
    assert {path.suffix for path in (tmp_path / "kept").iterdir()} == {".json", ".parquet"}


def test_no_more_rows_than_fit_are_in_memory_but_for_a_person_who_has_more(
    some, little, tmp_path, monkeypatch
):
    scattered(some, tmp_path / "raw")
    sizes: list[int] = []

    def noticed(frame: pl.DataFrame) -> pl.DataFrame:
        sizes.append(len(frame))
        return settle(frame)

    monkeypatch.setattr(event_tables.features, "settle", noticed)
    kept = keep_events(tmp_path / "raw", tmp_path / "kept", memory_bytes=little)
    assert len(sizes) > 5
    assert max(sizes) <= 500
    assert sum(len(batch) for batch in kept.batches(200)) == kept.rows
    longest = max(len(life) for life in some.lives.values()) * 13
    assert all(len(batch) <= 200 + longest for batch in kept.batches(200))


def test_a_part_that_is_still_too_large_is_dealt_out_again(some, little, tmp_path, monkeypatch):
    """All persons' names have the same checksum at first: the second level has to part them."""
    scattered(some, tmp_path / "raw")
    sound = event_tables._part_of
    levels: list[int] = []

    def lopsided(subjects: pl.Series, count: int, level: int) -> pl.Series:
        levels.append(level)
        return sound(subjects, count if level else 1, level)

    monkeypatch.setattr(event_tables, "_part_of", lopsided)
    keep_events(tmp_path / "raw", tmp_path / "kept", memory_bytes=little)
    assert {0, 1} <= set(levels)
    monkeypatch.setattr(event_tables, "_part_of", sound)
    assert backfill_events(tmp_path / "kept", some.spine, starter()).equals(expected(some))


def test_a_single_person_is_never_cut_however_many_events_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(event_tables, "ROWS_LEAST", 1)
    some = crowd(7, 2, 20, most_events=400)
    scattered(some, tmp_path / "raw")
    made = backfill_events(tmp_path / "raw", some.spine, starter(), memory_bytes=10 * event_tables.ROW_BYTES)
    assert made.equals(expected(some))


def test_levels_part_the_same_names_differently():
    names = pl.Series([f"person-{number:04d}" for number in range(512)])
    first, second = (event_tables._part_of(names, 16, level) for level in (0, 1))
    counts = pl.DataFrame({"first": first, "second": second}).group_by("first").n_unique()
    assert counts.height == 16
    assert counts["second"].min() > 8


def test_what_was_not_finished_is_no_kept_table(some, tmp_path, monkeypatch):
    scattered(some, tmp_path / "raw")

    def broken(frame: pl.DataFrame) -> pl.DataFrame:
        raise KeyboardInterrupt

    monkeypatch.setattr(event_tables.features, "settle", broken)
    with pytest.raises(KeyboardInterrupt):
        keep_events(tmp_path / "raw", tmp_path / "kept")
    with pytest.raises(NotFound):
        EventTables(tmp_path / "kept")


def test_no_events_at_all_are_a_table_too(tmp_path):
    some = crowd(6, 3, 2)
    table([]).write_parquet(tmp_path / "none.parquet")
    made = backfill_events(tmp_path / "none.parquet", some.spine, starter())
    assert made["repayments_365d"].to_list() == [0] * len(some.spine)


def test_places_without_events_are_refused(some, tmp_path):
    with pytest.raises(NotFound):
        backfill_events(tmp_path / "nowhere", some.spine, starter())
    with pytest.raises(NotFound):
        backfill_events(tmp_path, some.spine, starter())
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(InvalidInput) as refused:
        backfill_events(tmp_path, some.spine, starter())
    assert refused.value.violations[0].value == '"text.parquet"'


def test_a_directory_in_use_is_not_written_to(some, tmp_path):
    scattered(some, tmp_path / "raw")
    with pytest.raises(InvalidInput) as refused:
        keep_events(tmp_path / "raw", tmp_path / "raw")
    assert refused.value.violations[0].value == '"raw"'
    assert len(list((tmp_path / "raw").iterdir())) == 3


@pytest.mark.parametrize("text", ["{", json.dumps({"format": "other", "parts": []})])
def test_a_damaged_table_is_refused(text, tmp_path):
    (tmp_path / "tables.json").write_text(text)
    with pytest.raises(InvalidInput):
        EventTables(tmp_path)


def test_a_missing_part_is_named(some, tmp_path):
    scattered(some, tmp_path / "raw")
    keep_events(tmp_path / "raw", tmp_path / "kept")
    (tmp_path / "kept" / "part-00000.parquet").unlink()
    with pytest.raises(InvalidInput) as refused:
        EventTables(tmp_path / "kept")
    assert refused.value.violations[0].value == '"part-00000.parquet"'
