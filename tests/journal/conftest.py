"""Each claim about the journal is made of both of its stores."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str | None:
    """Where a test's journal and vault are kept: None for its own directory, or a new database's URL."""
    return request.getfixturevalue("database") if request.param == "postgresql" else None
