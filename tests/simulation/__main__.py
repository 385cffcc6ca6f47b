"""Play seeds: `python -m tests.simulation SEED [--count N]`.

Prints what fails with the end of its trace, and leaves with 1. One seed alone prints its whole trace.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.simulation.ground import ground
from tests.simulation.run import play

TOLD_EVERY_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds to play from there on")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    ground()
    began = told = time.monotonic()
    failed = attempts = entries = 0
    for number, seed in enumerate(range(asked.seed, asked.seed + asked.count), 1):
        played = play(seed)
        attempts, entries = attempts + played.attempts, entries + played.entries
        if asked.count == 1:
            print("\n".join(played.trace))
        if played.failure is not None:
            failed += 1
            print(played.told())
        if time.monotonic() - told > TOLD_EVERY_SECONDS or number == asked.count:
            told = time.monotonic()
            print(summary(number, failed, attempts, entries, told - began), flush=True)
    return 1 if failed else 0


def summary(seeds: int, failed: int, attempts: int, entries: int, seconds: float) -> str:
    return (
        f"{seeds} seeds, {failed} failed, {attempts} attempts, {entries} entries,"
        f" {seeds / max(seconds, 0.001):.1f} seeds/s"
    )


if __name__ == "__main__":
    sys.exit(main())
