"""What is left when a world has come to rest: read with what a new process would read it with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obligor.journal import Reader
from obligor.journal.sqlite_rows import SqliteRows
from obligor.kernel import Event
from obligor.proof import StoredEntry
from tests.simulation.ground import TENANT
from tests.simulation.stores import Luck, SimulatedVault

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Final", "final_of"]


@dataclass
class Final:
    """A tenant's whole journal, and its rows."""

    directory: Path
    events: list[Event]
    entries: list[StoredEntry]
    reader: Reader
    vault: SimulatedVault

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return self.reader.query(sql, values)

    def of(self, *kinds: type) -> Iterator[Event]:
        return (event for event in self.events if isinstance(event.body, kinds))

    def digest(self) -> str:
        """SHA-256 over all that is stored of the events, sealed parts and all."""
        over = hashlib.sha256()
        for entry in self.entries:
            for part in (entry.envelope, entry.body_root, entry.sealed, entry.leaf):
                over.update(part)
        return over.hexdigest()


@contextmanager
def final_of(world: World) -> Iterator[Final]:
    vault = SimulatedVault.begin(world.directory, world.keys, world.entropy, Luck())
    reader = Reader(SqliteRows(world.directory), vault)
    try:
        events, entries = list(reader.events(TENANT)), list(reader.entries(TENANT))
        yield Final(world.directory, events, entries, reader, vault)
    finally:
        reader.close()
        vault.close()
