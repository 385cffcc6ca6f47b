"""The process is killed, or a call fails, at every named step: nothing is lost, and nothing doubled."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from obligor.journal import StoreFailed
from obligor.kernel import Gone, Unavailable, failpoints
from obligor.kernel.failpoints import NAMES
from tests.faults.children import Nursery
from tests.faults.conftest import Fresh
from tests.faults.disk import without_syncs
from tests.faults.lending import LEASE_SECONDS, Attempt, Promise, attempts, check, lender
from tests.journal.support import House

ATTEMPTS = 10
SLOW = [pytest.mark.slow, pytest.mark.timeout(3600)]


class Reached(Counter[str]):
    """How often each was reached; does something at the `place`th time one of a name is, counted from 1."""

    def __init__(self, name: str = "", place: int = 0, then: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._at = (name, place)
        self._then = then

    def come_by(self, name: str) -> None:
        self[name] += 1
        if (name, self[name]) == self._at:
            self._then()


def _live(h: House, tried: list[Attempt], tell: Callable[[Attempt, bytes, str], None]) -> list[BaseException]:
    """All attempts one after the other, with a pause in which checkpoints are stored, and a rebuild."""
    errors = []
    for attempt in tried:

        def told(answer: Any, attempt: Attempt = attempt) -> None:
            if answer.exception() is None:
                tell(attempt, answer.result().data, h.journal.checkpoint(attempt.command.tenant))

        answer = h.journal.submit(attempt.command)
        answer.add_done_callback(told)
        error = answer.exception(30)
        if error is not None and not isinstance(error, Gone):
            errors.append(error)
        if attempt.number % 5 == 0 and h.journal.alive:
            h.journal._writer.call(h.journal._committer.idle).exception(30)
    if h.journal.alive:
        h.journal._writer.call(h.journal._projector.rebuild).exception(30)
    return errors


def child(place: str, store: str, name: str, count: str) -> None:
    """Dies at the failpoint; what it promised by then is in a file. Without a name, says what it reached."""
    reached = Reached(name, int(count), lambda: os.kill(os.getpid(), signal.SIGKILL))
    failpoints.arm(reached.come_by)
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    told = os.open(f"{place}.told", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(attempt: Attempt, answer: bytes, note: str) -> None:
        os.write(told, json.dumps([attempt.number, answer.decode(), note]).encode() + b"\n")

    with lender(Path(place), store=store or None) as h:
        assert _live(h, attempts(2, ATTEMPTS), tell) == []
        if store:
            time.sleep(LEASE_SECONDS)
    Path(f"{place}.reached").write_text(json.dumps(reached))


def _names(store: str | None) -> list[str]:
    return [name for name in NAMES if store is not None or not name.startswith("lease.")]


def _reached(children: Nursery, directory: Path, store: str | None) -> dict[str, int]:
    """How often a life that nobody ends comes by each."""
    life = children.run("tests.faults.test_failpoints:child", directory, store or "", "", 0)
    assert life.wait() == 0, children.said()
    found: dict[str, int] = json.loads(Path(f"{directory}.reached").read_text())
    return found


def _told(directory: Path, tried: list[Attempt]) -> list[Promise]:
    lines = Path(f"{directory}.told").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    return [Promise(tried[number], answer.encode(), note) for number, answer, note in told]


def _places(reached: dict[str, int], every: bool) -> list[tuple[str, int]]:
    """Where to strike: each time a name is reached, or once for each, in the middle."""
    if every:
        return [(name, place) for name, count in reached.items() for place in range(1, count + 1)]
    return [(name, count // 2 + 1) for name, count in reached.items()]


def test_a_life_comes_by_every_failpoint(tmp_path: Path, children: Nursery, fresh: Fresh) -> None:
    with fresh() as store:
        assert sorted(_reached(children, tmp_path / "data", store)) == sorted(_names(store))


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=SLOW)], ids=["middle", "every"])
def test_nothing_is_lost_when_the_process_is_killed_at_a_failpoint(
    tmp_path: Path, children: Nursery, fresh: Fresh, every: bool
) -> None:
    tried = attempts(2, ATTEMPTS)
    with fresh() as store:
        reached = _reached(children, tmp_path / "sound" / "data", store)
    # A database takes its time: the short form strikes at every second failpoint there.
    for name, place in _places(reached, every)[:: 2 if store and not every else 1]:
        directory = tmp_path / f"{name}-{place}" / "data"
        with fresh() as store:
            life = children.run("tests.faults.test_failpoints:child", directory, store or "", name, place)
            # A heartbeat comes when it comes.
            assert life.wait() == -signal.SIGKILL or name == "lease.renewed", children.said()
            with without_syncs(), lender(directory, store=store) as h:
                check(h, tried, _told(directory, tried))


@pytest.mark.parametrize("error", [StoreFailed("armed"), LookupError("armed")], ids=["store", "bug"])
@pytest.mark.parametrize(
    ("fresh", "every"),
    [
        ("sqlite", False),
        pytest.param("sqlite", True, marks=SLOW),
        pytest.param("postgresql", True, marks=SLOW),
    ],
    indirect=["fresh"],
)
def test_nothing_is_lost_when_a_call_fails_at_a_failpoint(
    tmp_path: Path, fresh: Fresh, every: bool, error: Exception
) -> None:
    tried = attempts(2, ATTEMPTS, cursor=False)
    reached = Reached()
    with fresh() as store, armed(reached.come_by), lender(tmp_path / "sound" / "data", store=store) as h:
        assert _live(h, tried, lambda *_: None) == []
    for name, place in _places(reached, every):
        directory = tmp_path / f"{name}-{place}" / "data"
        promises: list[Promise] = []

        def fail() -> None:
            raise error

        def tell(*told: Any, promises: list[Promise] = promises) -> None:
            promises.append(Promise(*told))

        with fresh() as store:
            failing = Reached(name, place, fail)
            with armed(failing.come_by), suppress(type(error)), lender(directory, store=store) as h:
                heard = _live(h, tried, tell)
                assert all(isinstance(each, Unavailable | type(error)) for each in heard), heard
                if h.journal.alive:
                    h.journal._writer.call(h.journal._committer.idle).result(30)
                    assert _live(h, tried, tell) == []
            assert failing[name] >= place or name == "lease.renewed"
            with without_syncs(), lender(directory, store=store) as h:
                check(h, tried, promises, ordered=False)


@contextmanager
def armed(reached: Callable[[str], None]) -> Iterator[None]:
    """Until the end."""
    failpoints.arm(reached)
    try:
        yield
    finally:
        failpoints.disarm()
