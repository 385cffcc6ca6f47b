"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from tests.app.conftest import scorecard
from tests.faults.children import Nursery, nursery
from tests.faults.lending import VAULT_ROWS
from tests.journal.conftest import store
from tests.postgres import fresh_database

__all__ = ["Fresh", "children", "fresh", "scorecard", "small_logs", "store"]


@pytest.fixture
def small_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write-ahead logs are moved on after a few groups, and nothing happens because time passes."""
    monkeypatch.setattr("obligor.journal.sqlite_store.CHECKPOINT_PAGES", 30)
    monkeypatch.setattr(VAULT_ROWS, "WAL_PAGES", 12)
    monkeypatch.setattr("obligor.journal.writer.IDLE_SECONDS", 3600.0)


@pytest.fixture(scope="session")
def children() -> Iterator[Nursery]:
    """Where processes come from that are to be killed."""
    with nursery() as made:
        yield made


Fresh = Callable[[], AbstractContextManager[str | None]]


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest) -> Fresh:
    """Makes places for a lender, as many as a test wants: None for its directory, or a new database's URL."""
    if request.param == "sqlite":
        return nullcontext
    server = request.getfixturevalue("postgres_server")
    return lambda: fresh_database(server)
