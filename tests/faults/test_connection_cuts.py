"""The network between us and PostgreSQL is slow, cut or silent: no false acknowledgement, and on it goes.

Whether a commit whose answer never came was done, nobody knows until it is asked again under its key.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from obligor.journal import StoreFailed
from obligor.journal.postgres import Connection
from obligor.journal.postgres_store import PostgresStore
from obligor.kernel import InvariantBroken
from tests.faults.crowd import Crowd
from tests.faults.proxy import Proxy
from tests.faults.test_failpoints import armed
from tests.faults.test_journal_kill import check_everything
from tests.journal.support import house
from tests.postgres import Server

CLIENTS = 8
HARMLESS = {"delay", "drip"}
BEFORE_COMMIT = "cut-before-commit"
MODES = ("delay", "drip", "cut", BEFORE_COMMIT, "cut-commit", "hole", "refuse")


def _through_trouble(place: Path, server: Server, mode: str, times: int) -> Crowd:
    """Write through a proxy that is in trouble so many times; then see that every promise was kept."""
    luck = random.Random(mode)
    name = server.create()

    def cut(reached: str) -> None:
        if reached == "group.written" and proxy.mode == BEFORE_COMMIT:
            proxy.cut_all()
            proxy.mode = "pass"

    with Proxy(server.port, luck).running() as proxy, armed(cut):
        with house(place, store=server.url(name, port=proxy.port), holder="through") as h:
            crowd = Crowd(h, CLIENTS)
            with crowd.at_work():
                for _ in range(times):
                    crowd.goes_on(10)
                    proxy.mode, before = mode, proxy.struck
                    if mode in HARMLESS:
                        crowd.goes_on(10)
                    if mode == "refuse":
                        proxy.cut_all()
                    while proxy.struck == before:
                        time.sleep(0.002)
                    time.sleep(luck.random() * 0.2)
                    proxy.mode = "pass"
                crowd.goes_on(10)
        assert proxy.struck > 0
    # The last word is had past the proxy.
    with house(place, store=server.url(name), holder="through") as h:
        check_everything(h, crowd.acknowledged, luck)
    return crowd


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("times", [2, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_what_a_network_does_makes_no_false_acknowledgement(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch, mode: str, times: int
) -> None:
    # A silence is given up after 20 seconds; the tests have not that long.
    monkeypatch.setattr(Connection, "silence_seconds", 1.0)
    crowd = _through_trouble(tmp_path, postgres_server, mode, times)
    if mode in HARMLESS:
        assert crowd.refused == 0
    if mode == "cut-commit":
        assert crowd.resolved > 0, "no commit was in doubt"


def test_a_store_that_takes_a_broken_commit_for_done_is_found(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = PostgresStore.commit

    def hopeful(self: PostgresStore) -> None:
        try:
            genuine(self)
        except StoreFailed:
            self.rollback()

    monkeypatch.setattr(PostgresStore, "commit", hopeful)
    with pytest.raises((AssertionError, InvariantBroken)):
        _through_trouble(tmp_path, postgres_server, BEFORE_COMMIT, 2)
