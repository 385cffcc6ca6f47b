"""The core under a seeded scheduler: clients, crashes, hand-overs and failing stores, against a model.

A failure names its seed; `python -m tests.simulation SEED` plays it again, step for step.
"""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.run import first_failure, play

SEEDS = 60
FOUND_WITHIN = 200
# What lines of traces say; each has to be said often enough.
TROUBLE = ("crashes", "opens at", "stands down", "stopped at", "after it took effect", "fails", "replayed")


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """What fails is planned, and said thousands of times."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    "seeds",
    [
        range(SEEDS),
        pytest.param(range(10_000), marks=[pytest.mark.slow, pytest.mark.timeout(7200)]),
    ],
    ids=len,
)
def test_no_seed_breaks_a_promise(seeds):
    failure = first_failure(seeds)
    assert failure is None, failure.told()


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_bug_is_found_within_two_hundred_seeds(planted, record_property):
    with PLANTED[planted]():
        failure = first_failure(range(FOUND_WITHIN))
    assert failure is not None, f"{FOUND_WITHIN} seeds did not find {planted}"
    record_property("seeds", failure.seed + 1)
    print(f"{planted}: found after {failure.seed + 1} seeds: {failure.failure}")
    assert play(failure.seed).failure is None, "the seed fails without the planted bug too"


@pytest.mark.parametrize("seed", [0, 7, 11])
def test_a_seed_replays_exactly(seed):
    once, again = play(seed), play(seed)
    assert once.trace == again.trace
    assert once.journal == again.journal != ""


def test_seeds_meet_what_they_are_meant_to_meet():
    """The trouble that a simulation speaks of has to happen in it."""
    met = Counter()
    for seed in range(30):
        for line in play(seed).trace:
            met.update(what for what in TROUBLE if what in line)
    assert all(met[what] >= 5 for what in TROUBLE), met
