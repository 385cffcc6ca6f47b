"""The journal: one writer, any number of readers, and those who are told of what was committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, Self

from obligor.journal.backend import Backend
from obligor.journal.committer import Committer
from obligor.journal.group import Outcome
from obligor.journal.known import Committed
from obligor.journal.logs import Logs
from obligor.journal.observing import SILENT, Observer
from obligor.journal.projections import Projector
from obligor.journal.reader import Reader
from obligor.journal.store import RoleLost, Rows, Store
from obligor.journal.subscribers import Subscriber
from obligor.journal.types import Answer, Command, Memory, Registry
from obligor.journal.vault import Vault
from obligor.journal.writer import GROUP_LIMIT, QUEUE_LIMIT, Writer
from obligor.kernel import Clock, Entropy, Event
from obligor.proof import Signer

__all__ = ["Journal"]

LEAVE_SECONDS = 10.0


class Journal:
    """The append-only record of all tenants in one place, and what follows from it.

    Every method may be called from any thread.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        """See `open`."""
        self._store = store
        self._vault = vault
        self._subscribers: list[Subscriber] = []
        self._closed = False
        self._reader: Reader
        self._logs: Logs
        self._committer: Committer
        self._projector: Projector
        self._writer: Writer

    @classmethod
    def open(  # noqa: PLR0917  clock and entropy are two of what it stands on
        cls,
        backend: Backend,
        registry: Registry,
        vault: Vault,
        signer: Signer,
        clock: Clock,
        entropy: Entropy,
        *,
        tenants: Iterable[str] | None = None,
        queue_limit: int = QUEUE_LIMIT,
        group_limit: int = GROUP_LIMIT,
        observer: Observer = SILENT,
    ) -> Journal:
        """Open a journal to write, make it if there is none.

        It becomes the writer of `tenants`, or of all that have events, and of any other with its first
        command. Their trees are checked against their heads and last checkpoints; what a crash left unsigned
        is signed, erasures it left unfinished are finished, projections that changed are filled anew. The
        vault stays the caller's to close, after the journal.

        Raises:
            Unavailable: another process writes it.
            Conflict: it was written by a newer release, or signed with another key.
            InvariantBroken: it contradicts itself, or lacks what was signed.
            StoreFailed: it cannot be read or written.
        """
        with ExitStack() as opened:
            store = backend.writer()
            opened.callback(store.close)
            named = None if tenants is None else list(tenants)
            # Whoever only waits for the role to be free asks often, and has nothing else made.
            store.take(named or ())
            rows = backend.rows()
            opened.callback(rows.close)
            opened.callback(vault.rely_on, None)
            journal = cls(store, vault)
            journal._start(rows, registry, signer, clock, entropy, named, observer)
            journal._writer = Writer(journal._committer, queue_limit=queue_limit, group_limit=group_limit)
            journal._writer.start()
            opened.pop_all()
        return journal

    def _start(  # noqa: PLR0917
        self,
        rows: Rows,
        registry: Registry,
        signer: Signer,
        clock: Clock,
        entropy: Entropy,
        tenants: Iterable[str] | None,
        observer: Observer,
    ) -> None:
        # Compiled code is loaded, and at the first time made, before anybody waits for it.
        import obligor.proof.batch  # noqa: F401

        store, vault = self._store, self._vault
        self._reader = Reader(rows, vault)
        self._logs = Logs(store, signer)
        known = Committed(store, vault, self._remember)
        self._committer = Committer(
            store,
            vault,
            registry,
            logs=self._logs,
            known=known,
            clock=clock,
            entropy=entropy,
            publish=self._publish,
            observer=observer,
        )
        vault.rely_on(store.leads)
        self._committer.enter([head.tenant for head in store.heads()] if tenants is None else tenants)
        self._projector = Projector(store, vault, registry)
        self._projector.prepare()

    def close(self) -> None:
        """Process what is queued, take nothing more, and let go of everything but the vault."""
        if self._closed:
            return
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.stop()
        self._writer.close()
        for subscriber in self._subscribers:
            subscriber.join(LEAVE_SECONDS)
        try:
            if self._writer.failure is None:
                self._committer.idle()
        except RoleLost:
            pass
        finally:
            self._vault.rely_on(None)
            self._reader.close()
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing

    def submit(self, command: Command) -> Future[Answer]:
        """Have a command run. The future has its answer once that is durable and covered by a checkpoint.

        It raises what the command was refused with: a Refusal of its own; KeyReused for an idempotency key
        that came with another body; Gone where the stored answer was erased; Unavailable when the queue is
        full or the store out of reach, and nothing was written. Any other exception is the command's bug.
        """
        return self._writer.submit(command)

    def submit_many(self, commands: Sequence[Command]) -> Future[list[Outcome]]:
        """Have commands run after one another, each accepted or refused alone; an outcome for each."""
        return self._writer.submit_many(commands)

    def rebuild(self, names: Iterable[str] | None = None) -> list[str]:
        """Delete projections and fill them from the events: all and the lookups, or those named.

        Commands wait meanwhile, readers see the old rows until it is done. Returns the names.

        Raises:
            NotFound: nothing of that name is registered.
            StoreFailed: nothing was changed.
        """
        chosen = None if names is None else list(names)
        return self._writer.call(lambda: self._projector.rebuild(chosen)).result()

    # ---- reading

    def reader(self) -> Reader:
        """Read-only connections to what is committed; it closes with the journal."""
        return self._reader

    def checkpoint(self, tenant: str) -> str:
        """The last signed checkpoint of a tenant's log, as a C2SP signed note."""
        return self._logs.signed(tenant).note

    def subscribe(self, callback: Callable[[list[Event]], None], *, name: str = "subscriber") -> Subscriber:
        """Be told of events committed from now on: in order, one tenant at a time, at least once.

        The callback runs on a thread of its own and may submit commands. When it raises, it is called again
        with the same events after a pause.
        """

        def read(tenant: str, start: int, stop: int) -> Iterable[Event]:
            return self._reader.events(tenant, after=start - 1, upto=stop)

        def add() -> Subscriber:
            sizes = {head.tenant: head.size for head in self._store.heads()}
            subscriber = Subscriber(callback, read, sizes, f"journal-{name}")
            self._subscribers = [*self._subscribers, subscriber]
            return subscriber

        return self._writer.call(add).result()

    @property
    def alive(self) -> bool:
        """Whether commands are taken and processed; not once another process has become the writer."""
        return self._writer.alive and self._store.alive

    @property
    def waiting(self) -> int:
        """How many commands wait to be taken."""
        return self._writer.waiting

    @property
    def erasures(self) -> int:
        """How many erasures are recorded and not finished."""
        return self._committer.erasures

    def size(self, tenant: str) -> int:
        """How many events of a tenant are committed and signed."""
        return self._logs.signed(tenant).size

    # ---- on the writer's thread

    def _publish(self, events: list[Event]) -> None:
        for subscriber in self._subscribers:
            subscriber.offer(events)

    def _remember(self, tenant: str, declared: Memory) -> Any:
        if declared.load is not None:
            return declared.load(self._reader, tenant)
        memory = declared.initial(tenant)
        for event in self._reader.events(tenant):
            declared.apply(memory, event)
        return memory
