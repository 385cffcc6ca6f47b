"""One group after the other: fold, make keys durable, seal, write, sign, and only then answer.

It knows of no threads and takes time and chance from outside, so that a simulation can drive it step by step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from obligor.events import FieldClass
from obligor.journal.erasure import Eraser
from obligor.journal.group import Group, Outcome
from obligor.journal.known import Committed
from obligor.journal.logs import Logs
from obligor.journal.numbering import Numbered
from obligor.journal.sealing import commitment_keys, fresh_nonces, seal_answer, seal_parts
from obligor.journal.store import (
    AnswerRow,
    Batch,
    CheckpointRow,
    CursorRow,
    EventRow,
    Head,
    Store,
    StoreFailed,
)
from obligor.journal.types import Command, Registry
from obligor.journal.vault import NO_KEYS, Ring, Vault
from obligor.journal.view import Cache, TenantGroup
from obligor.kernel import Clock, Entropy, Event, InvariantBroken, Unavailable, sha256_hex
from obligor.kernel.failpoints import reach
from obligor.proof import commit, entry_bytes, leaf_hash

__all__ = ["Committer"]

_log = logging.getLogger(__name__)


class Committer:
    """Implements `Processor` of the writer. `publish` gets the events of one tenant, committed and signed."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        registry: Registry,
        *,
        logs: Logs,
        known: Committed,
        clock: Clock,
        entropy: Entropy,
        publish: Callable[[list[Event]], None],
    ) -> None:
        self._store = store
        self._vault = vault
        self._registry = registry
        self._logs = logs
        self._known = known
        self._clock = clock
        self._nonces = fresh_nonces(entropy)
        self._publish = publish
        self._cache = Cache()
        self._unstored: list[CheckpointRow] = []
        self._eraser = Eraser(store, vault, registry, self._cache)

    # ---- what the writer calls

    def process(self, commands: Sequence[Command]) -> list[Outcome]:
        """An outcome for each command. What was accepted is durable, and a signed checkpoint covers it.

        Raises:
            InvariantBroken: what is stored contradicts itself; nothing may be written any more.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(commands):
            outcomes += self._process_group(commands[len(outcomes) :])
        return outcomes

    def between(self) -> None:
        """Move the store's log on when it has grown."""
        try:
            self._store.maintain()
        except StoreFailed as error:
            _log.warning("maintenance of the store failed: %s", error)

    @property
    def unfinished(self) -> bool:
        """Whether checkpoints or erasures wait to be stored or finished."""
        return bool(self._unstored or self._eraser.pending)

    def idle(self) -> bool:
        """Store the last checkpoints, finish erasures."""
        try:
            if self._unstored:
                self._in_transaction(Batch(checkpoints=self._unstored))
                self._unstored = []
            self._eraser.finish()
        except StoreFailed as error:
            _log.warning("the store failed between groups: %s", error)
        return not self.unfinished

    def recover(self) -> None:
        """Sign what a crash left unsigned, finish what it left unfinished.

        Raises:
            StoreFailed: the store cannot be read or written.
        """
        for head in self._store.heads():
            last = self._store.last_checkpoint(head.tenant)
            if last is not None and last.size == head.size:
                self._logs.adopt(last)
            else:
                self._unstored.append(self._logs.sign(head.tenant))
        if self._unstored:
            self._in_transaction(Batch(checkpoints=self._unstored))
            self._unstored = []
        self._eraser.resume()

    # ---- one group

    def _process_group(self, commands: Sequence[Command]) -> list[Outcome]:
        """Outcomes for at least the first of the commands: an erasure ends its group."""
        self._cache.trim()
        try:
            outcomes, group = self._write_group(commands)
        except StoreFailed as error:
            self._drop_group()
            _log.error("a group of %d commands was not written: %s", len(commands), error)
            return [Unavailable("the store is out of reach; try again later") for _ in commands]
        except InvariantBroken:
            self._drop_group()
            raise
        except Exception as error:  # noqa: BLE001  a bug in a command's consequences
            self._drop_group()
            if len(commands) > 1:
                # Whose fault it is shows when the group is halved; the others must not suffer.
                half = len(commands) // 2
                return [*self.process(commands[:half]), *self.process(commands[half:])]
            # The message could hold what the command says of a person.
            _log.error("a command could not be written: %s", type(error).__name__)
            return [error]
        return self._finish(outcomes, group)

    def _write_group(self, commands: Sequence[Command]) -> tuple[list[Outcome], Group]:
        self._store.begin({command.tenant for command in commands})
        reach("group.begun")
        outcomes, group = self._fold(commands)
        reach("group.folded")
        if group.empty:
            self._store.rollback()
        else:
            batch = Batch(erasures=group.erasures, checkpoints=self._unstored)
            for tenant_group in group.tenants.values():
                self._add(tenant_group, batch)
            self._store.write(batch)
            reach("group.written")
            self._store.commit()
            reach("group.committed")
            self._unstored = []
        return outcomes, group

    def _fold(self, commands: Sequence[Command]) -> tuple[list[Outcome], Group]:
        """Fold as many commands as make a group; again, when an id they chose is taken."""
        now = self._clock.now()
        taken: set[tuple[str, str]] = set()
        while True:
            group = Group(self._known, self._registry, self._cache, now, taken=taken)
            outcomes = group.run(commands)
            more = {
                (each.tenant, found)
                for each in group.tenants.values()
                for found in self._store.taken(each.tenant, each.ids)
            }
            if not more:
                return outcomes, group
            taken |= more
            self._cache.clear()

    def _finish(self, outcomes: list[Outcome], group: Group) -> list[Outcome]:
        """Everything is durable: sign, tell, destroy keys."""
        for tenant_group in group.tenants.values():
            if tenant_group.accepted:
                self._unstored.append(self._logs.sign(tenant_group.tenant))
        reach("group.signed")
        for tenant_group in group.tenants.values():
            if tenant_group.accepted:
                self._publish([numbered.event for numbered in tenant_group.accepted])
        reach("group.published")
        if group.erasures:
            try:
                reach("erasure.committed")
                self._eraser.add(group.erasures)
                self._eraser.finish()
            except StoreFailed as error:
                _log.error("an erasure is written and not finished: %s", error)
                outcomes[-1] = Unavailable("the erasure is recorded and will be finished; keys still exist")
        return outcomes

    def _drop_group(self) -> None:
        """Forget everything that ran ahead of the store."""
        self._cache.clear()
        self._logs.forget()
        try:
            self._store.rollback()
        except StoreFailed as error:
            _log.error("a group could not be rolled back: %s", error)

    def _in_transaction(self, batch: Batch) -> None:
        try:
            self._store.begin({row.tenant for row in batch.checkpoints})
            self._store.write(batch)
            reach("checkpoints.written")
            self._store.commit()
        except StoreFailed:
            self._store.rollback()
            raise

    # ---- rows

    def _add(self, group: TenantGroup, batch: Batch) -> None:
        tenant = group.tenant
        rings = self._rings(group)
        tree = self._logs.tree(tenant)
        if tree.size != group.first:
            raise InvariantBroken(f"the log of {tenant} has {tree.size} leaves for {group.first} events")
        for numbered in group.accepted:
            row = self._event_row(numbered, rings)
            tree.append(row.leaf)
            batch.events.append(row)
            subjects = dict.fromkeys(numbered.event.subjects)
            batch.subjects += [(tenant, subject, row.known_seq) for subject in subjects]
        if group.accepted:
            batch.tiles += tree.take_tiles()
            batch.heads.append(Head(tenant, tree.size, tree.root()))
        batch.lookups += group.finds.values()
        batch.answers += [self._answer_row(row, rings) for row in group.answers.values()]
        batch.cursors += [CursorRow(tenant, *cursor) for cursor in group.cursors.items()]
        batch.statements += group.statements.values()

    def _rings(self, group: TenantGroup) -> dict[str, Ring]:
        """The keys of everybody something is sealed for; new ones are durable on return."""
        persons = {numbered.event.subjects[0] for numbered in group.accepted if numbered.event.subjects}
        persons.update(row.person for row in group.answers.values() if row.person is not None)
        ordered = sorted(persons)
        self._vault.ensure(group.tenant, ordered)
        reach("keys.made")
        return {person: self._vault.ring(group.tenant, person) for person in ordered}

    def _event_row(self, numbered: Numbered, rings: dict[str, Ring]) -> EventRow:
        event = numbered.event
        ring = rings[event.subjects[0]] if event.subjects else NO_KEYS
        sealed = seal_parts(numbered.plain, numbered.dropped, ring.keys, numbered.envelope, self._nonces)
        body_root = commit(numbered.parts, commitment_keys(numbered.parts, ring, event.id))
        leaf = leaf_hash(entry_bytes(numbered.envelope, body_root, bytes.fromhex(sha256_hex(sealed))))
        return EventRow(
            event.tenant,
            event.known_seq,
            event.id,
            event.stream,
            event.stream_version,
            event.type,
            numbered.envelope,
            sealed,
            body_root,
            leaf,
        )

    def _answer_row(self, row: AnswerRow, rings: dict[str, Ring]) -> AnswerRow:
        if row.person is None or row.answer is None:
            return row
        key = rings[row.person].keys.get(FieldClass.CONDUCT)
        sealed = seal_answer(row.answer, key, row.tenant, row.key, self._nonces) if key else None
        return row._replace(answer=sealed)
