"""What a command sees, and what the writer remembers between groups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from obligor.events import FieldClass
from obligor.journal.numbering import Numbered
from obligor.journal.store import AnswerRow, LookupRow
from obligor.journal.types import Memory, Registry, Statement
from obligor.kernel import Event

__all__ = ["ERASED_ANSWER", "Cache", "CommandView", "Known", "Slot", "TenantGroup", "fold_stream"]

# As many as twenty thousand customers have: an account that is not kept is read again, with its transfers.
SLOTS_CACHED = 150_000
ERASED_ANSWER = "the answer was personal, and its subject has been erased"


class Known(Protocol):
    """What is committed, as a group sees it. Every method may raise StoreFailed."""

    def size(self, tenant: str) -> int:
        """How many events the tenant has."""
        ...

    def events(self, tenant: str, stream: str) -> Iterable[Event]:
        """A stream's events in order."""
        ...

    def version(self, tenant: str, stream: str) -> int:
        """How many events a stream has."""
        ...

    def find(self, tenant: str, kind: str, key: str) -> str | None:
        """The value of a lookup."""
        ...

    def find_many(self, tenant: str, kind: str, keys: Iterable[str]) -> Iterable[tuple[str, str]]:
        """The (key, value) of those lookups of a kind that there are."""
        ...

    def answers(self, tenant: str, keys: Iterable[str]) -> Iterable[AnswerRow]:
        """The answers there are under the hidden forms of idempotency keys."""
        ...

    def open_answer(self, row: AnswerRow) -> bytes:
        """The bytes of a stored answer.

        Raises:
            Gone: its person was erased.
        """
        ...

    def cursor(self, tenant: str, name: str) -> int | None:
        """A processor's cursor."""
        ...

    def erased(self, tenant: str, person: str) -> frozenset[FieldClass]:
        """The classes of a person whose keys were destroyed."""
        ...

    def hidden(self, tenant: str, texts: Sequence[tuple[str, str]]) -> list[str]:
        """A keyed hash for each (kind, text), under which text may be stored that can be personal."""
        ...

    def remember(self, tenant: str, memory: Memory) -> Any:
        """A memory over all that is committed."""
        ...


class Slot(NamedTuple):
    """How far a stream has come, and the fold over it."""

    version: int
    state: Any


_NOTHING = Slot(0, None)
_NO_CLASSES: frozenset[FieldClass] = frozenset()


def fold_stream(registry: Registry, stream: str, events: Iterable[Event]) -> Slot:
    """The slot of a stream whose prefix has a fold."""
    fold = registry.folds[stream.partition("/")[0]]
    slot = _NOTHING
    for event in events:
        state = slot.state if slot.version else fold.initial()
        slot = Slot(event.stream_version, fold.apply(state, event))
    return slot


class Cache:
    """What the writer remembers between groups, all of it to be had again from the store.

    While a group is folded it runs ahead of what is committed; when the group fails it is dropped.
    """

    def __init__(self, limit: int = SLOTS_CACHED) -> None:
        self.slots: OrderedDict[tuple[str, str], Slot] = OrderedDict()
        self.memories: dict[tuple[str, str], Any] = {}
        self._limit = limit

    def trim(self) -> None:
        """Let go of what was not used for longest. Not within a group: what it wrote is nowhere else."""
        while len(self.slots) > self._limit:
            self.slots.popitem(last=False)

    def clear(self) -> None:
        """Let go of everything."""
        self.slots.clear()
        self.memories.clear()

    def drop(self, tenant: str) -> None:
        """Let go of all that is a tenant's."""
        for key in [key for key in self.slots if key[0] == tenant]:
            del self.slots[key]
        self.drop_memories(tenant)

    def drop_memories(self, tenant: str) -> None:
        """Let go of a tenant's memories."""
        for key in [key for key in self.memories if key[0] == tenant]:
            del self.memories[key]


