"""The one thread that writes: it takes what is queued, and gives answers once they are durable."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from obligor.journal.group import Outcome
from obligor.journal.store import RoleLost
from obligor.journal.types import Answer, Command
from obligor.kernel import InvariantBroken, Refusal, Unavailable

__all__ = ["Processor", "Writer"]

T = TypeVar("T")

QUEUE_LIMIT = 16_384
GROUP_LIMIT = 1_024
IDLE_SECONDS = 0.05
LONGEST_IDLE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Processor(Protocol):
    """What the thread drives; it knows of no threads."""

    def process(self, commands: Sequence[Command]) -> list[Outcome]:
        """An outcome for each command, in order, once they are durable."""
        ...

    def between(self) -> None:
        """What can wait until answers have left."""
        ...

    def idle(self) -> bool:
        """What can wait until there is nothing else to do; whether all of it is done."""
        ...

    @property
    def unfinished(self) -> bool:
        """Whether `idle` has something to do."""
        ...


class _Waiting:
    """A command and who waits for it."""

    __slots__ = ("command", "settle", "start")

    def __init__(
        self, command: Command, start: Callable[[], bool], settle: Callable[[Outcome], None]
    ) -> None:
        self.command = command
        self.start = start
        self.settle = settle


class Writer:
    """A bounded queue before a processor of groups. `group_limit` commands are processed at a time."""

    def __init__(
        self, processor: Processor, *, queue_limit: int = QUEUE_LIMIT, group_limit: int = GROUP_LIMIT
    ) -> None:
        self._processor = processor
        self._queue_limit = queue_limit
        self._group_limit = group_limit
        self._queue: deque[_Waiting] = deque()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._sleeps = False
        self._closing = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether commands are taken and processed."""
        return self._thread.is_alive() and not self._closing and self._failure is None

    @property
    def failure(self) -> BaseException | None:
        """What stopped the journal, if anything has."""
        return self._failure

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    def submit(self, command: Command) -> Future[Answer]:
        """Queue a command. The future has its answer, or raises what it was refused with.

        A future that is cancelled before its command is taken leaves it undone.
        """
        future: Future[Answer] = Future()

        def settle(outcome: Outcome) -> None:
            if isinstance(outcome, Answer):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

        self._put([_Waiting(command, future.set_running_or_notify_cancel, settle)])
        return future

    def submit_many(self, commands: Sequence[Command]) -> Future[list[Outcome]]:
        """Queue commands that follow each other, all or none. The future has an outcome for each."""
        future: Future[list[Outcome]] = Future()
        future.set_running_or_notify_cancel()
        outcomes: list[Outcome] = []

        def settle(outcome: Outcome) -> None:
            outcomes.append(outcome)
            if len(outcomes) == len(commands):
                future.set_result(outcomes)

        if commands:
            self._put([_Waiting(command, _always, settle) for command in commands])
        else:
            future.set_result(outcomes)
        return future

    def call(self, job: Callable[[], T]) -> Future[T]:
        """Have something done between two groups, on the thread that writes."""
        future: Future[T] = Future()
        with self._changed:
            refusal = self._refusal(0)
            if refusal is None:
                self._jobs.append((job, future))
                self._changed.notify()
        if refusal is not None:
            future.set_exception(refusal)
        return future

    def close(self) -> None:
        """Process what is queued, take nothing more, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _put(self, waiting: list[_Waiting]) -> None:
        with self._changed:
            refusal = self._refusal(len(waiting))
            if refusal is None:
                self._queue.extend(waiting)
                if self._sleeps:
                    self._changed.notify()
        if refusal is not None:
            for item in waiting:
                if item.start():
                    item.settle(refusal)

    def _refusal(self, more: int) -> Unavailable | None:
        if isinstance(self._failure, RoleLost):
            return Unavailable(self._failure.detail)
        if self._failure is not None:
            return Unavailable("the journal has stopped: a promise of the system does not hold")
        if self._closing:
            return Unavailable("the journal is being closed")
        if len(self._queue) + more > self._queue_limit:
            return Unavailable(f"{len(self._queue)} commands wait already, at most {self._queue_limit} may")
        return None

    # ---- on the thread

    def _run(self) -> None:
        taken: list[_Waiting] = []
        try:
            while self._wait():
                self._run_jobs()
                taken = self._take()
                if taken:
                    outcomes = self._processor.process([item.command for item in taken])
                    for item, outcome in zip(taken, outcomes, strict=True):
                        item.settle(outcome)
                    taken = []
                    self._processor.between()
        except BaseException as error:  # noqa: BLE001  whoever waits must hear of it
            level = logging.WARNING if isinstance(error, Refusal) else logging.CRITICAL
            _log.log(level, "the journal stops: %s", type(error).__name__)
            self._fail(error, taken)

    def _wait(self) -> bool:
        """Until there is something to do; False when there is nothing and never will be."""
        pause = IDLE_SECONDS
        while True:
            with self._changed:
                if self._queue or self._jobs:
                    return True
                if self._closing:
                    return False
                self._sleeps = True
                woken = self._changed.wait(pause if self._processor.unfinished else None)
                self._sleeps = False
            if not woken and not self._processor.idle():
                pause = min(2 * pause, LONGEST_IDLE_SECONDS)

    def _run_jobs(self) -> None:
        while self._jobs:
            job, future = self._jobs.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except (InvariantBroken, RoleLost) as error:
                future.set_exception(error)
                raise
            except Exception as error:  # noqa: BLE001  a job's failure is its caller's
                future.set_exception(error)

    def _take(self) -> list[_Waiting]:
        with self._changed:
            count = min(len(self._queue), self._group_limit)
            items = [self._queue.popleft() for _ in range(count)]
        return [item for item in items if item.start()]

    def _fail(self, error: BaseException, taken: list[_Waiting]) -> None:
        with self._changed:
            self._failure = error
            waiting = [*taken, *self._queue]
            self._queue.clear()
            jobs = [*self._jobs]
            self._jobs.clear()
        told = error if isinstance(error, Exception) else Unavailable("the journal has stopped")
        for item in waiting:
            if item in taken or item.start():
                item.settle(told)
        for _, future in jobs:
            future.set_exception(told)


def _always() -> bool:
    return True
