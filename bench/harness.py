"""Runs cases: ours and the peer in turn, several rounds, the medians compared; one JSON object at the end."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Case", "run"]

ROUNDS = 5


@dataclass(frozen=True)
class Case:
    """One comparison. `ours` and `peer` do the work once and return a measure in `unit`.

    `ratio` is how many times better ours is: ours/peer where more is better, peer/ours where less is.
    """

    name: str
    unit: str
    peer_name: str
    goal: float
    ours: Callable[[], float]
    peer: Callable[[], float]
    more_is_better: bool = True


def run(bench: str, cases: Sequence[Case], *, rounds: int = ROUNDS, notes: Any = None) -> int:
    """Run every case and print the result as the last line; 1 when a goal is missed."""
    told = [_run(case, rounds) for case in cases]
    result = {"bench": bench, "cases": told, "machine": _machine()}
    if notes is not None:
        result["notes"] = notes() if callable(notes) else notes
    print(json.dumps(result), flush=True)
    return 0 if all(case["holds"] for case in told) else 1


def _run(case: Case, rounds: int) -> dict[str, Any]:
    ours: list[float] = []
    peer: list[float] = []
    for number in range(rounds):
        # Whoever goes first in one round goes second in the next.
        for mine in (number % 2 == 0, number % 2 == 1):
            (ours if mine else peer).append((case.ours if mine else case.peer)())
        say(f"{case.name} {number + 1}/{rounds}: ours {ours[-1]:,.1f}, peer {peer[-1]:,.1f} {case.unit}")
    pairs = [a / b if case.more_is_better else b / a for a, b in zip(ours, peer, strict=True)]
    ratio = statistics.median(pairs)
    return {
        "case": case.name,
        "ours": round(statistics.median(ours), 3),
        "peer": round(statistics.median(peer), 3),
        "peer_name": case.peer_name,
        "unit": case.unit,
        "ratio": round(ratio, 3),
        "spread": [round(min(pairs), 3), round(max(pairs), 3)],
        "goal": case.goal,
        "holds": ratio >= case.goal,
    }


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr, flush=True)


def _machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 1),
    }
