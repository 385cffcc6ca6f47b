"""Features: a backfill against DuckDB, and one person's features from the durable store against Feast.

Backfill: both read the same Parquet, in which corrections are resolved and persons are in order, and give
the same table of integers, which is compared cell by cell before anything is timed. Both have one thread,
and what is compared is processor time. DuckDB's statement is the fastest of those that were tried and are
right with late events: a join on the person and the year before, and filtered aggregates; distinct
counterparties by their latest event, in a second aggregate, which is faster than count(distinct). Prefix
sums with ASOF joins cannot see what was known, and window frames were 5 to 40 times slower.

Online: ours reads a person's packed history from SQLite by key and runs the kernel; Feast reads values that
were computed before from its SQLite store, in its own process and by its own clock. Ours computes them as of
any moment; Feast's are as old as the last run that wrote them.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import apsw
import duckdb
import numpy as np
import polars as pl

from bench.harness import Case, run, say
from obligor import features
from obligor.events import TransferPosted, TransferReversed
from obligor.features import SETTLED, Catalogue, Feature, History, Other, Texts
from obligor.features.history import STILL
from obligor.features.table import pack
from obligor.kernel import Event
from obligor.sources import EventTables, backfill_events
from tests.features import duck

FEAST = Path(__file__).resolve().parent.parent / ".venv-feast" / "bin" / "python"
DAY = 86_400_000_000
BEGIN = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
DAYS = 730
ROUNDS = 3
SIZES = (1_000_000, 4_000_000)  # events; a twentieth as many moments, half as many as a hundredth persons
PERSONS_ONLINE = 1_000
WINDOWS = (7, 30, 90, 180, 365)
MEMORY = 256 << 20


def catalogue() -> Catalogue:
    """Counts, sums, means and maxima over five windows, and ten more of the kinds that lenders use."""
    text = Texts(en="bench", zh="bench")

    def one(aggregation: str, days: int | None, **more: Any) -> Feature:
        fields: dict[str, Any] = {"source": "transfer", "empty": 0, "unit": "minor", "description": text}
        fields |= {"aggregation": aggregation, "window_days": days}
        return Feature(**(fields | more))

    money: dict[str, Any] = {"key": "amount_minor"}
    found: dict[str, Feature] = {}
    for days in WINDOWS:
        found[f"count_{days}"] = one("count", days, unit="count")
        found[f"sum_{days}"] = one("sum", days, **money)
        found[f"mean_{days}"] = one("mean", days, empty=None, scale=2, **money)
        found[f"max_{days}"] = one("max", days, empty=None, **money)
    for days in (30, 90, 365):
        found[f"distinct_{days}"] = one("distinct", days, unit="count", key="counterparty")
    found["gambling_90"] = one("sum", 90, filter={"counterparty_class": "gambling"}, **money)
    found["salary_90"] = one("sum", 90, filter={"counterparty_class": "salary"}, **money)
    found["salaries_180"] = one("count", 180, unit="count", filter={"counterparty_class": "salary"})
    found["spent_30"] = one("sum", 30, filter={"counterparty_class": "retail", "direction": "out"}, **money)
    found["days_since"] = one("days_since", 365, empty=None, unit="days")
    found["ratio_30_180"] = one(
        "sum", 30, unit="ratio", scale=4, empty=None, per=Other(window_days=180), **money
    )
    found["trend_180"] = one("trend", 180, periods=6, **money)
    return Catalogue("bench", 1, found)


# ---- the book


@dataclass
class Book:
    """Events in Parquet, moments to ask about, and the two ways to answer."""

    place: Path
    events: int
    catalogue: Catalogue

    def __post_init__(self) -> None:
        self.moments = self.events // 20
        rng = np.random.default_rng(7)
        persons = self.events // 100
        weights = np.exp(rng.normal(0, 1.0, persons))
        counts = np.maximum(1, (weights / weights.sum() * self.events).astype(np.int64))
        person = np.repeat(np.arange(persons), counts)
        (self.place / "kept").mkdir(parents=True)
        parts = []
        step = max(1, persons // 8)
        for number, first in enumerate(range(0, persons, step)):
            mine = person[(person >= first) & (person < first + step)]
            frame = _events(rng, mine)
            frame.write_parquet(
                self.place / "kept" / f"part-{number:05d}.parquet", compression="lz4", row_group_size=65_536
            )
            parts.append({"file": f"part-{number:05d}.parquet", "rows": len(frame)})
        manifest = {"format": "obligor-events-1", "parts": parts}
        (self.place / "kept" / "tables.json").write_text(json.dumps(manifest))
        as_of = BEGIN + DAY * DAYS // 2 + rng.integers(0, DAY * DAYS // 2, self.moments)
        self.spine = pl.DataFrame(
            {
                "subject": _names(rng.integers(0, persons, self.moments)),
                "as_of": pl.Series(as_of).cast(pl.Datetime("us", "UTC")),
                "known_upto": as_of + 1,
            }
        )
        self.spine.with_row_index("cell").write_parquet(self.place / "cells.parquet")

    def ours(self) -> pl.DataFrame:
        made = backfill_events(self.place / "kept", self.spine, self.catalogue, memory_bytes=MEMORY)
        return made.select(self.catalogue.names)

    @cached_property
    def peer_statement(self) -> str:
        return _statement(self.catalogue)

    def peer(self) -> dict[str, Any]:
        with duckdb.connect() as db:
            db.execute("set threads = 1; set TimeZone = 'UTC'; set preserve_insertion_order = false")
            db.execute(duck.MACROS)
            db.execute(f"create view events as select * from '{self.place}/kept/*.parquet'")
            db.execute(f"create view cells as select * from '{self.place}/cells.parquet'")
            return db.execute(self.peer_statement).fetchnumpy()

    def differences(self) -> int:
        """Cells in which the two differ."""
        mine, theirs = self.ours(), self.peer()
        order = np.argsort(np.ma.getdata(theirs["cell"]))
        found = 0
        for name in self.catalogue.names:
            other = pl.Series(np.ma.getdata(theirs[name])[order].astype(np.int64))
            other = other.set(pl.Series(np.ma.getmaskarray(theirs[name])[order]), None)
            found += int(mine[name].ne_missing(other).sum())
        return found


def _names(persons: np.ndarray) -> pl.Series:
    return pl.Series(persons).cast(pl.String).str.zfill(9).str.pad_start(10, "c")


def _events(rng: np.random.Generator, person: np.ndarray) -> pl.DataFrame:
    """Transfers over two years: a fifth late by up to days, one in a hundred taken back some time later."""
    count = len(person)
    at = BEGIN + rng.integers(0, DAY * DAYS, count)
    luck = rng.random(count)
    late = np.where(luck < 0.8, 60_000_000, np.where(luck < 0.95, DAY, 5 * DAY))
    known = at + (rng.random(count) * late).astype(np.int64)
    taken_back = rng.random(count) < 0.01
    until = np.where(taken_back, known + rng.integers(1, 30 * DAY, count), STILL)
    classes = np.array(["salary", "retail", "person", "gambling", "utilities", "wallet"])
    party = rng.zipf(1.3, count) % 50_000
    return (
        pl.DataFrame(
            {
                "subject": _names(person),
                "at": pl.Series(at).cast(pl.Datetime("us", "UTC")),
                "known_seq": known,
                "until_seq": until,
                "kind": "transfer",
                "amount_minor": np.round(np.exp(rng.normal(9.8, 1.3, count))).astype(np.int64),
                "currency": "CNY",
                "direction": np.array(["in", "out"])[(rng.random(count) < 0.8).astype(np.int64)],
                "category": classes[rng.choice(6, count, p=[0.08, 0.55, 0.12, 0.05, 0.05, 0.15])],
                "party": pl.Series(party).cast(pl.String).str.pad_start(12, "0"),
            }
        )
        .sort("subject", "at", "known_seq", maintain_order=True)
        .with_columns(pl.col("party").rank("dense").over("subject").cast(pl.Int32).alias("party_code"))
        .select(pl.col(name).cast(wanted) for name, wanted in SETTLED.items())
    )


def _statement(catalogue: Catalogue) -> str:
    """DuckDB's fastest: distinct parties by the latest event of each, apart from the other aggregates."""
    distinct = {n: f for n, f in catalogue.features.items() if f.aggregation == "distinct"}
    plain = {n: f for n, f in catalogue.features.items() if n not in distinct}
    parts: dict[str, str] = {}
    finished = {name: duck.finish(feature, parts) for name, feature in plain.items()}
    added = ", ".join(f"{text} as {alias}" for text, alias in parts.items())
    longest = max(WINDOWS) * DAY
    counted = ", ".join(
        f"count(*) filter (t > now - {feature.window_days * DAY}) as {name}"  # type: ignore[operator]
        for name, feature in distinct.items()
    )
    finished |= {name: f"coalesce({name}, 0)" for name in distinct}
    return f"""
with known as (
    select c.cell, epoch_us(c.as_of) as now, 'CNY' as money, epoch_us(e."at") as t,
        e.kind, e.amount_minor, e.currency, e.direction, e.category, e.party
    from cells c join events e
    on e.subject = c.subject and e."at" <= c.as_of and e."at" > c.as_of - interval {longest} microseconds
    and e.known_seq < c.known_upto and e.until_seq >= c.known_upto
), added as (select cell, {added} from known group by cell
), counted as (
    select cell, {counted} from (
        select cell, any_value(now) as now, max(t) as t from known where kind = 'transfer'
        group by cell, party
    ) group by cell
)
select cell, {", ".join(f"{text} as {name}" for name, text in finished.items())}
from (select cell, epoch_us(as_of) as now from cells)
left join added using (cell) left join counted using (cell)
"""


