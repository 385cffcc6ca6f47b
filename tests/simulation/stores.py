"""A store as one process among several has it: fenced by a lease, and failing when its luck says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from obligor.journal import FileKeys, StoreFailed, Vault
from obligor.journal.key_rows import SqliteKeyRows
from obligor.journal.sqlite import connect
from obligor.journal.sqlite_rows import SqliteRows
from obligor.journal.sqlite_store import SqliteStore
from obligor.journal.store import Batch, ErasureRow, RoleLost
from obligor.kernel import Entropy, Unavailable
from tests.simulation.ground import JOURNAL, VAULT

__all__ = ["COMMITTED", "Lease", "Luck", "SimulatedRows", "SimulatedStore", "SimulatedVault", "open_store"]

LEASE_SECONDS = 3.0
# How long after its lease a process that stopped in a transaction is left in it.
GRACE_SECONDS = 0.5
# A commit that took effect and is reported as failed: its outcome is unknown.
COMMITTED = "commit, after it took effect"


class Lease:
    """The row that says who writes, by the database's clock, which never goes back.

    Whoever is in a transaction holds the row: nobody takes the lease meanwhile, and the fence that was seen
    at its beginning holds until its end.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.holder: str | None = None
        self.fence = 0
        self.until = 0.0
        self.locked_by: str | None = None
        self.cuts: dict[str, Callable[[], None]] = {}

    @property
    def is_free(self) -> bool:
        """Whether a term has ended or run out."""
        return self.holder is None or self.now >= self.until

    def take(self, holder: str) -> int:
        """Become the writer; the fence of the term."""
        self._free(holder)
        if not self.is_free:
            raise Unavailable(f"{self.holder} is the writer until {self.until:.1f}")
        self.holder, self.fence, self.until = holder, self.fence + 1, self.now + LEASE_SECONDS
        return self.fence

    def enter(self, holder: str, fence: int | None) -> None:
        """Begin a transaction of a term; it is renewed if nobody else has begun one."""
        self._free(holder)
        self.check(holder, fence)
        self.until = self.now + LEASE_SECONDS
        self.locked_by = holder

    def check(self, holder: str, fence: int | None) -> None:
        """Refuse a term that is over."""
        if fence != self.fence:
            raise RoleLost(f"{holder} wrote under fence {fence}, and {self.holder} does under {self.fence}")

    def leave(self, holder: str) -> None:
        """End a transaction, however."""
        if self.locked_by == holder:
            self.locked_by = None

    def release(self, holder: str) -> None:
        """End a term."""
        self.leave(holder)
        if self.holder == holder:
            self.holder, self.until = None, self.now

    def _free(self, holder: str) -> None:
        if self.locked_by is None or self.locked_by == holder:
            return
        if self.now < self.until + GRACE_SECONDS:
            raise StoreFailed(f"{self.locked_by} is in a transaction")
        # Whoever wants the role ends the connection of a predecessor that stopped in the middle of a group.
        self.cuts[self.locked_by]()
        self.locked_by = None


class Luck:
    """When the next operation of a store fails, and for how many it goes on failing."""

    def __init__(self) -> None:
        self.fuse = -1
        self.failures = 0
        self.only: str | None = None
        self.error: type[StoreFailed] = StoreFailed
        self.told: Callable[[str], None] = lambda _operation: None

    def arm(
        self, fuse: int, failures: int, only: str | None = None, error: type[StoreFailed] = StoreFailed
    ) -> None:
        """Fail after so many operations, so many times; count only those of a name, if one is given."""
        self.fuse, self.failures, self.only, self.error = fuse, failures, only, error

    def disarm(self) -> None:
        self.fuse = -1

    def try_(self, operation: str) -> None:
        """One operation: it fails when its time has come."""
        if self.fuse < 0 or (self.only is not None and operation != self.only):
            return
        if self.fuse > 0:
            self.fuse -= 1
            return
        self.failures -= 1
        if self.failures <= 0:
            self.fuse = -1
        self.told(operation)
        raise self.error(f"{operation} fails, as the seed says")


class NoLock:
    """Stands where one process would keep the others out of a directory: the lease does that here."""

    def release(self) -> None:
        """Nothing is held."""


