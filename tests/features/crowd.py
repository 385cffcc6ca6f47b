"""Many persons' events, and moments to ask about: on the edges of windows, between them, early and late."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from msgspec.structs import replace

from obligor.features import Catalogue, History
from obligor.kernel import Event
from tests.features.samples import DAY, NOW, life

SPINE = {
    "subject": pl.String,
    "as_of": pl.Datetime("us", "UTC"),
    "known_upto": pl.Int64,
    "currency": pl.String,
}


@dataclass
class Crowd:
    """Lives by person, and a spine in no order; one person in ten has no event at all."""

    lives: dict[str, list[Event]]
    spine: pl.DataFrame

    @property
    def events(self) -> list[Event]:
        return [event for events in self.lives.values() for event in events]

    def online(self, catalogue: Catalogue, *, unpacked: bool = True) -> pl.DataFrame:
        """Each moment by itself, from the history as it would be kept."""
        histories = {name: History.from_events(events, name) for name, events in self.lives.items()}
        if unpacked:
            histories = {name: History.unpack(history.pack()) for name, history in histories.items()}
        return self._frame(
            catalogue,
            [
                catalogue.compute(histories[name], as_of, known, currency)
                for name, as_of, known, currency in self.spine.select(list(SPINE)).iter_rows()
            ],
        )

    def plain(self, catalogue: Catalogue) -> pl.DataFrame:
        """Each moment by plain Python."""
        histories = {name: History.from_events(events, name) for name, events in self.lives.items()}
        return self._frame(
            catalogue,
            [
                catalogue.oracle(histories[name], as_of, known, currency)
                for name, as_of, known, currency in self.spine.select(list(SPINE)).iter_rows()
            ],
        )

    @staticmethod
    def _frame(catalogue: Catalogue, rows: Sequence[dict[str, int | None]]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=dict.fromkeys(catalogue.names, pl.Int64), orient="row")


def crowd(seed: int, persons: int, moments: int, *, most_events: int = 100) -> Crowd:
    r = random.Random(seed)
    lives: dict[str, list[Event]] = {}
    cells = []
    for number in range(persons):
        name = f"person-{number:06d}"
        length = 0 if number % 10 == 9 else r.randrange(1, most_events)
        lives[name] = [
            replace(event, subjects=(name,), id=f"{name}-{event.id}", replaces=_named(name, event.replaces))
            for event in life(seed * 1_000_000 + number, length)
        ]
        cells += [
            (name, _moment(r), r.randrange(length + 1) if r.random() < 0.7 else length, "CNY")
            for _ in range(moments)
        ]
    r.shuffle(cells)
    return Crowd(lives, pl.DataFrame(cells, schema=SPINE, orient="row"))


def _named(name: str, event_id: str | None) -> str | None:
    return None if event_id is None else f"{name}-{event_id}"


def _moment(r: random.Random) -> datetime:
    if r.random() < 0.5:
        return NOW - DAY * r.randrange(300)
    return NOW - timedelta(seconds=r.randrange(300 * 86_400))


def differing(one: pl.DataFrame, other: pl.DataFrame) -> dict[str, int]:
    """In how many cells two results differ, by feature."""
    assert one.columns == other.columns
    assert len(one) == len(other)
    counts = {name: int(one[name].ne_missing(other[name]).sum()) for name in one.columns}
    return {name: count for name, count in counts.items() if count}
