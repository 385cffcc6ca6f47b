"""The system as one object: open a data directory, submit requests, ask questions, close."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from obligor.app import activation, registry
from obligor.app.call import Means
from obligor.app.kept import Kept
from obligor.app.keys import Admits
from obligor.app.memories import Book
from obligor.app.places import journal_of, key_file, signing_file, vault_of
from obligor.app.processors import CloseMonitor, FundsMonitor, Processor, Watch
from obligor.app.queries import Queries
from obligor.app.requests import command_of, event_command
from obligor.app.service_protocol import Check, Idempotency, Principal, Reply
from obligor.app.settings import Settings
from obligor.app.standing import of_writer
from obligor.app.tracing import tracing_of
from obligor.app.views import Registered
from obligor.app.wire import EventRequest, ModelRequest
from obligor.journal import (
    Accepted,
    Answer,
    Command,
    FileKeys,
    Journal,
    Vault,
    View,
    load_signer,
)
from obligor.kernel import (
    Clock,
    Corrupted,
    Entropy,
    InvalidInput,
    NotFound,
    Refusal,
    Unavailable,
    decode,
    encode,
    parse,
    ready,
)
from obligor.scoring import PointsModel

__all__ = ["OsEntropy", "Service", "WallClock"]

ENTROPY_BLOCK_BYTES = 4096
LINE_BYTES_MOST = 256 * 1024
MODEL_BYTES_MOST = 4 * 1024 * 1024


class WallClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """The machine's time."""
        return datetime.now(UTC)


