"""A lender for the commands to look at."""

from tests.app.conftest import lender, scorecard, store

__all__ = ["lender", "scorecard", "store"]
