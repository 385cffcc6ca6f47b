"""One world played once, for all tests that look at what came out of it."""

from datetime import date

import pytest

from obligor.world import World
from tests.world.lender import Lender

START = date(2025, 1, 1)


@pytest.fixture(scope="session")
def played() -> Lender:
    """450 people, 240 days, a lender who grants everything."""
    return Lender(World(11, 450, START)).play(240)
