"""kill -9 of PostgreSQL under load, while our process lives: it reconnects, goes on, and has lost nothing."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crowd import Crowd
from tests.faults.test_journal_kill import CLIENTS, check_everything
from tests.journal.support import house
from tests.postgres import WHEEL, Server, binaries


@pytest.fixture
def server() -> Iterator[Server]:
    """One of our own, to be killed."""
    if binaries() is None:
        pytest.skip(f"needs a PostgreSQL server: the wheel {WHEEL} is not installed here")
    with Server() as started:
        yield started


def _kill_backends(server: Server) -> None:
    """The postmaster then ends all others too, recovers, and takes connections again."""
    rows = server.sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'obligor%'")
    for (pid,) in rows:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_a_database_that_is_killed_loses_nothing_and_we_go_on(
    tmp_path: Path, server: Server, kills: int
) -> None:
    luck = random.Random(5)
    with house(tmp_path, store=server.url(server.create())) as h:
        crowd = Crowd(h, CLIENTS)
        with crowd.at_work():
            for number in range(kills):
                crowd.goes_on(20)
                time.sleep(luck.random() * 0.1)
                if number % 3 == 1:
                    _kill_backends(server)
                else:
                    server.kill()
                    server.start()
            crowd.goes_on(CLIENTS)
        assert crowd.refused > 0
        check_everything(h, crowd.acknowledged, luck)
