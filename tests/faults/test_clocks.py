"""The clock jumps a day ahead or back, stands still, and goes through leap days and changes of summer time.

The journal's order is `known_seq`; `recorded_at` is what the clock said, and nothing hangs on it.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from obligor.app.service import Service
from obligor.proof import audit
from tests.app.conftest import Lender
from tests.journal.support import SIGNER, START, TENANT, House, command, fee, house

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
# Days of 23 and of 25 hours, a leap day, and those around them.
ODD_DAYS = [
    date(2027, 3, 27),
    date(2027, 3, 28),
    date(2027, 10, 31),
    date(2027, 11, 1),
    date(2028, 2, 28),
    date(2028, 2, 29),
    date(2028, 3, 1),
]


class SetClock:
    """Says what it was set to."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time


def _jumps(luck: random.Random) -> list[datetime]:
    """A day ahead, a day back, no time at all, and the moments at which local time jumps."""
    times = [START, START + DAY, START, START, START - DAY, START + timedelta(microseconds=1)]
    for day in ODD_DAYS:
        midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
        times += [midnight, midnight - timedelta(microseconds=1), midnight + timedelta(hours=2)]
    for _ in range(20):
        times.append(times[-1] + luck.choice((-DAY, DAY, timedelta(0))) * luck.random())
    return times


def _check(h: House, times: list[datetime]) -> None:
    reader = h.journal.reader()
    events = list(reader.events(TENANT))
    assert [event.known_seq for event in events] == list(range(len(times)))
    assert [event.body.amount_minor for event in events] == list(range(1, len(times) + 1))
    assert [event.recorded_at for event in events] == times
    assert [event.stream_version for event in events] == list(range(1, len(times) + 1))
    report = audit(reader.entries(TENANT), reader.checkpoints(TENANT), SIGNER.verifier)
    assert report.ok, report.why


def test_order_stays_whatever_the_clock_does(tmp_path: Path, store: str | None) -> None:
    times = _jumps(random.Random(11))
    assert any(later < earlier - DAY / 2 for earlier, later in itertools.pairwise(times))
    clock = SetClock(START)
    with house(tmp_path, store=store, clock=clock) as h:
        for number, time in enumerate(times, start=1):
            clock.time = time
            # What happened bears the sender's time, in the sender's zone.
            at = time.astimezone(BERLIN)
            h.do(fee("l1", number, at=at), key=f"k{number}")
        _check(h, times)
    # A start a day before the last event is no different.
    clock.time = times[-1] - DAY
    with house(tmp_path, store=store, clock=clock) as h:
        _check(h, times)
        assert h.do(fee("l1", 1), key="k1").replayed
        h.do(fee("l1", len(times) + 1))
        _check(h, [*times, times[-1] - DAY])


def test_groups_of_one_moment_keep_the_order_they_came_in(tmp_path: Path) -> None:
    with house(tmp_path, clock=SetClock(START), group_limit=3) as h:
        commands = [command(fee("l1", number)) for number in range(1, 31)]
        h.journal.submit_many(commands).result(30)
        _check(h, [START] * 30)


def test_days_end_when_the_tenants_zone_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SetClock(datetime(2027, 3, 27, 12, tzinfo=UTC))
    monkeypatch.setattr("tests.app.conftest.Service", partial(Service, clock=clock))
    with contextlib.closing(Lender(tmp_path / "var", None, zone="Europe/Berlin")) as lender:
        for day in ODD_DAYS:
            clock.time = datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC)
            lender.event("cap.set", {"cap": "obligor/*", "limit_minor": 5, "currency": "CNY"})
            # A clock that has gone back does not hold a day's close up, and one that is ahead closes none.
            clock.time += random.Random(day.toordinal()).choice((-DAY, timedelta(0), DAY))
            assert lender.event("day.closed", {"day": day.isoformat()})["day"] == day.isoformat()
            lender.event("day.closed", {"day": day.isoformat()}, status=409)
        reader = lender.service.journal.reader()
        ends = {event.body.day: event.at for event in reader.events("main", types=("day.closed",))}
    assert list(ends) == ODD_DAYS
    lasted = {}
    for day, end in ends.items():
        local = end.astimezone(BERLIN)
        assert (local.date(), local.hour, local.minute) == (day + DAY, 0, 0)
        begin = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
        lasted[day] = (end - begin) / timedelta(hours=1)
    assert lasted[date(2027, 3, 28)] == 23
    assert lasted[date(2027, 10, 31)] == 25
    assert {lasted[day] for day in ODD_DAYS} == {23, 24, 25}
