"""Those who are told of committed events, each on its own thread, in order, at least once."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from obligor.kernel import Event

__all__ = ["Subscriber"]

PENDING_EVENTS = 20_000
READ_EVENTS = 1_000
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Subscriber:
    """Calls back with the events of one tenant at a time, none left out.

    Who falls behind is not waited for: what it has missed is read from the store again. A call that raises is
    made again after a pause, with the same events; a processor that keeps its cursor in the journal does
    nothing twice.
    """

    def __init__(
        self,
        callback: Callable[[list[Event]], None],
        read: Callable[[str, int, int], Iterable[Event]],
        sizes: Mapping[str, int],
        name: str,
    ) -> None:
        """`read(tenant, start, stop)` gives committed events; `sizes` is what the callback knows already."""
        self._callback = callback
        self._read = read
        self._next = dict(sizes)
        self._heads = dict(sizes)
        self._pending: deque[list[Event]] = deque()
        self._count = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, events: list[Event]) -> None:
        """Committed events of one tenant; never waits."""
        with self._changed:
            self._heads[events[0].tenant] = events[-1].known_seq + 1
            self._count += len(events)
            if self._count > PENDING_EVENTS:
                self._pending.clear()
                self._count = 0
            else:
                self._pending.append(events)
            self._changed.notify()

    def lag(self) -> int:
        """How many committed events it was not called with yet."""
        with self._changed:
            return sum(size - self._next.get(tenant, 0) for tenant, size in self._heads.items())

    def stop(self) -> None:
        """Ask it to leave after the call it is in."""
        self._closing.set()
        with self._changed:
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait until it has left."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closing.is_set():
            events = self._take()
            if events:
                self._deliver(events)

    def _take(self) -> list[Event]:
        """The next events of some tenant, or none when it is time to leave."""
        with self._changed:
            while not self._pending and not self._behind() and not self._closing.is_set():
                self._changed.wait()
            if self._closing.is_set():
                return []
            if self._pending:
                events = self._pending[0]
                expected = self._next.get(events[0].tenant, 0)
                if events[0].known_seq <= expected:
                    self._count -= len(self._pending.popleft())
                    return [event for event in events if event.known_seq >= expected]
                tenant, stop = events[0].tenant, events[0].known_seq
            else:
                tenant, stop = self._behind()[0]
            start = self._next.get(tenant, 0)
        try:
            return list(self._read(tenant, start, min(stop, start + READ_EVENTS)))
        except Exception as error:  # noqa: BLE001  it may have been the store: again
            _log.error("a subscriber could not read what it missed: %s", type(error).__name__)
            self._closing.wait(FIRST_PAUSE_SECONDS)
            return []

    def _behind(self) -> list[tuple[str, int]]:
        return [(tenant, size) for tenant, size in self._heads.items() if self._next.get(tenant, 0) < size]

    def _deliver(self, events: list[Event]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._closing.is_set():
            try:
                self._callback(events)
            except Exception as error:  # noqa: BLE001  whatever it is, order says: again
                # The message could hold what the event says of a person.
                _log.error("subscriber failed with %s, again in %.2f s", type(error).__name__, pause)
                self._closing.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                with self._changed:
                    self._next[events[0].tenant] = events[-1].known_seq + 1
                return
