"""Who is told of events: all of them, in order, at least once, without holding the writer up."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from obligor.journal import subscribers as module
from obligor.kernel import Event, derived_id
from tests.journal.support import TENANT, command, draft, fee, house


def _until(happened) -> None:
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


class Listener:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def __call__(self, events: list[Event]) -> None:
        assert len({event.tenant for event in events}) == 1
        self.heard += events

    def places(self, tenant: str = TENANT) -> list[int]:
        return [event.known_seq for event in self.heard if event.tenant == tenant]


def test_events_come_in_order_after_they_are_committed(tmp_path: Path, store: str | None) -> None:
    sizes = []
    listener = Listener()
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))

        def check(events: list[Event]) -> None:
            sizes.append(h.journal.reader().size(events[0].tenant) > events[-1].known_seq)
            sizes.append(h.journal.size(events[0].tenant) > events[-1].known_seq)
            listener(events)

        subscriber = h.journal.subscribe(check)
        for number in range(2, 40):
            h.do(fee("l1", number), fee("l2", number))
        h.do(fee("l1", 1), tenant="south")
        _until(lambda: subscriber.lag() == 0)
        assert listener.heard == [
            *h.journal.reader().events(TENANT, after=0),
            *h.journal.reader().events("south"),
        ]
    assert all(sizes)


@pytest.mark.parametrize("more", range(4))
def test_who_falls_behind_misses_nothing(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    monkeypatch.setattr(module, "PENDING_EVENTS", 10)
    monkeypatch.setattr(module, "READ_EVENTS", 7)
    gate = threading.Event()
    listener = Listener()

    def slow(events: list[Event]) -> None:
        gate.wait(30)
        listener(events)

    with house(tmp_path, store=store) as h:
        subscriber = h.journal.subscribe(slow)
        for number in range(1, 21):
            h.do(fee("l1", number), fee("l1", number), fee("l1", number))
            if number in {1, 7, 19}:
                h.do(fee("l1", number), tenant="south")
        for number in range(more):
            h.do(fee("l1", number + 1))
        assert subscriber.lag() > 50
        gate.set()
        _until(lambda: subscriber.lag() == 0)
        h.do(fee("l1", 1))
        _until(lambda: subscriber.lag() == 0)
    assert listener.places() == list(range(61 + more))
    assert listener.places("south") == list(range(3))


def test_a_call_that_raises_is_made_again_and_nothing_is_skipped(tmp_path: Path, store: str | None) -> None:
    listener = Listener()
    failures = iter([True, True, False, True])

    def flaky(events: list[Event]) -> None:
        if next(failures, False):
            raise ValueError("personal")
        listener(events)

    with house(tmp_path, store=store) as h:
        subscriber = h.journal.subscribe(flaky)
        for number in range(1, 6):
            h.do(fee("l1", number))
        _until(lambda: subscriber.lag() == 0)
    assert listener.places() == list(range(5))


def test_a_failing_subscriber_is_logged_without_what_it_says(
    tmp_path: Path, store: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_events: list[Event]) -> None:
        raise ValueError("Zhang Wei of Shenzhen")

    with house(tmp_path, store=store) as h:
        h.journal.subscribe(broken)
        h.do(fee("l1", 1))
        _until(lambda: caplog.records)
    assert "ValueError" in caplog.text
    assert "Zhang" not in caplog.text


def test_a_subscriber_may_write_and_resumes_from_its_cursor(tmp_path: Path, store: str | None) -> None:
    class Doubler:
        """Answers each fee on a loan with one on its shadow, once."""

        def __init__(self, journal) -> None:
            self._journal = journal

        def __call__(self, events: list[Event]) -> None:
            for event in events:
                done = self._journal.reader().cursor(TENANT, "doubler")
                if event.known_seq <= done or event.source == "doubler":
                    continue
                shadow = draft(
                    "loan/shadow",
                    event.body,
                    subjects=("p1",),
                    source="doubler",
                    id=derived_id("doubler", 1, event.id),
                )
                self._journal.submit(command(shadow, cursor=("doubler", event.known_seq))).result(30)

    with house(tmp_path, store=store) as h:
        subscriber = h.journal.subscribe(Doubler(h.journal))
        for number in range(1, 6):
            h.do(fee("l1", number))
        _until(lambda: h.journal.reader().size(TENANT) == 10 and subscriber.lag() == 0)
    with house(tmp_path, store=store) as h:
        doubler = Doubler(h.journal)
        doubler(list(h.journal.reader().events(TENANT)))
        assert h.journal.reader().size(TENANT) == 10
        amounts = [
            event.body.amount_minor for event in h.journal.reader().events(TENANT, stream="loan/shadow")
        ]
        assert amounts == [1, 2, 3, 4, 5]


def test_closing_does_not_wait_for_a_subscriber_that_waits_for_the_writer(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        began = threading.Event()

        def writes(events: list[Event]) -> None:
            began.set()
            h.journal.submit(command(fee("l2", events[0].known_seq + 1))).result(30)

        h.journal.subscribe(writes)
        h.do(fee("l1", 1))
        began.wait(30)
        start = time.monotonic()
        h.journal.close()
        assert time.monotonic() - start < 5
