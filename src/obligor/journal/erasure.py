"""Erasing a person: keys destroyed, memories cleared, no trace of deleted rows left in a file.

The event is written first, with a row that says what is still to be done; a crash in between is made good at
the next start. The person's lookups and stored answers go in the event's own transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from obligor.journal.store import ErasureRow, Store, StoreFailed
from obligor.journal.types import Registry
from obligor.journal.vault import Vault
from obligor.journal.view import Cache
from obligor.kernel.failpoints import reach

__all__ = ["Eraser"]


class Eraser:
    """Carries out erasures that are already in the journal."""

    def __init__(self, store: Store, vault: Vault, registry: Registry, cache: Cache) -> None:
        self._store = store
        self._vault = vault
        self._registry = registry
        self._cache = cache
        self._with_keys: list[ErasureRow] = []
        self._with_traces: list[ErasureRow] = []

    @property
    def pending(self) -> bool:
        """Whether some erasure is not finished."""
        return bool(self._with_keys or self._with_traces)

    @property
    def count(self) -> int:
        """How many are not finished."""
        return len(self._with_keys) + len(self._with_traces)

    @property
    def waiting(self) -> bool:
        """Whether keys are still to be destroyed."""
        return bool(self._with_keys)

    def add(self, erasures: Iterable[ErasureRow]) -> None:
        """Take on erasures that were written, by this process or by one before it."""
        for erasure in erasures:
            if erasure not in self._with_keys and erasure not in self._with_traces:
                self._with_keys.append(erasure)

    def finish(self) -> None:
        """Destroy the keys; when no file holds a trace any more, take the erasures off the list.

        A reader who can still see what was deleted delays only the last step, which is tried again later.

        Raises:
            StoreFailed: keys may still exist.
        """
        while self._with_keys:
            erasure = self._with_keys[0]
            self._vault.erase(erasure.tenant, erasure.person, erasure.classes.split())
            reach("erasure.keys-destroyed")
            self._forget(erasure)
            self._with_traces.append(self._with_keys.pop(0))
        if self._with_traces and self._purged():
            reach("erasure.purged")
            while self._with_traces:
                self._store.erasure_done(self._with_traces[0])
                reach("erasure.done")
                del self._with_traces[0]

    def _purged(self) -> bool:
        try:
            return self._vault.purge() and self._store.purge()
        except StoreFailed:
            return False

    def _forget(self, erasure: ErasureRow) -> None:
        """States are folded again from what can still be read; memories take the person out."""
        self._cache.slots.clear()
        for (tenant, name), memory in self._cache.memories.items():
            if tenant == erasure.tenant:
                self._registry.memories[name].forget(memory, erasure.person)
