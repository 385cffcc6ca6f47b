"""What a seed allows to happen, and how often: each seed is another climate."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """Chances are per step unless they say of what. Kinds of trouble that a seed leaves out have 0."""

    steps: int
    processes: int
    borrowers: int
    persons: int  # fewer than borrowers: several ask for one person at once
    group_most: int
    crash: float
    crash_at_failpoint: float  # per failpoint
    pause_at_failpoint: float  # per failpoint
    stop: float  # of a whole process
    store_trouble: float
    unknown_commit: float
    bug: float  # a command of which the second half fails
    clock_back: float
    long_leap: float
    twice: float  # per attempt: sent two times at once
    other_body: float  # per retry
    keyless: float  # per event: without an idempotency key, known by its source's name alone
    wish: float  # per attempt: something that should be refused

    @classmethod
    def draw(cls, chance: random.Random) -> Plan:
        def some(*rates: float) -> float:
            return chance.choice((0.0, *rates, *rates))

        return cls(
            steps=chance.randint(110, 190),
            processes=chance.choice((1, 2, 2, 2)),
            borrowers=chance.randint(2, 5),
            persons=chance.randint(1, 4),
            group_most=chance.choice((1, 3, 8, 64)),
            crash=some(0.01, 0.03),
            crash_at_failpoint=some(0.005, 0.015),
            pause_at_failpoint=some(0.02, 0.05),
            stop=some(0.02, 0.05),
            store_trouble=some(0.02, 0.05),
            unknown_commit=some(0.02, 0.05),
            bug=some(0.03),
            clock_back=some(0.03),
            long_leap=some(0.02, 0.06),
            twice=some(0.1, 0.3),
            other_body=some(0.2),
            keyless=some(0.3),
            wish=some(0.1),
        )
