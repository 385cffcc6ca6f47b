"""How long a request would wait: what is in progress, over what was lately finished in a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["Load"]

# So few are never refused.
BUSY = 64
# With fewer, what is finished in a second says nothing about what could be.
TELLING = 16
WINDOW_SECONDS = 0.25
# For so long nothing may be finished before the rate is doubted: the journal answers in groups.
STALL_SECONDS = 2.0
# Before the first busy moment the rate is not known; what proves too many is refused a moment later.
FIRST_RATE = 1_000.0
LEAST_RATE = 1.0


class Load:
    """Requests of one kind in progress, and how fast they are finished; used on the event loop alone.

    By Little's law, who comes now waits for (those in progress) / (those finished in a second). The rate is
    measured while at least `TELLING` are in progress, so that an idle server is not taken for a slow one, and
    from the beginning of one group of answers to that of another. A `with` block over it is one request in
    progress.
    """

    __slots__ = ("_began", "_clock", "_done", "_most", "_moved", "_wait_most", "pending", "rate", "refused")

    def __init__(self, wait_most: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Refuse from `wait_most` seconds of waiting on, and from `most` requests on."""
        self._wait_most, self._most, self._clock = wait_most, most, clock
        self.pending = 0
        self.rate = FIRST_RATE
        self.refused = 0
        self._done = 0
        self._began: float | None = None
        self._moved = 0.0

    def wait(self) -> float:
        """How many seconds who comes now would wait, about."""
        return self.pending / self.rate

    def full(self) -> bool:
        """Whether who comes now is to be refused."""
        if self.pending < BUSY:
            return False
        if self.pending >= self._most or self.wait() > self._wait_most:
            return True
        now = self._clock()
        if now - self._moved >= STALL_SECONDS:
            self.rate, self._moved = max(LEAST_RATE, self.rate / 2), now
        return self.wait() > self._wait_most

    def __enter__(self) -> Self:
        self.pending += 1
        if self.pending >= TELLING and self._began is None:
            self._began = self._moved = self._clock()
            self._done = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._began is not None:
            self._moved = now = self._clock()
            if (passed := now - self._began) >= WINDOW_SECONDS:
                if self._done:
                    self.rate = max(LEAST_RATE, (self.rate + self._done / passed) / 2)
                self._began, self._done = now, 0
        self._done += 1
        self.pending -= 1
        if self.pending < TELLING // 2:
            self._began = None
