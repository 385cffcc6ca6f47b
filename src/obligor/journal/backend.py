"""Where a journal lives: a directory with SQLite, or a database that speaks PostgreSQL's protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from obligor.journal.sqlite import DirectoryLock
from obligor.journal.sqlite_rows import SqliteRows
from obligor.journal.sqlite_store import SqliteStore
from obligor.journal.store import Rows, Store

__all__ = ["Backend", "SqliteBackend"]

LOCK_FILE = "journal.lock"


class Backend(Protocol):
    """Opens a journal's two sides."""

    def writer(self) -> Store:
        """Its writer's side, brought to this release's format; whatever makes it the only one is held until
        it is closed.

        Raises:
            Unavailable: another process writes here.
            Conflict: it was written by a newer release.
            StoreFailed: it cannot be reached.
        """
        ...

    def rows(self) -> Rows:
        """Its readers' side, beside a writer or alone.

        Raises:
            NotFound: there is no journal.
            Conflict: it was written by another release.
            StoreFailed: it cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class SqliteBackend:
    """One SQLite file in a directory that one process writes."""

    directory: Path
    synchronous: str = "FULL"
    vfs: str | None = None

    def writer(self) -> Store:
        """The file, made if there is none, under the directory's lock."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock(self.directory / LOCK_FILE)
        try:
            store = SqliteStore.open(self.directory, lock, synchronous=self.synchronous, vfs=self.vfs)
            _sync_directory(self.directory)
        except BaseException:
            lock.release()
            raise
        return store

    def rows(self) -> Rows:
        """Read-only connections to the file."""
        return SqliteRows(self.directory, vfs=self.vfs)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
