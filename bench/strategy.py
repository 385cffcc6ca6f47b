"""Decisions: ours by row with a full trace, and by columns, against zen-engine 2 through its cached loader.

The work is bench/strategies/consumer: 40 inputs, 12 knock-outs, a scorecard of 12 characteristics, tables of
30 and 36 rows, 6 formulas; zen gets the same, translated word for word by bench/jdm.py. Before anything is
timed, both decide some thousands of applicants, and the benchmark stops where an outcome, a reason, a score
or what a table gives differs.

A decision by row is timed twice, both with its full trace: from typed facts on, and from the dictionary of
written facts on, all 40 checked against their types and bounds, which zen does not do. Times are of the
processor, so that ratios are per core.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import zen

from bench.consumer import DIRECTORY, applicants
from bench.harness import Case, run
from bench.jdm import graph
from obligor.decision import decide
from obligor.kernel import encode
from obligor.strategy import Outcome, Strategy, certify, load

COMPARED = 3_000
ROWS = 2_000
MANY = 1_000_000
SIZES = (250_000, 1_000_000)
FLOOR = 2_000_000
PEER = "zen-engine 2, evaluate of a precompiled graph through its static loader"
# zen computes in decimals of 28 digits; ours are rounded where the strategy says, money to the unit.
WITHIN = {"factor": 1e-7, "burden": 1e-4, "offer_minor": 2.0}


def facts_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as our decisions take them: decimals as text."""
    return [
        {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def contexts_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as zen takes them: decimals as numbers."""
    return [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def row_of(strategy: Strategy, facts: dict[str, Any]) -> Outcome:
    found = strategy.run(strategy.parse_facts(facts))
    assert isinstance(found, Outcome)
    return found


def compare(strategy: Strategy, engine: Any, frame: pl.DataFrame) -> dict[str, int]:
    """See that both engines, and our rows and columns, say the same. Returns the outcomes' counts."""
    certify(strategy, frame).require()
    seen: dict[str, int] = {}
    for facts, context in zip(facts_of(frame), contexts_of(frame), strict=True):
        ours, theirs = row_of(strategy, facts), engine.evaluate("consumer", context)["result"]
        codes = [row["code"] for name in sorted(theirs) if name.startswith("fired_") for row in theirs[name]]
        pairs = {
            "outcome": (ours.outcome, theirs["outcome"]),
            "reasons": (sorted(ours.reasons), sorted(codes)),
            **{name: (value, theirs[name]) for name, value in ours.outputs.items() if name not in WITHIN},
        }
        pairs["multiple"] = (ours.outputs["multiple"], round(theirs["multiple"] * 100))
        for name, (one, other) in pairs.items():
            if one != other:
                sys.exit(f"{name} differs, so there is nothing to compare: {one} and {other} of {facts}")
        written = strategy.render_outputs(ours.outputs)
        for name, most in WITHIN.items():
            if abs(float(str(written[name])) - theirs[name]) > most:
                sys.exit(f"{name} is {written[name]} here and {theirs[name]} there, of {facts}")
        seen[ours.outcome] = seen.get(ours.outcome, 0) + 1
    return seen


def microseconds(one: Callable[[Any], Any], rows: Sequence[Any]) -> float:
    """Processor time for one, in microseconds."""
    began = time.process_time()
    for row in rows:
        one(row)
    return (time.process_time() - began) / len(rows) * 1e6


def rows_per_second(strategy: Strategy, frame: pl.DataFrame) -> float:
    """Rows decided by columns in a second of one processor's time."""
    began = time.process_time()
    told = strategy.columns(frame)
    taken = time.process_time() - began
    assert told.height == frame.height
    return frame.height / taken


def main() -> int:
    strategy = load(DIRECTORY)
    loader = {"type": "static", "content": {"consumer": graph(strategy)}}
    engine = zen.ZenEngine({"loader": loader})
    outcomes = compare(strategy, engine, applicants(COMPARED, seed=11))
    some = applicants(ROWS)
    facts, contexts = facts_of(some), contexts_of(some)
    typed = [strategy.parse_facts(row) for row in facts]
    many = applicants(MANY)
    traces = [len(encode(row_of(strategy, row).trace)) for row in facts[:200]]
    theirs = [
        len(json.dumps(engine.evaluate("consumer", row, {"trace": True})["trace"], separators=(",", ":")))
        for row in contexts[:200]
    ]

    def zen_one() -> float:
        return microseconds(lambda row: engine.evaluate("consumer", row), contexts)

    def notes() -> dict[str, Any]:
        sizes = {size: [rows_per_second(strategy, many.head(size)) for _ in range(3)] for size in SIZES}
        texts = [name for name, dtype in many.schema.items() if dtype == pl.String]
        coded = many.with_columns(
            pl.col(name).cast(pl.Enum(many.get_column(name).unique().sort())) for name in texts
        )
        return {
            "compared": {"rows": COMPARED, "differing": 0, "outcomes": outcomes},
            "columns_rows_per_core_second": {
                str(size): round(statistics.median(found)) for size, found in sizes.items()
            },
            "columns_rows_per_core_second_with_categories_as_enum": round(
                statistics.median(rows_per_second(strategy, coded) for _ in range(3))
            ),
            "row_as_recorded_us": round(microseconds(lambda row: decide(row, strategy), facts), 2),
            "zen_with_trace_us": round(
                microseconds(lambda row: engine.evaluate("consumer", row, {"trace": True}), contexts), 2
            ),
            "memory_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "data": "simulated",
        }

    cases = [
        Case(
            "row_traced_vs_zen",
            "µs of processor time for a decision from typed facts, ours with its full trace",
            f"{PEER}, without trace",
            10,
            lambda: microseconds(strategy.run, typed),
            zen_one,
            more_is_better=False,
        ),
        Case(
            "row_checked_and_traced_vs_zen",
            "µs of processor time for a decision, ours with its 40 facts checked and its full trace",
            f"{PEER}, without checks or trace",
            5,
            lambda: microseconds(lambda row: row_of(strategy, row), facts),
            zen_one,
            more_is_better=False,
        ),
        Case(
            "columns_vs_zen",
            "rows decided in a second of one core",
            f"{PEER}, without trace",
            150,
            lambda: rows_per_second(strategy, many),
            lambda: 1e6 / zen_one(),
        ),
        # An absolute figure: judge it on an idle machine.
        Case(
            "columns_rows",
            "rows decided in a second of one core",
            "the floor of 2 million",
            1,
            lambda: rows_per_second(strategy, many),
            lambda: float(FLOOR),
        ),
        Case(
            "trace_bytes",
            "bytes of a trace as JSON, mean",
            f"{PEER}, with trace",
            8,
            lambda: statistics.mean(traces),
            lambda: statistics.mean(theirs),
            more_is_better=False,
        ),
    ]
    return run("strategy", cases, notes=notes)


if __name__ == "__main__":
    sys.exit(main())
