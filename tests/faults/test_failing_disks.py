"""The disk is full or broken at any write, sync, truncation or opening, once or for as long as it lasts.

Whoever is refused hears Unavailable. What was acknowledged is there, what was refused is there once at most,
and work goes on when the fault is over.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import apsw
import pytest

from obligor.journal import StoreFailed
from obligor.journal.sqlite_store import SqliteStore
from obligor.kernel import Gone, Unavailable
from tests.faults.disk import Disk, Operation, rebuild, without_syncs
from tests.faults.lending import Attempt, Promise, attempts, check, lender
from tests.journal.support import House

pytestmark = pytest.mark.usefixtures("small_logs")

# What SQLite's own layer says when a system call fails with ENOSPC or EIO.
FULL = {
    "create": apsw.SQLITE_CANTOPEN,
    "write": apsw.SQLITE_FULL,
    "sync": apsw.SQLITE_IOERR_FSYNC,
}
BROKEN = {
    "create": apsw.SQLITE_CANTOPEN,
    "open": apsw.SQLITE_CANTOPEN,
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "delete": apsw.SQLITE_IOERR_DELETE,
}
ONCE, LASTING = 1, 1 << 30


class Fault:
    """Fails operations that it has a code for, from the `first` of them on, until it is over."""

    def __init__(self, codes: dict[str, int], first: int = 0, length: int = 0) -> None:
        self._codes = codes
        self._failing = range(first, first + length)
        self.seen = 0
        self.failed: list[str] = []
        self.over = False

    def __call__(self, operation: Operation) -> Exception | None:
        code = self._codes.get(operation.kind)
        if code is None or self.over:
            return None
        self.seen += 1
        if self.seen - 1 not in self._failing:
            return None
        self.failed.append(operation.kind)
        return apsw.exception_for(code)


class Life:
    """Attempts one after the other on a disk with a fault, all of them again, and again when it is over."""

    def __init__(self, directory: Path, fault: Fault, seed: int = 0) -> None:
        self.fault = fault
        self.tried = attempts(seed, 9, cursor=False)
        self.promises: list[Promise] = []
        self.refused: list[Attempt] = []
        self.false: list[str] = []
        directory.mkdir(parents=True)
        self.disk = Disk(directory, trouble=fault)
        self.opened = False
        with self.disk.record():
            try:
                with lender(directory, vfs=self.disk.vfs) as h:
                    self.opened = True
                    self._live(h)
            except Unavailable:
                assert not self.opened
            fault.over = True

    def _live(self, h: House) -> None:
        for attempt in (*self.tried, *self.tried):
            self._submit(h, attempt)
        self.fault.over = True
        h.journal._writer.call(h.journal._committer.idle).result(30)
        for attempt in self.tried:
            assert self._submit(h, attempt), "refused though the fault is over"
        self.open = len(self.disk.operations)

    def _submit(self, h: House, attempt: Attempt) -> bool:
        def told(answer: Any) -> None:
            if answer.exception() is not None:
                return
            tenant = attempt.command.tenant
            if attempt.erases is not None and h.vault.key(tenant, attempt.erases, "identity") is not None:
                self.false.append(f"{attempt.erases} is said to be erased, and the key is there")
            note, when = h.journal.checkpoint(tenant), len(self.disk.operations)
            self.promises.append(Promise(attempt, answer.result().data, note, when))

        answer = h.journal.submit(attempt.command)
        answer.add_done_callback(told)
        error = answer.exception(30)
        if isinstance(error, Unavailable):
            self.refused.append(attempt)
            return False
        assert error is None or isinstance(error, Gone), error
        return True

    def hold(self, directory: Path) -> None:
        """See that every promise is kept by what is in a directory."""
        assert self.false == []
        with without_syncs(), lender(directory, synchronous="OFF", vault_synchronous="OFF") as h:
            check(h, self.tried, self.promises, ordered=False)


def _operations(place: Path, codes: dict[str, int]) -> int:
    return Life(place / "data", Fault(codes)).fault.seen


def _each(place: Path, codes: dict[str, int], length: int, step: int) -> Counter[str]:
    """One life for every `step`th operation, failing from there on; what was seen."""
    seen: Counter[str] = Counter()
    for first in range(step // 2, _operations(place / "sound", codes), step):
        directory = place / str(first) / "data"
        life = Life(directory, Fault(codes, first, length))
        assert life.fault.failed, "nothing failed"
        try:
            life.hold(directory)
        except BaseException as error:
            error.add_note(f"operation {first}, a {life.fault.failed[0]}")
            raise
        seen[life.fault.failed[0]] += 1
        seen["not opened" if not life.opened else "refused" if life.refused else "not noticed"] += 1
    return seen


@pytest.mark.parametrize("length", [ONCE, LASTING], ids=["once", "lasting"])
@pytest.mark.parametrize("codes", [FULL, BROKEN], ids=["full", "broken"])
@pytest.mark.parametrize(
    "step", [31, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])], ids=["some", "every"]
)
def test_no_fault_of_the_disk_makes_a_false_acknowledgement(
    tmp_path: Path, codes: dict[str, int], length: int, step: int
) -> None:
    seen = _each(tmp_path, codes, length, step)
    assert seen["refused"] > 0
    assert seen["not opened"] > 0
    assert {*codes} - {*seen} <= ({"create", "delete", "open", "truncate"} if step > 1 else set())


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_what_a_failed_sync_left_behind_is_not_trusted_after_a_power_cut(tmp_path: Path, step: int) -> None:
    """The system takes pages for clean whose sync has failed: a later sync does not write them."""
    only = {"sync": apsw.SQLITE_IOERR_FSYNC}
    luck = random.Random(5)
    held = 0
    for first in range(step // 2, _operations(tmp_path / "sound", only), step):
        life = Life(tmp_path / str(first) / "data", Fault(only, first, ONCE))
        if not life.opened:
            continue
        for _ in range(3):
            with tempfile.TemporaryDirectory() as name:
                directory = Path(name) / "data"
                directory.mkdir()
                rebuild(life.disk.after_cut(life.open, luck), directory, luck)
                life.hold(directory)
                held += 1
    assert held > 0, "no life was opened, so no cut was tried"


def test_an_acknowledgement_before_the_commit_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = SqliteStore.commit

    def hopeful(self: SqliteStore) -> None:
        try:
            genuine(self)
        except StoreFailed:
            self.rollback()

    monkeypatch.setattr(SqliteStore, "commit", hopeful)
    with pytest.raises(AssertionError):
        _each(tmp_path, FULL, LASTING, 31)
