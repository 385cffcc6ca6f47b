"""Declarations a third time: as SQL for DuckDB, over the events as they came."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from obligor.features import SOURCES, Between, Catalogue, Feature
from obligor.features.measure import Measure

DAY = 86_400_000_000
MOST = 2**53
MACROS = f"""
create macro most(x) as greatest(least(x, {MOST}), -{MOST});
create macro down(n, d) as (n::hugeint - ((n::hugeint % d) + d) % d) // d;
create macro nearest(n, d) as most(down(n, d) + case
    when 2 * (n::hugeint - down(n, d) * d) > d then 1
    when 2 * (n::hugeint - down(n, d) * d) = d then abs(down(n, d) % 2)
    else 0 end);
"""
# What was known at each cell; `n` numbers a person's rows in order, for the last and the first.
KNOWN = """
with rows as (
    select *, epoch_us("at") as t, row_number() over (order by "at", known_seq, place) as n
    from events where kind is not null and kind <> 'end'
), known as (
    select c.cell, epoch_us(c.as_of) as now, c.currency as money, e.*
    from cells c join rows e
    on e.subject = c.subject and e."at" <= c.as_of and e.known_seq < c.known_upto
    where not exists (
        select 1 from events r
        where r.subject = e.subject and r.replaces = e.id and r.known_seq < c.known_upto
    ) and not exists (
        select 1 from events x
        where e.kind = 'due' and x.kind = 'end' and x.subject = e.subject and x.party = e.party
        and x."at" < e."at" and x.known_seq < c.known_upto
    )
)
"""


def values(catalogue: Catalogue, events: pl.DataFrame, cells: pl.DataFrame, place: Path) -> pl.DataFrame:
    """The features of each cell (subject, as_of, known_upto, currency), in the cells' order."""
    events.with_row_index("place").write_parquet(place / "raw.parquet")
    cells.with_row_index("cell").write_parquet(place / "cells.parquet")
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'UTC'")
        db.execute(MACROS)
        for name, file in (("events", "raw"), ("cells", "cells")):
            db.execute(f"create view {name} as select * from '{place / file}.parquet'")
        found = db.execute(query(catalogue, KNOWN)).fetchnumpy()
    return pl.DataFrame(
        {
            name: pl.Series(name, np.ma.getdata(found[name]).astype(np.int64), dtype=pl.Int64).set(
                pl.Series(np.ma.getmaskarray(found[name])), None
            )
            for name in catalogue.names
        }
    )


def query(catalogue: Catalogue, known: str, cells: str = "cells") -> str:
    """The whole statement: what is added up, each once, and the features out of it."""
    parts: dict[str, str] = {}
    finished = [f"{finish(feature, parts)} as {name}" for name, feature in catalogue.features.items()]
    added = ",\n    ".join(f"{text} as {alias}" for text, alias in parts.items())
    return (
        f"{known}, added as (\n  select cell,\n    {added}\n  from known group by cell\n)\n"
        f"select {', '.join(finished)}\nfrom (select cell, epoch_us(as_of) as now from {cells})\n"
        "left join added using (cell) order by cell"
    )


def finish(feature: Feature, parts: dict[str, str]) -> str:
    """A feature out of what was added up, which is put into `parts`."""
    empty = "null" if feature.empty is None else str(feature.empty)
    measure, scale = feature.measure, 10**feature.scale
    rows = part(parts, "count(*)", measure)
    if feature.aggregation == "trend":
        return f"case when {rows} > 0 then {slope(feature, parts)} else {empty} end"
    own = aggregate(measure, parts)
    other = feature.other
    if other is not None:
        mine, theirs = f"coalesce({own}, 0)", f"coalesce({aggregate(other, parts)}, 0)"
        if feature.per:
            return f"case when {theirs} > 0 then nearest({mine} * {scale}, {theirs}) else {empty} end"
        either = f"{rows} > 0 or {part(parts, 'count(*)', other)} > 0"
        return f"case when {either} then {mine} - {theirs} else {empty} end"
    if feature.aggregation == "mean":
        own = f"nearest({own} * {scale}, {rows})"
    elif feature.aggregation in ("days_since", "days_since_first"):
        own = f"most((now - {own})::hugeint * {scale} // {DAY})"
    return f"case when {rows} > 0 then {own} else {empty} end"


def aggregate(measure: Measure, parts: dict[str, str]) -> str:
    column = measure.column
    match measure.aggregation:
        case "sum" | "mean":
            return f"most(coalesce({part(parts, 'sum(amount_minor)', measure)}, 0))"
        case "last":
            return part(parts, f"arg_max({column}, n)", measure)
        case "first":
            return part(parts, f"arg_min({column}, n)", measure)
        case "distinct":
            what = column or f"t // {DAY}"
            return part(parts, f"count(distinct {what})", measure)
        case "days_since":
            return part(parts, "max(t)", measure)
        case "days_since_first":
            return part(parts, "min(t)", measure)
        case "count":
            return part(parts, "count(*)", measure)
        case plain:
            return part(parts, f"{plain}({column})", measure)


def slope(feature: Feature, parts: dict[str, str]) -> str:
    """Ordinary least squares over x = 0 (the oldest period), 1, …"""
    measure, count = feature.measure, feature.periods or 2
    length = (measure.window_days or 0) // count
    what = "sum(amount_minor)" if measure.key else "count(*)"
    upto = [
        f"most(coalesce({part(parts, what, measure._replace(window_days=length * (number + 1)))}, 0))"
        for number in range(count)
    ]
    newest_first = [upto[0], *(f"({a} - {b})" for b, a in pairwise(upto))]
    y = newest_first[::-1]
    xy = " + ".join(f"{x} * {one}::hugeint" for x, one in enumerate(y))
    total = " + ".join(f"{one}::hugeint" for one in y)
    sx, sxx = sum(range(count)), sum(x * x for x in range(count))
    above = f"({count} * ({xy}) - {sx} * ({total})) * {10**feature.scale}"
    return f"nearest({above}, {count * sxx - sx * sx})"


def part(parts: dict[str, str], what: str, measure: Measure) -> str:
    text = f"{what} filter ({' and '.join(tests(measure))})"
    return parts.setdefault(text, f"a{len(parts)}")


def tests(measure: Measure) -> Iterator[str]:
    yield f"kind = '{measure.source}'"
    if measure.window_days is not None:
        yield f"t > now - {measure.window_days * DAY}"
    if measure.reads_money:
        yield "currency = money"
    if measure.aggregation == "distinct" and measure.column:
        yield f"{measure.column} is not null"
    for field, wanted in measure.filter.items():
        column = SOURCES[measure.source][field]
        if isinstance(wanted, Between):
            if wanted.at_least is not None:
                yield f"{column} >= {wanted.at_least}"
            if wanted.at_most is not None:
                yield f"{column} <= {wanted.at_most}"
        else:
            texts = measure.texts(field)
            named = ", ".join(f"'{text}'" for text in texts if text is not None)
            choices = [f"{column} in ({named})"] if named else []
            choices += [f"{column} is null"] if None in texts else []
            yield f"({' or '.join(choices)})"
