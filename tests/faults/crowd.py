"""Clients that go on through every fault: what is not answered is tried again under the same key."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from obligor.journal import Answer
from obligor.kernel import Unavailable
from tests.faults.test_journal_kill import attempt
from tests.journal.support import House

ANSWER_SECONDS = 60.0
PAUSE_SECONDS = 0.02


class Crowd:
    """So many clients, each with one attempt on its way, until they are stopped."""

    def __init__(self, h: House, count: int) -> None:
        self._house = h
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(each,), daemon=True) for each in range(count)
        ]
        self.acknowledged: dict[tuple[int, int], str] = {}
        self.refused = 0
        # Refused, tried again, and then answered as something that had been done the first time.
        self.resolved = 0
        self.errors: list[BaseException] = []

    def _live(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                answer = self._answer(client, number)
            except BaseException as error:  # noqa: BLE001  the test says what it is
                self.errors.append(error)
                return
            if answer is not None:
                self.acknowledged[client, number] = hashlib.sha256(answer.data).hexdigest()
                number += 1

    def _answer(self, client: int, number: int) -> Answer | None:
        refused = False
        while not self._stop.is_set():
            try:
                answer = self._house.journal.submit(attempt(client, number)).result(ANSWER_SECONDS)
            except Unavailable:
                self.refused += 1
                refused = True
                self._stop.wait(PAUSE_SECONDS)
            else:
                self.resolved += refused and answer.replayed
                return answer
        return None

    def goes_on(self, more: int, seconds: float = ANSWER_SECONDS) -> None:
        """See that so many more are acknowledged soon."""
        until, wanted = time.monotonic() + seconds, len(self.acknowledged) + more
        while len(self.acknowledged) < wanted:
            assert self.errors == []
            assert self._house.journal.alive, "the journal has stopped"
            assert time.monotonic() < until, "nothing is acknowledged any more"
            time.sleep(0.005)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Until the end."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(ANSWER_SECONDS)
        assert self.errors == []
