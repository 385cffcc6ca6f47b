"""A full disk as a client of the server sees it: 503 until there is space, then the same request is taken."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import apsw
import pytest

from obligor.journal import sqlite, sqlite_rows, sqlite_store
from tests.app.conftest import Lender, application
from tests.faults.disk import Disk, Operation
from tests.faults.lending import VAULT_ROWS


class _Space:
    """Whether there is any."""

    left = True

    def trouble(self, operation: Operation) -> Exception | None:
        if self.left or operation.kind not in {"write", "create"}:
            return None
        return apsw.exception_for(apsw.SQLITE_FULL)


def test_a_full_disk_is_answered_503_and_the_same_request_is_taken_when_there_is_space(
    tmp_path: Path, scorecard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = _Space()
    directory = tmp_path / "var"
    directory.mkdir()
    disk = Disk(directory, trouble=space.trouble)

    def connect(*given: Any, **more: Any) -> apsw.Connection:
        return sqlite.connect(*given, **{**more, "vfs": disk.vfs})

    for module in (sqlite_store, sqlite_rows, VAULT_ROWS):
        monkeypatch.setattr(module, "connect", connect)
    cap = {"type": "cap.set", "source": "tests", "source_ref": "t-1"}
    cap["body"] = {"cap": "obligor/*", "limit_minor": 5, "currency": "CNY"}
    # An application is about somebody new, whose keys are in another file.
    requests = (("/v1/events", cap), ("/v1/applications", application()))
    with disk.record(), contextlib.closing(Lender(directory, scorecard)) as lender:
        for number, (path, body) in enumerate(requests):
            named = {"idempotency-key": f"full-{number}"}
            size = lender.service.journal.size("main")
            space.left = False
            for _ in range(3):
                refused = lender.http.post(path, json=body, headers=named)
                assert refused.status_code == 503, refused.text
                assert refused.headers["content-type"] == "application/problem+json"
                assert refused.json()["type"].endswith("unavailable")
            assert lender.get("/v1/summary")["postings_sum_minor"] == 0
            assert lender.service.journal.size("main") == size
            space.left = True
            taken = lender.http.post(path, json=body, headers=named)
            assert taken.is_success, taken.text
            assert lender.service.journal.size("main") > size
            lender.settle()
            size = lender.service.journal.size("main")
            again = lender.http.post(path, json=body, headers=named)
            assert again.content == taken.content
            assert lender.service.journal.size("main") == size