class TenantGroup:
    """What the commands of a group have had accepted for one tenant, and look-ups read beforehand."""

    def __init__(self, tenant: str, size: int) -> None:
        self.tenant = tenant
        self.first = size
        self.accepted: list[Numbered] = []
        self.ids: set[str] = set()
        self.finds: dict[tuple[str, str], LookupRow] = {}
        self.found: dict[tuple[str, str], str | None] = {}
        self.answers: dict[str, AnswerRow] = {}
        self.cursors: dict[str, int] = {}
        self.statements: dict[str, list[Statement]] = {}
        self.erased: dict[str, frozenset[FieldClass]] = {}
        self.fresh: set[str] = set()

    @property
    def size(self) -> int:
        """The `known_seq` of the next event."""
        return self.first + len(self.accepted)


class CommandView:
    """Implements `View` for one command: what is committed, the group so far, the command's own events."""

    __slots__ = (
        "_cache",
        "_group",
        "_known",
        "_now",
        "_reads",
        "_registry",
        "before",
        "staged",
        "staged_finds",
        "staged_slots",
        "tenant",
    )

    def __init__(
        self, known: Known, registry: Registry, cache: Cache, group: TenantGroup, now: datetime
    ) -> None:
        self._known = known
        self._registry = registry
        self._cache = cache
        self._group = group
        self._now = now
        self.tenant = group.tenant
        self._reads: dict[str, int] = {}
        self.before: Any = None
        self.staged: list[Numbered] = []
        self.staged_slots: dict[str, Slot] = {}
        self.staged_finds: dict[tuple[str, str], LookupRow] = {}

    @property
    def now(self) -> datetime:
        """The group's time."""
        return self._now

    @property
    def size(self) -> int:
        """The `known_seq` of the next event."""
        return self._group.size + len(self.staged)

    @property
    def reads(self) -> Mapping[str, int]:
        """The version of every stream looked at."""
        return self._reads

    def state(self, stream: str) -> Any:
        """The fold of a stream."""
        slot = self.slot(stream)
        self._reads[stream] = slot.version
        return slot.state

    def version(self, stream: str) -> int:
        """How many events a stream has."""
        version = self._reads[stream] = self.slot(stream).version
        return version

    def find(self, kind: str, key: str) -> str | None:
        """The value of a lookup."""
        place = (kind, key)
        row = self.staged_finds.get(place) or self._group.finds.get(place)
        if row is not None:
            return row.value
        found = self._group.found
        return found[place] if place in found else self._known.find(self.tenant, kind, key)

    def fresh(self, stream: str, subject: str | None = None) -> None:
        """Take it that a stream has no events, and a subject no keys."""
        self._cache.slots.setdefault((self.tenant, stream), _NOTHING)
        if subject is not None:
            self._group.fresh.add(subject)
            self._group.erased.setdefault(subject, _NO_CLASSES)

    def events(self, stream: str) -> Iterator[Event]:
        """A stream's events, committed and not."""
        yield from self._known.events(self.tenant, stream)
        for numbered in (*self._group.accepted, *self.staged):
            if numbered.event.stream == stream:
                yield numbered.event

    def memory(self, name: str) -> Any:
        """A registered memory."""
        key = (self.tenant, name)
        if key not in self._cache.memories:
            declared = self._registry.memories[name]
            memory = self._known.remember(self.tenant, declared)
            for numbered in (*self._group.accepted, *self.staged):
                declared.apply(memory, numbered.event)
            self._cache.memories[key] = memory
        return self._cache.memories[key]

    def slot(self, stream: str) -> Slot:
        """Version and state of a stream, the command's own events included."""
        slot = self.staged_slots.get(stream)
        if slot is None:
            key = (self.tenant, stream)
            slot = self._cache.slots.get(key)
            if slot is None:
                slot = self._cache.slots[key] = self._load(stream)
            else:
                self._cache.slots.move_to_end(key)
        return slot

    def _load(self, stream: str) -> Slot:
        if stream.partition("/")[0] in self._registry.folds:
            return fold_stream(self._registry, stream, self._known.events(self.tenant, stream))
        return Slot(self._known.version(self.tenant, stream), None)
