"""The tables of projections: made when they are new or have changed, and filled by replaying the journal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from obligor.events import PersonErased
from obligor.journal import queries as q
from obligor.journal.sealing import open_event
from obligor.journal.store import Batch, LookupRow, Store, WrongStatement
from obligor.journal.types import Projection, Registry, Statement
from obligor.journal.vault import Vault
from obligor.journal.view import SLOTS_CACHED, Slot, fold_stream
from obligor.kernel import Event, InvariantBroken, NotFound, sha256_hex
from obligor.kernel.failpoints import reach

__all__ = ["LOOKUPS", "Projector", "projection_digest"]

# The name under which the lookups and the index of subjects are rebuilt.
LOOKUPS = "lookup"
# How many events' statements a rebuild keeps before it runs them together.
EVENTS_AT_ONCE = 1_000


class Projector:
    """Makes and fills what follows from the events. It is used by the thread that writes, between groups."""

    def __init__(self, store: Store, vault: Vault, registry: Registry) -> None:
        """Take what is registered.

        Raises:
            InvariantBroken: a projection's DDL is wrong, or its tables are not called as they must be.
        """
        self._store = store
        self._vault = vault
        self._registry = registry
        for each in registry.projections:
            _check_names(each, store)

    def prepare(self) -> list[str]:
        """Bring the tables in line with what is registered; the names of projections that were filled anew.

        Raises:
            StoreFailed: nothing was changed.
        """
        if self._outdated() == ([], []):
            return []
        with _transaction(self._store):
            # Looked at again: another process may have been at it.
            stale, changed = self._outdated()
            for name in stale:
                self._store.drop_projection(name)
            self._fill(changed)
        return changed

    def _outdated(self) -> tuple[list[str], list[str]]:
        """What is there and not registered, and what is registered and not there as it is."""
        known = self._store.projections()
        wanted = {each.name: projection_digest(each) for each in self._registry.projections}
        stale = [name for name in known if name not in wanted]
        return stale, [name for name in wanted if known.get(name) != wanted[name]]

    def rebuild(self, names: Iterable[str] | None = None) -> list[str]:
        """Delete projections and fill them again: all, and the lookups, or those named (`lookup` for these).

        Readers see the old rows until it is done. Returns the names.

        Raises:
            NotFound: nothing of that name is registered.
            StoreFailed: nothing was changed.
        """
        every = [*(each.name for each in self._registry.projections), LOOKUPS]
        chosen = every if names is None else list(names)
        for name in chosen:
            if name not in every:
                raise NotFound(f"there is no projection {name!r}; there are {', '.join(every)}")
        with _transaction(self._store):
            self._fill(chosen)
        return chosen

    def fill(self, seen: Callable[[int, int], None]) -> None:
        """Make all projections and the lookups in a transaction of the caller's.

        `seen` is called with how many events of a tenant have been dealt with, and how many there are.
        """
        self._fill([*(each.name for each in self._registry.projections), LOOKUPS], seen)

    def _fill(self, names: list[str], seen: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Make the tables of these anew, and replay every event into them."""
        chosen = [each for each in self._registry.projections if each.name in names]
        for each in chosen:
            self._store.drop_projection(each.name)
            self._store.make_projection(each.name, projection_digest(each), each.schema)
        if LOOKUPS in names:
            self._store.clear_lookups()
        reach("projections.dropped")
        for head in self._store.heads():
            states = _Replay(self._store, self._vault, self._registry, head.tenant)
            pending: dict[str, list[Statement]] = {each.name: [] for each in chosen}
            finds = _Finds(self._store, self._registry)
            for event in states.events(head.size):
                for each in chosen:
                    pending[each.name] += each.project(event, states)
                if LOOKUPS in names:
                    finds.add(event)
                if event.known_seq % EVENTS_AT_ONCE == 0:
                    self._flush(chosen, pending)
                    finds.flush()
                    seen(event.known_seq, head.size)
            self._flush(chosen, pending)
            finds.flush()
            seen(head.size, head.size)
        reach("projections.filled")

    def _flush(self, chosen: list[Projection], pending: dict[str, list[Statement]]) -> None:
        for each in chosen:
            self._store.run(each.gather(pending[each.name]))
            pending[each.name] = []