def cpu(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


# ---- online


class Online:
    """Packed histories in SQLite, and Feast's store with the same persons' values."""

    def __init__(self, book: Book, place: Path) -> None:
        self._catalogue = book.catalogue
        self._as_of = datetime.fromtimestamp((BEGIN + DAY * DAYS) / 1e6, UTC)
        self._known = BEGIN + DAY * DAYS
        rows = EventTables(book.place / "kept")
        frame = next(iter(rows.batches(200 * PERSONS_ONLINE)))
        names = frame["subject"].unique(maintain_order=True)[:PERSONS_ONLINE]
        frame = frame.filter(pl.col("subject").is_in(names.implode()))
        self.persons = names.to_list()
        self._db = apsw.Connection(str(place / "histories.db"))
        self._db.pragma("page_size", 8192)
        self._db.pragma("journal_mode", "wal")
        # A row with a history in it is too wide for the pages of an index.
        self._db.execute("create table history (person text primary key, packed blob)")
        mine = {name[0]: some for name, some in frame.partition_by("subject", as_dict=True).items()}
        with self._db:
            self._db.executemany(
                "insert into history values (?, ?)",
                ((name, _history(name, mine[name]).pack()) for name in self.persons),
            )
        spine = pl.DataFrame(
            {"subject": self.persons, "as_of": self._as_of, "known_upto": self._known},
            schema_overrides={"as_of": pl.Datetime("us", "UTC")},
        )
        expected = features.backfill([frame], spine, book.catalogue)
        different = sum(
            self.one(row["subject"]) != {name: row[name] for name in book.catalogue.names}
            for row in expected.iter_rows(named=True)
        )
        if different:
            raise SystemExit(f"{different} persons have other features online than in the backfill")
        self.events = len(frame)
        expected.select(pl.col("subject").alias("person"), *book.catalogue.names).write_parquet(
            place / "feast.parquet", compression="snappy"
        )
        self._feast = subprocess.Popen(
            [FEAST, Path(__file__).parent / "peers" / "feast_online.py", place / "feast.parquet"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self._answer()
        say(f"feast: {ready}")

    def one(self, person: str) -> dict[str, int | None]:
        """What a request does: the history by its key, out of the store, and the kernel."""
        row = self._db.execute("select packed from history where person = ?", (person,)).fetchone()
        return self._catalogue.compute(History.unpack(row[0]), self._as_of, self._known)

    def ours(self) -> float:
        times = []
        for person in self.persons:
            began = time.perf_counter_ns()
            self.one(person)
            times.append(time.perf_counter_ns() - began)
        return statistics.median(times) / 1e3

    def peer(self) -> float:
        assert self._feast.stdin is not None
        person = self.persons[0]
        self._feast.stdin.write(f"{person}\n")
        self._feast.stdin.flush()
        told = self._answer()
        if told["values"] != self.one(person):
            raise SystemExit("feast gives other values than were written to it")
        return float(told["p50_us"])

    def _answer(self) -> dict[str, Any]:
        assert self._feast.stdout is not None
        line = self._feast.stdout.readline()
        if not line:
            raise SystemExit("feast ended; make bench B=features installs it into .venv-feast")
        told: dict[str, Any] = json.loads(line)
        return told

    def close(self) -> None:
        assert self._feast.stdin is not None
        self._feast.stdin.close()
        self._feast.wait(timeout=30)
        self._db.close()


def _history(person: str, frame: pl.DataFrame) -> History:
    history = History(person)
    for number, row in enumerate(frame.iter_rows(named=True)):
        body = TransferPosted(
            account_id="account",
            transfer_id=str(number),
            direction=row["direction"],
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            counterparty=row["party"],
            counterparty_class=row["category"],
        )
        history.add(_event(person, f"{number}", row["at"], row["known_seq"], body))
        if row["until_seq"] != STILL:
            back = TransferReversed(account_id="account", transfer_id=str(number))
            history.add(_event(person, f"-{number}", row["at"], row["until_seq"], back, replaces=f"{number}"))
    return history


def _event(
    person: str, name: str, at: datetime, known_seq: int, body: Any, replaces: str | None = None
) -> Event:
    return Event(
        id=name,
        tenant="bench",
        stream="account/account",
        stream_version=1,
        subjects=(person,),
        type=body.TYPE,
        schema=body.SCHEMA,
        at=at,
        recorded_at=at,
        known_seq=known_seq,
        source="bench",
        source_ref=None,
        actor="bench",
        cause=None,
        replaces=replaces,
        body=body,
    )


# ---- what is told beside the ratios


def kernel_and_floor(book: Book) -> dict[str, float]:
    """The loop over the kernel alone, against reading each packed row and writing each result once."""
    batches = [
        pack(batch, book.catalogue.kernel.texts, book.catalogue.place)
        for batch in EventTables(book.place / "kept").batches(1_000_000)
    ]
    rows = [packed.rows.view(np.int64) for packed in batches]
    out = np.empty((book.moments, len(book.catalogue.names)), np.int64)
    fill = book.catalogue.built.fill
    times: dict[str, list[float]] = {"kernel": [], "floor": []}
    for _ in range(3):
        times["kernel"].append(cpu(lambda: [_fill(fill, book, packed) for packed in batches]))
        times["floor"].append(cpu(lambda: (sum(int(part.sum()) for part in rows), out.fill(1))))
    kernel, floor = (min(times[name]) for name in ("kernel", "floor"))
    return {
        "kernel_cpu_s": round(kernel, 3),
        "floor_cpu_s": round(floor, 3),
        "times": round(kernel / floor, 1),
    }


def _fill(fill: Any, book: Book, packed: Any) -> None:
    """As many moments of these persons as their part of the spine has."""
    mine = book.spine.join(
        pl.DataFrame({"subject": packed.subjects, "p": np.arange(len(packed.subjects))}), on="subject"
    ).sort("p")
    kernel = book.catalogue.kernel
    fill(
        packed.rows,
        packed.ends,
        *(mine[name].to_physical().to_numpy(writable=True) for name in ("p", "as_of", "known_upto")),
        packed.codes,
        packed.currency[mine["p"].to_numpy()],
        np.zeros((kernel.stamps, packed.most), np.int32),
        np.empty((len(mine), len(book.catalogue.names)), np.int64),
    )


def peak_mb(kept: Path, spine: Path) -> int:
    """The largest memory of a process that does nothing but this backfill."""
    script = (
        "import polars as pl, resource, sys\n"
        "from pathlib import Path\n"
        "from bench.features import MEMORY, catalogue\n"
        "from obligor.sources import backfill_events\n"
        f"spine = pl.read_parquet({str(spine)!r})\n"
        f"backfill_events(Path({str(kept)!r}), spine, catalogue(), memory_bytes=MEMORY)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(done.stdout) // 1024


@contextlib.contextmanager
def books(made: Catalogue) -> Iterator[tuple[Book, Book]]:
    with tempfile.TemporaryDirectory() as name:
        yield Book(Path(name) / "small", SIZES[0], made), Book(Path(name) / "large", SIZES[1], made)


def main() -> int:
    made = catalogue()
    made.warm()
    with books(made) as (small, large), tempfile.TemporaryDirectory() as name:
        different = small.differences()
        say(f"compared {small.moments * len(made.names):,} cells with DuckDB: {different} differ")
        if different:
            return 1
        online = Online(large, Path(name))
        seconds = {
            f"{book.events:,} events": {
                "ours": round(cpu(book.ours), 3),
                "duckdb": round(cpu(book.peer), 3),
                "peak_mb": peak_mb(book.place / "kept", book.place / "cells.parquet"),
            }
            for book in (small, large)
        }
        cases = [
            Case(
                "backfill_vs_duckdb",
                "CPU s",
                f"DuckDB {duckdb.__version__}, join and filtered aggregates, the same Parquet, one thread",
                10,
                lambda: cpu(large.ours),
                lambda: cpu(large.peer),
                more_is_better=False,
            ),
            Case(
                "online_vs_feast",
                "us p50",
                "Feast's get_online_features, SQLite store, the same values computed before",
                10,
                online.ours,
                online.peer,
                more_is_better=False,
            ),
        ]
        try:
            return run("features", cases, rounds=ROUNDS, notes=lambda: _notes(seconds, large, online))
        finally:
            online.close()


def _notes(seconds: dict[str, Any], large: Book, online: Online) -> dict[str, Any]:
    return {
        "features": len(large.catalogue.names),
        "moments": {f"{book:,} events": book // 20 for book in SIZES},
        "by_size": seconds,
        "cells_compared": SIZES[0] // 20 * len(large.catalogue.names),
        "kernel_against_streaming": kernel_and_floor(large),
        "memory_budget_mb": MEMORY >> 20,
        "online": {"persons": len(online.persons), "events": online.events},
        "peak_mb_of_this_run": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    sys.exit(main())
