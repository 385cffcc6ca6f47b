"""What is committed, as the group fold sees it: the store's rows, opened with the vault's keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from obligor.events import FieldClass
from obligor.journal.sealing import open_answer, open_event
from obligor.journal.store import AnswerRow, Store
from obligor.journal.types import Memory
from obligor.journal.vault import Vault
from obligor.journal.view import ERASED_ANSWER
from obligor.kernel import Event, Gone

__all__ = ["Committed"]


class Committed:
    """Implements `Known`. `remember` makes a memory over all that is committed."""

    def __init__(self, store: Store, vault: Vault, remember: Callable[[str, Memory], Any]) -> None:
        self._store = store
        self._vault = vault
        self._remember = remember
        self.version = store.stream_version
        self.find = store.find
        self.find_many = store.find_many
        self.answers = store.answers
        self.cursor = store.cursor
        self.hidden = vault.hidden_each

    def size(self, tenant: str) -> int:
        """How many events the tenant has."""
        head = self._store.head(tenant)
        return head.size if head else 0

    def events(self, tenant: str, stream: str) -> Iterator[Event]:
        """A stream's events in order."""
        for row in self._store.stream(tenant, stream):
            yield open_event(row, self._vault)

    def open_answer(self, row: AnswerRow) -> bytes:
        """The bytes of a stored answer.

        Raises:
            Gone: its person was erased.
        """
        if row.answer is not None:
            if row.person is None:
                return row.answer
            key = self._vault.ring(row.tenant, row.person).keys.get(FieldClass.CONDUCT)
            if key is not None:
                return open_answer(row.answer, key, row.tenant, row.key)
        raise Gone(ERASED_ANSWER)

    def erased(self, tenant: str, person: str) -> frozenset[FieldClass]:
        """The classes of a person whose keys were destroyed."""
        return self._vault.ring(tenant, person).erased

    def remember(self, tenant: str, memory: Memory) -> Any:
        """A memory over all that is committed."""
        return self._remember(tenant, memory)
