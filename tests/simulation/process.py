"""A server's process without its threads: all it has in memory, from opening the store to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec

from obligor.app import registry
from obligor.app.processors import CloseMonitor, FundsMonitor, Processor
from obligor.journal import Answer, Command, Journal, Subscriber
from obligor.journal.observing import SILENT
from obligor.kernel import Event, Unavailable
from tests.simulation.ground import TENANT, ground
from tests.simulation.stores import Luck, SimulatedRows, SimulatedVault, open_store

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Crash", "Process", "Watched"]


class Crash(BaseException):
    """A process ends here: nothing it has in memory survives, and no handler of errors is asked."""


class Awaited(Future[Any]):
    """A future whose waiter lets the rest of the world go on, as a thread that waits would."""

    def __init__(self, wait: Callable[[Future[Any]], None]) -> None:
        super().__init__()
        self._wait = wait

    def result(self, timeout: float | None = None) -> Any:
        self._wait(self)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._wait(self)
        return super().exception(0)


# The writer's own bound, made small: what comes faster than it is written is refused.
QUEUE_MOST = 64


class Queue:
    """Stands for the writer's thread and what waits for it."""

    def __init__(self, wait: Callable[[Future[Any]], None]) -> None:
        self.waiting: deque[tuple[Command, Future[Answer]]] = deque()
        self._wait = wait

    def submit(self, command: Command) -> Future[Answer]:
        future = Awaited(self._wait)
        if len(self.waiting) < QUEUE_MOST:
            self.waiting.append((command, future))
        else:
            future.set_exception(Unavailable(f"{QUEUE_MOST} commands wait already"))
        return future


class Rests:
    """The pauses of a subscriber: the rest of the world goes on meanwhile."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def is_set(self) -> bool:
        return self._process.dead

    def wait(self, _seconds: float) -> bool:
        self._process.world.rest(self._process)
        return False


class SteppedSubscriber(Subscriber):
    """The real subscriber, called when its turn has come and on nobody's thread."""

    def __init__(self, process: Process, callback: Callable[[list[Event]], None], name: str) -> None:
        journal = process.journal
        sizes = {head.tenant: head.size for head in process.store.heads()}

        def read(tenant: str, start: int, stop: int) -> Any:
            return journal.reader().events(tenant, after=start - 1, upto=stop)

        super().__init__(callback, read, sizes, name)
        self._closing = Rests(process)  # type: ignore[assignment]  as much of an Event as it asks for

    def _run(self) -> None:
        """Nothing: the thread that was started for it ends at once."""

    def step(self) -> None:
        if events := self._take():
            self._deliver(events)


class Watched:
    """A processor at work as `Watch` has it: it catches up first, then sees what is committed since."""

    def __init__(self, process: Process, processor: Processor) -> None:
        self.processor = processor
        self.subscriber = SteppedSubscriber(process, processor.see, processor.name)
        self.caught_up = False
        self.busy = False

    @property
    def due(self) -> bool:
        return not self.busy and (not self.caught_up or self.subscriber.lag() > 0)

    def step(self) -> None:
        self.busy = True
        try:
            if self.caught_up:
                self.subscriber.step()
            else:
                self.processor.start()
                self.caught_up = True
        finally:
            self.busy = False


class Process:
    """One life of a server. `open` may fail; afterwards the world drives it step by step."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.dead = False
        self.busy = False  # inside the committer, or paused there
        self.stopped = False
        self.luck = Luck()
        self.luck.told = lambda operation: world.note(f"{name}: {operation} fails")
        self.queue = Queue(self._wait)
        self.store: Any = None
        self.vault: Any = None
        self.journal: Any = None
        self.watched: list[Watched] = []

    def open(self) -> None:
        """Take the writer's role, load and recover.

        Raises:
            Unavailable: another is the writer, or the store fails.
        """
        world, base = self.world, ground()
        self.store = open_store(world.directory, world.lease, self.name, self.luck)
        self.vault = SimulatedVault.begin(world.directory, world.keys, world.entropy, self.luck)
        means = msgspec.structs.replace(base.means, entropy=world.entropy, index_key=self.vault.index_key)
        self.means = means
        self.journal = Journal(self.store, self.vault)
        rows = SimulatedRows(world.directory, self.luck)
        self.journal._start(
            rows, registry.build(means), base.signer, world.clock, world.entropy, (TENANT,), SILENT
        )
        self.journal._writer = self.queue
        now = world.clock.now
        processors = (
            FundsMonitor(means, TENANT, self.journal, now, base.classes),
            CloseMonitor(means, TENANT, self.journal, now),
        )
        self.watched = [Watched(self, processor) for processor in processors]
        self.journal._subscribers = [world.record, *(each.subscriber for each in self.watched)]
        world.observe(self)

    @property
    def committer(self) -> Any:
        return self.journal._committer

    def submit(self, command: Command) -> Future[Answer]:
        return self.queue.submit(command)

    def write(self, most: int) -> None:
        """One group, as the writer's thread would."""
        items = [self.queue.waiting.popleft() for _ in range(min(most, len(self.queue.waiting)))]
        outcomes = self.committer.process([command for command, _ in items])
        told = []
        for (_, future), outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Answer):
                self.world.answered(self, outcome)
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
            told.append("replayed" if getattr(outcome, "replayed", False) else type(outcome).__name__)
        self.world.note(f"{self.name}: wrote {' '.join(told)}")
        self.world.reached("group.answered")
        self.committer.between()

    def leave(self) -> None:
        """Let go of everything in order, as a server does that closes or stands down."""
        self._refuse_waiting()
        self._end()
        if self.store is not None:
            self.store.close()

    def die(self) -> None:
        """End as a process that is killed does."""
        self._end()
        if self.store is not None:
            self.store.die()

    def _refuse_waiting(self) -> None:
        for _, future in self.queue.waiting:
            future.set_exception(Unavailable("the journal is being closed"))
        self.queue.waiting.clear()

    def _end(self) -> None:
        self.dead = True
        if self.journal is not None and hasattr(self.journal, "_reader"):
            self.journal._reader.close()
        if self.vault is not None:
            self.vault._rows._connection.close()

    def _wait(self, future: Future[Any]) -> None:
        self.world.until(self, future.done)


def unfinished(watched: Sequence[Watched]) -> bool:
    """Whether a processor has something to see."""
    return any(each.due or each.busy for each in watched)
