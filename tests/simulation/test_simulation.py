"""The core under a seeded scheduler: clients, crashes, hand-overs and failing stores, against a model.

A failure names its seed; `python -m tests.simulation SEED` plays it again, step for step.
"""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.run import first_failure, play

SEEDS = 45
FOUND_WITHIN = 200
# What lines of traces say; each has to be said often enough.
TROUBLE = ("crashes", "opens at", "stands down", "stopped at", "after it took effect", "fails", "replayed")


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    """What fails is planned, and said thousands of times."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def played():
    """The first seeds, played once for all that is said of them."""
    return [play(seed) for seed in range(SEEDS)]


def test_no_seed_breaks_a_promise(played):
    failed = [each for each in played if each.failure is not None]
    assert not failed, failed[0].told()


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_thousand_seeds_break_no_promise():
    failure = first_failure(range(10_000))
    assert failure is None, failure.told()


def test_seeds_meet_what_they_are_meant_to_meet(played):
    """The trouble that a simulation speaks of has to happen in it."""
    met = Counter(what for each in played for line in each.trace for what in TROUBLE if what in line)
    assert all(met[what] > 10 for what in TROUBLE), met
    assert sum(each.entries for each in played) > 80 * SEEDS


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_bug_is_found_within_two_hundred_seeds(planted, played, record_property):
    with PLANTED[planted]():
        failure = first_failure(range(FOUND_WITHIN))
    assert failure is not None, f"{FOUND_WITHIN} seeds did not find {planted}"
    seeds = failure.seed + 1
    record_property("seeds", seeds)
    print(f"{planted}: found after {seeds} seeds: {failure.failure}")
    sound = played[failure.seed] if failure.seed < SEEDS else play(failure.seed)
    assert sound.failure is None, "the seed fails without the planted bug too"


@pytest.mark.parametrize("seed", [0, 7, 11])
def test_a_seed_replays_exactly(seed, played):
    once, again = played[seed], play(seed)
    assert once.trace == again.trace
    assert once.journal == again.journal != ""