class _Finds:
    """What finds events, gathered so that a store can write it set-wise; the last row under a key holds."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._lookups: dict[tuple[str, str, str], LookupRow] = {}
        self._subjects: list[tuple[str, str, int]] = []

    def add(self, event: Event) -> None:
        """Take an event; an erasure takes out what found its person."""
        for each in self._registry.lookups(event):
            row = LookupRow(event.tenant, each.kind, each.key, each.value, each.person)
            self._lookups[row[:3]] = row
        self._subjects += [
            (event.tenant, subject, event.known_seq) for subject in dict.fromkeys(event.subjects)
        ]
        if isinstance(event.body, PersonErased):
            self.flush()
            self._store.run([(q.PURGE_LOOKUPS, (event.tenant, event.body.person_id))])

    def flush(self) -> None:
        """Write what was taken."""
        self._store.write([Batch(lookups=[*self._lookups.values()], subjects=self._subjects)])
        self._lookups, self._subjects = {}, []


@contextmanager
def _transaction(store: Store) -> Iterator[None]:
    store.begin()
    try:
        yield
    except BaseException:
        store.rollback()
        raise
    store.commit()


class _Replay:
    """Implements `States` over the events of one tenant as they come again."""

    def __init__(self, store: Store, vault: Vault, registry: Registry, tenant: str) -> None:
        self.tenant = tenant
        self._store = store
        self._vault = vault
        self._registry = registry
        self._size = 0
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self._memories: dict[str, Any] = {}
        self.before: Any = None

    def events(self, size: int) -> Iterator[Event]:
        """Each event, once the states are those after it."""
        for row in self._store.events(self.tenant, 0, size):
            event = open_event(row, self._vault)
            self._apply(event)
            yield event

    def state(self, stream: str) -> Any:
        """The fold of a stream."""
        return self._slot(stream).state

    def version(self, stream: str) -> int:
        """How many events the stream has."""
        return self._slot(stream).version

    def memory(self, name: str) -> Any:
        """A registered memory, made when it is first asked for."""
        if name not in self._memories:
            declared = self._registry.memories[name]
            memory = declared.initial(self.tenant)
            for row in self._store.events(self.tenant, 0, self._size):
                self._remember(name, memory, open_event(row, self._vault))
            self._memories[name] = memory
        return self._memories[name]

    def _apply(self, event: Event) -> None:
        slot = self._slot(event.stream) if event.stream_version > 1 else None
        self.before = slot.state if slot is not None else None
        self._size = event.known_seq + 1
        self._slots[event.stream] = self._next(slot, event)
        if len(self._slots) > SLOTS_CACHED:
            self._slots.popitem(last=False)
        for name, memory in self._memories.items():
            self._remember(name, memory, event)

    def _remember(self, name: str, memory: Any, event: Event) -> None:
        declared = self._registry.memories[name]
        declared.apply(memory, event)
        if isinstance(event.body, PersonErased):
            declared.forget(memory, event.body.person_id)

    def _next(self, slot: Slot | None, event: Event) -> Slot:
        fold = self._registry.folds.get(event.stream.partition("/")[0])
        if fold is None:
            return Slot(event.stream_version, None)
        state = slot.state if slot is not None else fold.initial()
        return Slot(event.stream_version, fold.apply(state, event))

    def _slot(self, stream: str) -> Slot:
        slot = self._slots.get(stream)
        if slot is None:
            rows = self._store.stream(self.tenant, stream, before=self._size)
            if stream.partition("/")[0] in self._registry.folds:
                slot = fold_stream(self._registry, stream, (open_event(row, self._vault) for row in rows))
            else:
                slot = Slot(sum(1 for _ in rows), None)
            self._slots[stream] = slot
        return slot


def projection_digest(projection: Projection) -> str:
    """By which a projection whose tables have changed is known."""
    return sha256_hex(projection.schema.encode())


def _check_names(projection: Projection, store: Store) -> None:
    own = f"p_{projection.name}"
    try:
        tables = store.tables_of(projection.schema)
    except WrongStatement as error:
        raise InvariantBroken(f"the schema of projection {projection.name} is wrong: {error}") from error
    for table in tables:
        if table != own and not table.startswith(f"{own}_"):
            raise InvariantBroken(f"projection {projection.name} makes a table {table}, not {own} or {own}_…")
