"""Lending Club's own instalment for 42,535 loans, against the schedule of its products."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl

from obligor.loans import level_instalment, product, schedule


def test_the_level_instalment_is_lending_clubs_to_the_cent(shared: Path) -> None:
    book = pl.read_parquet(
        shared / "data/lendingclub/loans_2007_2011.parquet",
        columns=["funded_amnt", "int_rate", "term", "installment"],
    )
    off: Counter[int] = Counter()
    for funded, rate, term, instalment, count in book.group_by(pl.all()).len().iter_rows():
        ours = level_instalment(funded * 100, round(rate * 10_000), [(30, 360)] * int(term))
        off[abs(ours - round(instalment * 100))] += count
    rows = off.total()
    assert rows == 42_535
    assert sum(n for cents, n in off.items() if cents <= 1) / rows >= 0.90
    assert sum(n for cents, n in off.items() if cents <= 2) / rows >= 0.96


def test_the_products_schedule_pays_that_instalment_each_month(shared: Path) -> None:
    book = pl.read_parquet(shared / "data/lendingclub/loans_2007_2011.parquet").sample(400, seed=1)
    near = 0
    for row in book.iter_rows(named=True):
        term = int(row["term"])
        lines = schedule(
            product(f"lendingclub-{term}"),
            row["funded_amnt"] * 100,
            round(row["int_rate"] * 10_000),
            term,
            date(2011, 1, 31),
            "USD",
        )
        level = {line.principal_minor + line.interest_minor for line in lines[:-1]}
        assert len(level) == 1
        assert sum(line.principal_minor for line in lines) == row["funded_amnt"] * 100
        near += abs(level.pop() - round(row["installment"] * 100)) <= 2
    assert near >= 0.96 * 400
