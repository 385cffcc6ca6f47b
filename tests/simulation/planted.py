"""Bugs that are planted on purpose: a simulation that does not find them soon proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from obligor.app import processors
from obligor.app.processors import FundsMonitor
from obligor.journal import Accepted, Command, Vault
from obligor.journal.committer import Committer
from obligor.journal.group import Group
from obligor.journal.store import Batch
from obligor.journal.view import CommandView
from obligor.limits import steps
from tests.simulation.stores import Lease, SimulatedStore

__all__ = ["PLANTED"]

Plant = Callable[[], AbstractContextManager[Any]]


def lock_removed() -> AbstractContextManager[Any]:
    """Nobody looks at the fence: who has lost the writer's role goes on writing."""
    return patch.object(Lease, "check", lambda _self, _holder, _fence: None)


def early_acknowledgement() -> AbstractContextManager[Any]:
    """A group is committed once its answers have left."""
    begin, commit = SimulatedStore.begin, SimulatedStore.commit

    def commit_later(self: SimulatedStore) -> None:
        self.late = True

    def catch_up(self: SimulatedStore) -> None:
        if vars(self).pop("late", False):
            commit(self)

    def begin_after(self: SimulatedStore, tenants: Iterable[str] | None = None) -> None:
        catch_up(self)
        begin(self, tenants)

    both = ExitStack()
    both.enter_context(patch.object(SimulatedStore, "commit", commit_later))
    both.enter_context(patch.object(SimulatedStore, "begin", begin_after))
    both.enter_context(patch.object(SimulatedStore, "maintain", catch_up, create=True))
    return both


def blind_caps() -> AbstractContextManager[Any]:
    """A command sees the caps as they are committed, without what its group has reserved so far."""
    memory = CommandView.memory

    def committed(self: CommandView, name: str) -> Any:
        if name == "caps" and self._group.accepted and not self.staged:
            return self._known.remember(self.tenant, self._registry.memories[name])
        return memory(self, name)

    both = ExitStack()
    both.enter_context(patch.object(CommandView, "memory", committed))
    both.enter_context(patch.object(steps, "_fits", lambda *_: None))
    return both


def forgotten_answers() -> AbstractContextManager[Any]:
    """Answers are given and not stored under their idempotency keys."""
    keep = Group._keep
    return patch.object(Group, "_keep", lambda self, view, command, _answer: keep(self, view, command, None))


def cursor_apart() -> AbstractContextManager[Any]:
    """A processor's cursor is moved in a transaction of its own, before what it has to say."""

    def settle(self: FundsMonitor) -> None:
        if self._owed is not None:
            moved = Command(self._tenant, lambda _view: Accepted(), cursor=self._owed.cursor)
            processors._await(self._journal.submit(moved), self.name)
            processors._await(self._journal.submit(replace(self._owed, cursor=None)), self.name)
            self._owed = None

    return patch.object(FundsMonitor, "_settle", settle)


def kept_cache() -> AbstractContextManager[Any]:
    """What a group ran ahead to is remembered when the group fails."""

    def drop_group(self: Committer) -> None:
        self._logs.forget()
        self._store.rollback()

    return patch.object(Committer, "_drop_group", drop_group)


def early_signature() -> AbstractContextManager[Any]:
    """A checkpoint is signed when its entries are written and not committed yet."""
    genuine = Committer._batches

    def then_sign(self: Committer, group: Group) -> Iterator[Batch]:
        yield from genuine(self, group)
        for each in group.tenants.values():
            if each.accepted:
                self._logs.sign(each.tenant)

    return patch.object(Committer, "_batches", then_sign)


def stale_keys() -> AbstractContextManager[Any]:
    """A process does not notice that another has destroyed keys."""
    return patch.object(Vault, "refresh", lambda _self: None)


def failure_only_logged() -> AbstractContextManager[Any]:
    """A processor goes on when the journal could not take what it had to say."""
    return patch.object(processors, "_await", lambda future, _name: future.exception())


PLANTED: Mapping[str, Plant] = {
    plant.__name__: plant
    for plant in (
        lock_removed,
        early_acknowledgement,
        blind_caps,
        forgotten_answers,
        cursor_apart,
        kept_cache,
        early_signature,
        stale_keys,
        failure_only_logged,
    )
}