class SimulatedStore:
    """A real SQLite store behind a lease and its luck. Whatever is not said here goes straight to it."""

    def __init__(self, inner: SqliteStore, lease: Lease, holder: str, luck: Luck) -> None:
        self._inner, self._lease, self._holder, self._luck = inner, lease, holder, luck
        self._fence: int | None = None
        self._broken = False
        self.alive = True
        lease.cuts[holder] = self._cut

    def take(self, tenants: Iterable[str]) -> None:
        self._luck.try_("take")
        if self._fence is None:
            self._fence = self._lease.take(self._holder)

    def leads(self, _tenant: str) -> bool:
        return self._fence == self._lease.fence and not self._lease.is_free

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)
        if not callable(operation):
            return operation

        def guarded(*args: Any) -> Any:
            self._luck.try_(name)
            self._check()
            return operation(*args)

        setattr(self, name, guarded)
        return guarded

    def _cut(self) -> None:
        self._inner.rollback()
        self._broken = True

    def _check(self) -> None:
        if self._broken:
            raise StoreFailed("the connection was ended")

    def begin(self, tenants: Iterable[str] | None = None) -> None:
        self._luck.try_("begin")
        self._broken = False
        try:
            self._lease.enter(self._holder, self._fence)
        except RoleLost:
            self.alive = False
            raise
        try:
            self._inner.begin(tenants)
        except BaseException:
            self._lease.leave(self._holder)
            raise

    def write(self, batches: Iterable[Batch]) -> None:
        self._luck.try_("write")
        self._inner.write(self._while_connected(batches))

    def _while_connected(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Batches are made while others are written: a process may stop in between and be cut off."""
        for batch in batches:
            self._check()
            yield batch
        self._check()

    def commit(self) -> None:
        self._luck.try_("commit")
        self._check()
        self._inner.commit()
        self._lease.leave(self._holder)
        self._luck.try_(COMMITTED)

    def rollback(self) -> None:
        # However it fails, the transaction ends: a connection that breaks takes it along.
        try:
            self._luck.try_("rollback")
        finally:
            self._broken = False
            self._inner.rollback()
            self._lease.leave(self._holder)

    def purge(self) -> bool:
        self._luck.try_("purge")
        return self._lease.locked_by in {None, self._holder} and self._inner.purge()

    def erasure_done(self, erasure: ErasureRow) -> None:
        self._luck.try_("erasure_done")
        self._lease.check(self._holder, self._fence)
        self._inner.erasure_done(erasure)

    def renew(self) -> None:
        """Keep the role, if it is still held."""
        if self._lease.fence == self._fence:
            self._lease.until = self._lease.now + LEASE_SECONDS

    def close(self) -> None:
        """Leave in order: the lease is free at once."""
        self._inner._connection.close()
        self._lease.release(self._holder)

    def die(self) -> None:
        """What the system does with a process that ended: its transaction is undone, its lease runs on."""
        self._inner._connection.close()
        self._lease.leave(self._holder)


def open_store(directory: Path, lease: Lease, holder: str, luck: Luck) -> SimulatedStore:
    connection = connect(directory / JOURNAL, synchronous="OFF")
    return SimulatedStore(SqliteStore(connection, NoLock()), lease, holder, luck)


class SimulatedRows(SqliteRows):
    """A reader's side that fails as the writer's does."""

    def __init__(self, directory: Path, luck: Luck) -> None:
        super().__init__(directory)
        self._luck = luck

    def all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        self._luck.try_("read")
        return super().all(sql, values)

    def named(self, sql: str, values: Any) -> list[dict[str, Any]]:
        self._luck.try_("query")
        return super().named(sql, values)


class SharedKeyRows(SqliteKeyRows):
    """The rows of a vault that several processes write, as they may on PostgreSQL."""

    shared = True

    def changes(self) -> int:
        return int(self._connection.pragma("data_version"))


class SimulatedVault(Vault):
    """A vault that fails before or after its keys were written or destroyed."""

    luck = Luck()

    @classmethod
    def begin(cls, directory: Path, keys: FileKeys, entropy: Entropy, luck: Luck) -> SimulatedVault:
        path = directory / VAULT
        vault = cls(SharedKeyRows(connect(path, synchronous="OFF"), NoLock()), keys, entropy)
        vault.luck = luck
        return vault

    def ensure(self, tenant: str, persons: Iterable[str], fresh: Collection[str] = ()) -> None:
        self.luck.try_("vault: ensure")
        super().ensure(tenant, persons, fresh)
        self.luck.try_("vault: ensure, after it took effect")

    def erase(self, tenant: str, person: str, classes: Iterable[str]) -> None:
        self.luck.try_("vault: erase")
        super().erase(tenant, person, classes)
        self.luck.try_("vault: erase, after it took effect")
