"""`obligor world`: is the simulated world a credible one?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

from cyclopts import Parameter

from obligor.cli.common import app, run, show
from obligor.kernel import InvalidInput
from obligor.world import SMOKE
from obligor.world.calibration import Row, calibrate

__all__ = ["main"]

cli = app("world", __doc__)
START: Final = date(2024, 1, 1)
MONTHS_MOST: Final = 120


@cli.command
def check(
    *,
    people: Annotated[int, Parameter(help="How many simulated people.")] = 20_000,
    months: Annotated[int, Parameter(help="How many months to play.")] = 24,
    seed: Annotated[int, Parameter(help="The simulation's seed.")] = 7,
    json: Annotated[bool, Parameter(help="One JSON object.")] = False,
) -> int:
    """Measure the smoke world against what a credible book looks like; 1 when a value is out of its interval.

    A lender as plain as can be plays it: what is measured is the world, not the system. The intervals are
    meant for 20,000 people and 24 months; smaller worlds are noisier than that.
    """
    if months > MONTHS_MOST:
        raise InvalidInput.field("--months", months, f"months up to {MONTHS_MOST}")
    rows = calibrate(seed, people, months, START, SMOKE)
    told = {
        "people": people,
        "months": months,
        "seed": seed,
        "ok": all(row.ok for row in rows),
        "rows": [
            {
                "name": row.name,
                "value": row.value,
                "accepted": [row.low, row.high],
                "unit": row.unit,
                "source": row.source,
                "count": row.count,
                "ok": row.ok,
            }
            for row in rows
        ],
    }
    show(told, json, lambda: "\n".join(map(_line, rows)))
    return 0 if told["ok"] else 1


def _line(row: Row) -> str:
    mark = "ok  " if row.ok else "OUT "
    accepted = f"{row.low:g} to {row.high:g}"
    value = f"{row.value:>8.2f} {row.unit:<2} {accepted:<14}"
    return f"{mark} {row.name:<46} {value} {row.source} (of {row.count:,})"


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
