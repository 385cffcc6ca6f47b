"""The power goes between any two operations on the disk: what was acknowledged is there, once and in order.

One life is written down and cut at many places; each disk that is left is opened by a real journal. That the
cuts can hurt is shown by weaker settings, which must lose or break something in a share of them. A failure
names its seed and the operation after which it was cut, and both bring it back.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import apsw
import pytest

from obligor.kernel import Gone, ObligorError
from tests.faults.disk import Disk, rebuild, without_syncs
from tests.faults.lending import VAULT_ROWS, Attempt, KnownKeys, Promise, attempts, check, keys_of, lender

pytestmark = pytest.mark.usefixtures("small_logs")

ATTEMPTS = 24
CUTS_A_LIFE = 50


class Life:
    """From an open to a close, written down: what was promised after which operation."""

    def __init__(
        self,
        directory: Path,
        seed: int,
        promises: Sequence[Promise] = (),
        keys: KnownKeys | None = None,
        **settings: str,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.tried = attempts(seed, ATTEMPTS)
        self.promises = [*promises]
        self.keys = keys or keys_of(directory)
        self.disk = Disk(directory)
        luck = random.Random(seed)
        with self.disk.record(), lender(directory, vfs=self.disk.vfs, keys=self.keys, **settings) as h:
            left = [*self.tried]
            while left:
                size = luck.choice((1, 1, 2, 7))
                self._submit(h, left[:size])
                del left[:size]
                if luck.random() < 0.2:
                    h.journal._writer.call(h.journal._committer.idle).result(30)
            self.open = len(self.disk.operations)

    def _submit(self, h: Any, together: Sequence[Attempt]) -> None:
        """In one group, as far as no erasure ends it. A promise is made when the answer leaves the writer."""

        def promised(attempt: Attempt, answer: Any) -> None:
            if answer.exception() is None:
                note = h.journal.checkpoint(attempt.command.tenant)
                self.promises.append(Promise(attempt, answer.result().data, note, len(self.disk.operations)))

        gate = Event()
        gated = h.journal._writer.call(lambda: gate.wait(30))
        answers = []
        for attempt in together:
            answers.append(h.journal.submit(attempt.command))
            answers[-1].add_done_callback(lambda answer, attempt=attempt: promised(attempt, answer))
        gate.set()
        gated.result(30)
        for answer in answers:
            assert isinstance(answer.exception(30), Gone | None)

    @contextmanager
    def cut(self, stop: int, luck: random.Random) -> Iterator[tuple[Path, list[Promise]]]:
        """The disk after the first `stop` operations, and the promises that were made by then."""
        kept = [replace(promise, when=0) for promise in self.promises if promise.when <= stop]
        files = self.disk.after_cut(stop, luck)
        for key in self.destroyed(kept):
            assert not any(key in data for data in files.values()), "a destroyed key is back"
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name) / "data"
            directory.mkdir()
            rebuild(files, directory, luck)
            yield directory, kept

    def destroyed(self, promises: Sequence[Promise]) -> list[bytes]:
        """The keys, as they were wrapped, that are gone for good."""
        return [
            self.keys.wrapped[each.attempt.command.tenant, each.attempt.erases, kind]
            for each in promises
            if each.attempt.erases is not None
            for kind in ("identity", "conduct")
        ]

    def hold(self, stop: int, luck: random.Random) -> None:
        """Cut the power, start again, and see that every promise is kept."""
        settings = {"synchronous": "OFF", "vault_synchronous": "OFF"}
        with self.cut(stop, luck) as (directory, kept), without_syncs(), lender(directory, **settings) as h:
            check(h, self.tried, kept)


def _hurt(seeds: int, cuts: int, place: Path, **settings: str) -> list[str]:
    """What a setting does in cuts before the last close."""
    found = []
    for seed in range(seeds):
        life = Life(place / str(seed) / "data", seed, **settings)
        luck = random.Random(seed)
        for _ in range(cuts):
            try:
                life.hold(luck.randrange(life.open), luck)
            except (AssertionError, ObligorError, apsw.Error) as error:
                found.append(f"{type(error).__name__}: {error}")
    return found


@pytest.mark.parametrize(
    "cuts", [150, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_nothing_acknowledged_is_lost_or_doubled_by_a_power_cut(tmp_path: Path, cuts: int) -> None:
    for seed in range(cuts // CUTS_A_LIFE):
        life = Life(tmp_path / str(seed) / "data", seed)
        luck = random.Random(seed)
        for number in range(CUTS_A_LIFE):
            stop = luck.randrange(len(life.disk.operations) + 1)
            try:
                life.hold(stop, luck)
            except BaseException as error:
                error.add_note(f"life {seed}, cut {number}, after operation {stop}")
                raise


@pytest.mark.parametrize("lives", [2, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_a_second_cut_while_the_first_is_made_good_loses_nothing_either(tmp_path: Path, lives: int) -> None:
    for seed in range(lives):
        first = Life(tmp_path / str(seed) / "data", seed)
        luck = random.Random(seed)
        with first.cut(luck.randrange(first.open), luck) as (directory, kept):
            second = Life(directory, seed, kept, first.keys)
            for _ in range(8):
                stop = luck.randrange(len(second.disk.operations) + 1)
                second.hold(stop, luck)


def test_a_journal_that_does_not_sync_its_commits_loses_some(tmp_path: Path) -> None:
    hurt = _hurt(2, 15, tmp_path, synchronous="NORMAL")
    assert len(hurt) >= 3
    assert all("signed for" in error or "lost" in error for error in hurt), hurt


def test_a_vault_that_does_not_sync_its_keys_leaves_bodies_shut(tmp_path: Path) -> None:
    hurt = _hurt(2, 15, tmp_path, vault_synchronous="NORMAL")
    assert len(hurt) >= 3
    assert any("does not open" in error for error in hurt), hurt


def test_a_journal_that_syncs_nothing_is_broken_by_a_cut(tmp_path: Path) -> None:
    hurt = _hurt(2, 15, tmp_path, synchronous="OFF")
    assert len(hurt) >= 6
    assert any("malformed" in error for error in hurt), hurt


def test_a_directory_whose_name_is_not_synced_is_lost_with_all_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("obligor.journal.directories.sync_directory", lambda _directory: None)
    hurt = _hurt(1, 12, tmp_path)
    assert len(hurt) >= 3
    assert all("signed for" in error or "does not open" in error for error in hurt), hurt


def test_a_deleted_key_that_is_cut_away_without_a_sync_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsynced(connection: apsw.Connection) -> bool:
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]

    def back(directory: Path) -> int:
        life, luck, count = Life(directory / "data", 1), random.Random(1), 0
        for promise in life.promises:
            if promise.attempt.erases is not None:
                for stop in range(promise.when, promise.when + 10):
                    files = life.disk.after_cut(stop, luck)
                    count += any(key in data for key in life.destroyed([promise]) for data in files.values())
        return count

    assert back(tmp_path / "ours") == 0
    monkeypatch.setattr(VAULT_ROWS, "truncate_wal", unsynced)
    assert back(tmp_path / "weaker") > 0


def test_a_seed_lives_the_same_life_again(tmp_path: Path) -> None:
    one, other = (Life(tmp_path / name / "data", 3) for name in ("one", "other"))
    # SQLite draws the salts of its logs itself.
    assert [each._replace(data=b"") for each in one.disk.operations] == [
        each._replace(data=b"") for each in other.disk.operations
    ]
    assert [_told(promise) for promise in one.promises] == [_told(promise) for promise in other.promises]


def _told(promise: Promise) -> tuple[int, bytes, str, int]:
    return promise.attempt.number, promise.answer, promise.note, promise.when