class OsEntropy:
    """The operating system's randomness, fetched in blocks: a system call for each id would cost more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._block = b""
        self._used = 0

    def bytes(self, n: int) -> bytes:
        """So many random bytes, each given out once."""
        if n > ENTROPY_BLOCK_BYTES:
            return os.urandom(n)
        with self._lock:
            if self._used + n > len(self._block):
                self._block, self._used = os.urandom(ENTROPY_BLOCK_BYTES), 0
            self._used += n
            return self._block[self._used - n : self._used]


class Service(Admits, Queries):
    """One lender's system over a data directory. Writes go through the journal; questions read beside it."""

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        *,
        kept: Kept | None = None,
    ) -> None:
        kept = kept or Kept.of(directory)
        self.directory, self.settings = directory, settings
        self._clock: Clock = clock or WallClock()
        chance: Entropy = entropy or OsEntropy()
        self.metrics_of = kept.metrics
        self._tracing = tracing_of(settings.tracing)
        self._warm = False
        self.keys = kept.keys
        for name in ("keys", "vault"):
            (directory / name).mkdir(mode=0o700, exist_ok=True)
        self._key_file = key_file(directory)
        file_keys = FileKeys(self._key_file, chance)
        self._vault = Vault.open(vault_of(directory, settings), file_keys, chance)
        self.means = Means(
            settings=settings,
            artifacts=kept.artifacts,
            catalogue=kept.catalogue,
            entropy=chance,
            texts=kept.texts,
            index_key=cache(self._vault.index_key),
        )
        signer = load_signer(signing_file(directory), settings.deployment, chance)
        try:
            self.journal = Journal.open(
                journal_of(directory, settings),
                registry.build(self.means),
                self._vault,
                signer,
                self._clock,
                chance,
                tenants=(settings.tenant,),
                queue_limit=settings.queue_most,
                observer=kept.metrics.groups,
            )
        except BaseException:
            self._vault.close()
            raise
        tenant = settings.tenant
        classes = kept.classes
        self.funds = FundsMonitor(self.means, tenant, self.journal, self.now, classes)
        self.close_monitor = CloseMonitor(self.means, tenant, self.journal, self.now)
        self._processors: tuple[Processor, ...] = (self.funds, self.close_monitor)
        self._watched: list[Watch] = []
        super().__init__(self.means, self.journal, signer.vkey, classes, self.funds.funds_of)

    def now(self) -> datetime:
        """The system's time, in UTC."""
        return self._clock.now()

    def behind(self) -> int:
        """Committed events that a processor has not seen yet."""
        return max((watch.behind() for watch in self._watched), default=0)

    def active(self) -> Book:
        """What decides now, and what the writer knows of the book at a glance."""
        found: list[Book] = []

        def look(view: View) -> Accepted:
            found.append(view.memory("book"))
            return Accepted()

        self.submit_command(Command(tenant=self.settings.tenant, run=look))
        return found[0]

    def start(self) -> None:
        """Warm the kernels, let the packs' strategies decide where none does yet, start the processors."""
        self.means.catalogue.warm()
        self._warm = True
        activation.ensure(self)
        self._watched = [Watch(processor, self.journal) for processor in self._processors]

    def hand_over(self) -> bool:
        """Alone on its store there is nobody to hand over to."""
        return False

    def close(self) -> None:
        """Take nothing more, finish what was taken, let go of the files."""
        self.journal.close()
        self._vault.close()

    def submit(
        self, principal: Principal, kind: str, payload: dict[str, Any], idempotency: Idempotency | None
    ) -> Future[Reply]:
        """Take a request; its reply comes when it is durable and its checkpoint is signed."""
        reply: Future[Reply] = Future()
        try:
            command = command_of(self.means, principal, kind, payload, self.now(), idempotency=idempotency)
        except Refusal as refused:
            self.metrics_of.answered(kind, refused.code)
            reply.set_exception(refused)
            return reply
        traced = self._tracing.command(kind, self.metrics_of.groups) if self._tracing else None
        self.journal.submit(command).add_done_callback(self._relay(kind, reply, traced))
        return reply

    def register_model(self, tenant: str, data: bytes) -> Registered:
        """Take a trained model's table, keep it under its digest and let it score applications.

        Raises:
            InvalidInput: it is no such model. NotFound: no such tenant here.
        """
        if tenant != self.settings.tenant:
            raise NotFound(f"there is no tenant {tenant!r} here")
        asked = decode(parse(data, max_bytes=MODEL_BYTES_MOST, max_depth=24), ModelRequest)
        model = _model(asked.model)
        sha256 = activation.use_model(self, model, asked.version, asked.known_on)
        return Registered(name=asked.name, version=asked.version, sha256=sha256)

    def submit_command(self, command: Command) -> Answer:
        """Run a command of the system itself and wait for it."""
        return self.journal.submit(command).result()

    def submit_lines(
        self, principal: Principal, lines: Sequence[bytes], first_line: int = 1
    ) -> Future[list[bytes]]:
        """Take events, one JSON object a line; each is answered alone."""
        now = self.now()
        answers: list[Answer | Exception] = []
        commands: list[Command] = []
        places: list[int] = []
        for index, line in enumerate(lines):
            try:
                request = decode(parse(line, max_bytes=LINE_BYTES_MOST, max_depth=16), EventRequest)
                commands.append(event_command(self.means, principal, request, now))
            except Refusal as refused:
                answers.append(refused)
            else:
                answers.append(Unavailable("not answered"))
                places.append(index)
        done: Future[list[bytes]] = Future()
        traced = self._tracing.command("lines", self.metrics_of.groups) if self._tracing else None

        def finish(results: Future[list[Answer | Exception]]) -> None:
            try:
                for index, result in zip(places, results.result(), strict=True):
                    answers[index] = result
                if traced is not None:
                    traced("lines")
                told = [_line(first_line + index, answer) for index, answer in enumerate(answers)]
                self.metrics_of.lines(status for status, _ in told)
            except Exception as error:  # noqa: BLE001  whoever waits has to be told
                done.set_exception(error)
            else:
                done.set_result([line for _, line in told])

        self.journal.submit_many(commands).add_done_callback(finish)
        return done

    def readiness(self) -> list[Check]:
        """Whether requests can be taken now."""
        free = shutil.disk_usage(self.directory).free // 2**20
        least = self.settings.disk_free_least_mib
        return [
            Check("kernels", self._warm, "compiled"),
            Check("writer", self.journal.alive, f"{self.journal.waiting} commands wait"),
            Check("disk", free >= least, f"{free} MiB free, {least} needed"),
            Check("keys", os.access(self._key_file, os.R_OK), "the key-encryption key can be read"),
        ]

    def metrics(self) -> bytes:
        """Prometheus text."""
        tenant, store = self.settings.tenant, self.settings.store
        return self.metrics_of.text(of_writer(self.journal, self._vault, tenant, store, self._watched))

    def _relay(
        self, kind: str, reply: Future[Reply], traced: Callable[[str], None] | None
    ) -> Callable[[Future[Answer]], None]:
        def done(answer: Future[Answer]) -> None:
            error = answer.exception()
            if error is not None:
                code = error.code if isinstance(error, Refusal) else "internal"
                self.metrics_of.answered(kind, code)
                if traced is not None:
                    traced(code)
                reply.set_exception(error)
                return
            told = msgspec.json.decode(answer.result().data, type=_Told)
            self.metrics_of.answered(kind, str(told.status))
            if traced is not None:
                traced(str(told.status))
            reply.set_result(Reply(status=told.status, body=bytes(told.body)))

        return done


class _Told(msgspec.Struct):
    """An answer as commands give it: the body is passed on as it was stored."""

    status: int
    body: msgspec.Raw


ready(_Told)


def _model(given: Mapping[str, Any]) -> PointsModel:
    """A model that was sent; what is wrong with it is named from the request's top."""
    try:
        return PointsModel.from_json(encode(given))
    except Corrupted as error:
        raise InvalidInput.field("model", "(a table)", f"one that holds: {error.detail}") from None
    except InvalidInput as error:
        within = [msgspec.structs.replace(v, field=f"model.{v.field}") for v in error.violations]
        raise type(error)(error.detail, within) from None


def _line(number: int, result: Answer | Exception) -> tuple[str, bytes]:
    """What became of a line, and its answer: its place in the journal, or the problem."""
    if isinstance(result, Answer):
        told = msgspec.json.decode(result.data)["body"]
        status = "duplicate" if told.pop("duplicate", False) else "accepted"
        return status, encode({**told, "line": number, "status": status})
    if isinstance(result, Refusal):
        violations = [msgspec.to_builtins(violation) for violation in result.violations]
        problem = {"code": result.code, "detail": result.detail, "violations": violations}
        return "refused", encode({"line": number, "status": "refused", "problem": problem})
    raise result
