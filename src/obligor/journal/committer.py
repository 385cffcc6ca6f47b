"""One group after the other: fold, make keys durable, seal, write, sign, and only then answer.

It knows of no threads and takes time and chance from outside, so that a simulation can drive it step by step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from obligor.journal.erasure import Eraser
from obligor.journal.group import Group, Outcome, attempts_of, keys_of
from obligor.journal.known import Committed
from obligor.journal.logs import Logs
from obligor.journal.observing import SILENT, Observer
from obligor.journal.rows import batches
from obligor.journal.sealing import fresh_nonces, open_event
from obligor.journal.store import Batch, CheckpointRow, IdTaken, Retry, RoleLost, Store, StoreFailed
from obligor.journal.types import Command, Idempotency, Registry
from obligor.journal.vault import Vault
from obligor.journal.view import Cache
from obligor.kernel import Clock, Entropy, Event, InvariantBroken, Refusal, Unavailable
from obligor.kernel.failpoints import reach

__all__ = ["Committer"]

_log = logging.getLogger(__name__)

# How often a group is tried that other transactions got in the way of.
ATTEMPTS = 3


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
        observer: Observer = SILENT,
    ) -> None:
        self._store = store
        self._vault = vault
        self._registry = registry
        self._logs = logs
        self._known = known
        self._clock = clock
        self._nonces = fresh_nonces(entropy)
        self._publish = publish
        self._observer = observer
        self._cache = Cache()
        self._unstored: list[CheckpointRow] = []
        self._entered: set[str] = set()
        self._in_doubt: set[str] = set()
        self._eraser = Eraser(store, vault, registry, self._cache)

    # ---- what the writer calls

    def process(self, commands: Sequence[Command]) -> list[Outcome]:
        """An outcome for each command. What was accepted is durable, and a signed checkpoint covers it.

        Raises:
            RoleLost: another process has become the writer; nothing may be written any more.
            InvariantBroken: what is stored contradicts itself; the same.
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
    def erasures(self) -> int:
        """How many erasures are recorded and not finished."""
        return self._eraser.count

    @property
    def unfinished(self) -> bool:
        """Whether checkpoints, erasures or groups whose end nobody knows are still to be dealt with."""
        return bool(self._unstored or self._in_doubt or self._eraser.pending)

    def idle(self) -> bool:
        """See what became of groups in doubt, store the last checkpoints, finish erasures.

        Raises:
            RoleLost: another process has become the writer.
        """
        try:
            self._resolve()
            self._finish_rest()
        except StoreFailed as error:
            _log.warning("the store failed between groups: %s", error)
        return not self.unfinished

    def enter(self, tenants: Iterable[str]) -> None:
        """Become the writer of tenants: check their logs, sign and finish what whoever was before has left.

        Raises:
            Unavailable: another process is the writer of one.
            Conflict: a log was signed with another key.
            InvariantBroken: a log contradicts itself, or lacks what was signed.
            StoreFailed: the store cannot be read or written.
        """
        fresh = sorted({*tenants} - self._entered)
        if not fresh:
            return
        self._store.take(fresh)
        self._vault.refresh()
        for tenant in fresh:
            self._cache.drop(tenant)
            self._logs.check(tenant)
            self._settle(tenant)
            self._entered.add(tenant)
        self._finish_rest()

    # ---- what another process, or a broken connection, has left behind

    def _resolve(self) -> None:
        """See what became of groups whose commit was not answered.

        Within a transaction, which waits for the end of any that is still on its way.
        """
        if not self._in_doubt:
            return
        self._store.begin(self._in_doubt)
        try:
            for tenant in sorted(self._in_doubt):
                self._settle(tenant)
        finally:
            self._store.rollback()
        self._in_doubt.clear()

    def _settle(self, tenant: str) -> None:
        """Sign what is committed and was not signed, tell of it, and take on its erasures."""
        head = self._store.head(tenant)
        size = head.size if head else 0
        signed = self._logs.signed(tenant).size
        if size < signed:
            raise InvariantBroken(f"the log of {tenant} has {size} entries and {signed} were signed")
        self._eraser.add(row for row in self._store.pending_erasures() if row.tenant == tenant)
        if size > signed:
            rows = self._store.events(tenant, signed, size) if tenant in self._entered else ()
            unheard = [open_event(row, self._vault) for row in rows]
            self._unstored.append(self._logs.sign(tenant))
            if unheard:
                self._publish(unheard)

    def _finish_rest(self) -> None:
        if self._unstored:
            self._in_transaction(Batch(checkpoints=self._unstored))
            self._unstored = []
        self._eraser.finish()

    # ---- one group

    def _process_group(self, commands: Sequence[Command]) -> list[Outcome]:
        """Outcomes for at least the first of the commands: an erasure ends its group."""
        self._cache.trim()
        commands, refusal = self._writable(commands)
        if refusal is not None and not commands:
            return [refusal]
        try:
            outcomes, group = self._try_group(commands)
        except StoreFailed as error:
            self._drop_group()
            _log.error("a group of %d commands was not written: %s", len(commands), error)
            return [Unavailable("the store is out of reach; try again later") for _ in commands]
        except (InvariantBroken, RoleLost):
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

    def _writable(self, commands: Sequence[Command]) -> tuple[Sequence[Command], Refusal | None]:
        """The commands before the first whose tenant cannot be written here, and why it cannot."""
        try:
            self.enter(command.tenant for command in commands)
        except RoleLost:
            raise
        except Refusal:
            for count, command in enumerate(commands):
                try:
                    self.enter((command.tenant,))
                except RoleLost:
                    raise
                except Refusal as refusal:
                    return commands[:count], refusal
        return commands, None

    def _try_group(self, commands: Sequence[Command]) -> tuple[list[Outcome], Group]:
        """Again, when ids are taken, and as long as it was only in the way of other transactions."""
        left, ask = ATTEMPTS, False
        while True:
            try:
                return self._write_group(commands, ask=ask)
            except IdTaken:
                if ask:
                    raise
                ask = True
            except Retry as error:
                left -= 1
                if not left:
                    raise
                _log.warning("a group is tried again: %s", error)
            self._drop_group()

    def _write_group(self, commands: Sequence[Command], *, ask: bool) -> tuple[list[Outcome], Group]:
        self._resolve()
        if self._eraser.waiting:
            # Before anything else is written or said about whoever it is.
            self._eraser.finish()
        self._observer.begun(len(commands))
        attempts = attempts_of(commands, self._known)
        self._store.expect(keys_of(commands, attempts))
        self._store.begin({command.tenant for command in commands})
        reach("group.begun")
        outcomes, group = self._fold(commands, attempts, ask=ask)
        self._observer.folded()
        reach("group.folded")
        if group.empty:
            self._store.rollback()
        else:
            self._store.write(self._batches(group))
            reach("group.written")
            self._in_doubt.update(group.tenants)
            self._store.commit()
            # From here on nothing may fail as if it had not been written: commands would be run again.
            self._in_doubt.clear()
            self._unstored = []
        return outcomes, group

    def _batches(self, group: Group) -> Iterable[Batch]:
        # The store is asked for trees here and now: it cannot be while it writes.
        tenants = [
            batches(each, self._vault, self._logs.tree(each.tenant), self._nonces)
            for each in group.tenants.values()
        ]
        return chain(*tenants, [Batch(erasures=group.erasures, checkpoints=self._unstored)])

    def _fold(
        self, commands: Sequence[Command], attempts: Sequence[Idempotency | None], *, ask: bool
    ) -> tuple[list[Outcome], Group]:
        """Fold as many commands as make a group.

        With `ask`, the store is asked for ids that are taken, and when there are any, all is folded again.
        Nearly no group has one, and the store refuses to write it: then is soon enough to ask.
        """
        now = self._clock.now()
        taken: set[tuple[str, str]] = set()
        while True:
            group = Group(self._known, self._registry, self._cache, now, taken=taken)
            outcomes = group.run(commands, attempts)
            if not ask:
                return outcomes, group
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
        if not group.empty:
            self._observer.committed(sum(len(each.accepted) for each in group.tenants.values()))
            reach("group.committed")
        for tenant_group in group.tenants.values():
            if tenant_group.accepted:
                self._unstored.append(self._logs.sign(tenant_group.tenant))
                self._observer.signed()
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
            self._store.write([batch])
            reach("checkpoints.written")
            self._store.commit()
        except BaseException:
            self._store.rollback()
            raise
