"""Features see what was known, when it was known, and nothing else."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.features import Catalogue, History
from tests.features.samples import DAY, NOW, PERSON, event, life, starter, transfer, wide

SEEDS = st.integers(0, 10**6)
LENGTHS = st.integers(0, 60)


def moments(seed: int, length: int) -> list[tuple[object, int]]:
    """Moments to look from: on the edges of days, between them, and with some of the journal unread."""
    r = random.Random(seed)
    whole = [(NOW - DAY * r.randrange(60), r.randrange(length + 1)) for _ in range(6)]
    return [*whole, (NOW, length), (NOW - timedelta(seconds=r.randrange(10**7)), length)]


@pytest.mark.parametrize("catalogue", [starter, wide], ids=["starter", "wide"])
@given(seed=SEEDS, length=LENGTHS)
def test_the_kernel_and_plain_python_agree(catalogue, seed, length):
    compiled: Catalogue = catalogue()
    history = History.from_events(life(seed, length))
    for as_of, known_upto in moments(seed, length):
        got = compiled.compute(history, as_of, known_upto, "CNY")
        assert got == compiled.oracle(history, as_of, known_upto, "CNY")


@given(seed=SEEDS, length=LENGTHS)
def test_events_give_the_same_history_in_whatever_order_and_however_often_they_come(seed, length):
    events = life(seed, length)
    straight = History.from_events(events)
    shuffled = events + random.Random(seed).choices(events, k=length // 3) if events else []
    random.Random(seed + 1).shuffle(shuffled)
    other = History.from_events(shuffled)
    assert other.records() == straight.records()
    assert [r.at_us for r in other.records()] == sorted(r.at_us for r in other.records())


@given(seed=SEEDS, length=LENGTHS, cut=st.integers(0, 60))
def test_what_was_not_known_yet_changes_nothing(seed, length, cut):
    events = life(seed, length)
    known = History.from_events(e for e in events if e.known_seq < cut)
    later = History.from_events(events)
    for as_of, _ in moments(seed, length):
        now = wide().compute(known, as_of, cut, "CNY")
        assert wide().compute(later, as_of, cut, "CNY") == now


@given(seed=SEEDS, length=LENGTHS, days=st.integers(0, 400))
def test_what_happened_later_changes_nothing(seed, length, days):
    """A correction is known of by its place in the journal: it counts whenever its own moment was."""
    as_of = NOW - DAY * days
    events = life(seed, length)
    until = [e for e in events if e.at <= as_of or e.replaces is not None]
    assert wide().compute(History.from_events(until), as_of, length, "CNY") == wide().compute(
        History.from_events(events), as_of, length, "CNY"
    )


@given(seed=SEEDS, length=LENGTHS)
def test_a_copy_looks_ahead_without_touching_the_history(seed, length):
    history = History.from_events(life(seed, length), PERSON)
    before = history.records()
    ahead = history.copy()
    ahead.add(event(length, NOW - DAY, transfer(7, counterparty="nobody yet")))
    assert history.records() == before
    assert len(ahead) == len(before) + 1


def test_a_sum_stops_at_the_largest_fact_instead_of_wrapping_around():
    history = History.from_events(event(i, NOW, transfer(10**15)) for i in range(20))
    values = wide().compute(history, NOW, 20)
    assert values["sum_transfer_ever"] == 2**53
    assert values == wide().oracle(history, NOW, 20)
