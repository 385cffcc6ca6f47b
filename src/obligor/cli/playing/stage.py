"""What both players share: the clock they play against, what they remember, what they show."""

from __future__ import annotations

import sys
import time
from datetime import date
from typing import Protocol

__all__ = ["Deadline", "Player", "Progress"]

EVERY_SECONDS = 5.0


class Deadline:
    """A moment on the monotonic clock to stop at, or never."""

    def __init__(self, at: float | None) -> None:
        self._at = at

    @property
    def passed(self) -> bool:
        """Whether it is time to stop."""
        return self._at is not None and time.monotonic() >= self._at


class Progress:
    """One line on a terminal that keeps changing, or a line now and then where there is none.

    A quiet one says nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._begun = time.monotonic()

    def day(self, day: date, **counts: int) -> None:
        """Say which day has been reached and what has happened so far."""
        now = time.monotonic()
        if self._quiet or now - self._last < (0.2 if self._terminal else EVERY_SECONDS):
            return
        self._last = now
        told = "  ".join(f"{name} {count:,}" for name, count in counts.items())
        line = f"{now - self._begun:6.0f} s  {day.isoformat()}  {told}"
        if self._terminal:
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line of its own."""
        if self._quiet:
            return
        print(f"\r\033[K{text}" if self._terminal else text, file=sys.stderr, flush=True)


class Player(Protocol):
    """Somebody who plays a lender's days."""

    book: str

    async def play(self, deadline: Deadline) -> bool:
        """Play until the deadline, or the end; whether the end was reached."""

    def auc(self) -> float | None:
        """How well the scores ranked what was then known to happen; None where nothing is known."""
