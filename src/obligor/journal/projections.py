"""The tables of projections: made when they are new or have changed, and filled by replaying the journal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import apsw

from obligor.events import PersonErased
from obligor.journal import queries as q
from obligor.journal.sealing import open_event
from obligor.journal.sqlite import storage
from obligor.journal.sqlite_store import SqliteStore
from obligor.journal.types import Projection, Registry
from obligor.journal.vault import Vault
from obligor.journal.view import SLOTS_CACHED, Slot, fold_stream
from obligor.kernel import Event, InvariantBroken, NotFound, sha256_hex

__all__ = ["LOOKUPS", "Projector"]

# The name under which the lookups and the index of subjects are rebuilt.
LOOKUPS = "lookup"


class Projector:
    """Makes and fills what follows from the events. It is used by the thread that writes, between groups."""

    def __init__(self, store: SqliteStore, vault: Vault, registry: Registry) -> None:
        self._store = store
        self._vault = vault
        self._registry = registry
        self._tables = {each.name: _tables(each) for each in registry.projections}

    def prepare(self) -> list[str]:
        """Bring the tables in line with what is registered; the names of projections that were filled anew.

        Raises:
            InvariantBroken: a projection's tables are not called as they must be.
            StoreFailed: nothing was changed.
        """
        with storage():
            rows = self._store.connection.execute("SELECT name, digest, tables FROM projection").fetchall()
        known = {name: (digest, tables.split()) for name, digest, tables in rows}
        wanted = {each.name: _digest(each) for each in self._registry.projections}
        stale = [name for name in known if name not in wanted]
        changed = [name for name in wanted if known.get(name, ("", []))[0] != wanted[name]]
        if stale or changed:
            with self._transaction():
                for name in stale:
                    self._drop(name, known[name][1])
                for name in changed:
                    self._drop(name, known.get(name, ("", []))[1])
                self._fill(changed)
        return changed

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
        with self._transaction():
            for name in chosen:
                if name == LOOKUPS:
                    self._run("DELETE FROM lookup")
                    self._run("DELETE FROM subject_event")
                else:
                    self._drop(name, self._tables[name])
            self._fill(chosen)
        return chosen

    def _transaction(self) -> _Transaction:
        return _Transaction(self._store)

    def _drop(self, name: str, tables: list[str]) -> None:
        for table in tables:
            self._run(f'DROP TABLE IF EXISTS "{table}"')
        self._run("DELETE FROM projection WHERE name = ?", name)

    def _fill(self, names: list[str]) -> None:
        chosen = [each for each in self._registry.projections if each.name in names]
        for each in chosen:
            self._run(each.schema)
            row = (each.name, _digest(each), " ".join(self._tables[each.name]))
            self._run("INSERT INTO projection VALUES (?, ?, ?)", *row)
        for head in self._store.heads():
            states = _Replay(self._store, self._vault, self._registry, head.tenant)
            for event in states.events(head.size):
                for each in chosen:
                    self._store.run(each.project(event, states))
                if LOOKUPS in names:
                    self._look_up(event)

    def _look_up(self, event: Event) -> None:
        rows = [(event.tenant, each.kind, each.key, each.value, each.person) for each in self._registry.lookups(event)]
        self._store.run([(q.UPSERT_LOOKUP, row) for row in rows])
        subjects = dict.fromkeys(event.subjects)
        self._store.run([(q.INSERT_SUBJECT, (event.tenant, each, event.known_seq)) for each in subjects])
        if isinstance(event.body, PersonErased):
            self._run(q.PURGE_LOOKUPS, event.tenant, event.body.person_id)

    def _run(self, sql: str, *values: str) -> None:
        with storage():
            self._store.connection.execute(sql, values or None).fetchall()


class _Transaction:
    """All or nothing."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store.begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._store.commit()
        else:
            self._store.rollback()


class _Replay:
    """Implements `States` over the events of one tenant as they come again."""

    def __init__(self, store: SqliteStore, vault: Vault, registry: Registry, tenant: str) -> None:
        self.tenant = tenant
        self._store = store
        self._vault = vault
        self._registry = registry
        self._size = 0
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self._memories: dict[str, Any] = {}

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
        self._size = event.known_seq + 1
        slot = self._slots.get(event.stream)
        if event.stream_version == 1 or slot is not None:
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


def _digest(projection: Projection) -> str:
    return sha256_hex(projection.schema.encode())


def _tables(projection: Projection) -> list[str]:
    """The tables a projection's DDL makes.

    Raises:
        InvariantBroken: the DDL is wrong, or a table is not the projection's by its name.
    """
    scratch = apsw.Connection(":memory:")
    try:
        scratch.execute(projection.schema).fetchall()
        found = [
            row[0]
            for row in scratch.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        ]
    except apsw.Error as error:
        raise InvariantBroken(f"the schema of projection {projection.name} is wrong: {error}") from error
    finally:
        scratch.close()
    own = f"p_{projection.name}"
    for table in found:
        if table != own and not table.startswith(f"{own}_"):
            raise InvariantBroken(f"projection {projection.name} makes a table {table}, not {own} or {own}_…")
    return found
