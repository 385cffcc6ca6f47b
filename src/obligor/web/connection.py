"""A connection that is not kept waiting for: what is slow, silent or too large is cut, and the others go on.

uvicorn has one timer, for the pause between two requests. Here each connection knows whose turn it is, and
one timer looks after all of them: a turn's time runs from the first look, so that a request reads no clock.
"""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from obligor.web import problems
from obligor.web.answer import ENCODE
from obligor.web.correlation import new_id
from obligor.web.edge import HEADERS
from obligor.web.gate import READING, Gate
from obligor.web.load import Load

__all__ = ["Connection", "Doorkeeper"]

LOOK_MOST_SECONDS = 1.0
LINGER_SECONDS = 5.0
# For so long nothing more is read from a connection after a refusal for want of room.
DEAF_SECONDS = 0.1

# What a connection is to do next: send the rest of the headers, of the body, or of a body that is not wanted
# any more; begin a request; wait for us. The words are the reasons by which cuts are counted.
HEAD, BODY, LINGER, IDLE, OURS = "headers", "body", "linger", "idle", "ours"
READING_PATHS = frozenset(path.encode() for path in READING)


class Doorkeeper:
    """Knows every connection of a server, and looks after them a few times in the shortest of their times."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.limits = limits = gate.limits
        self._all: dict[Connection, None] = {}
        # Those that have no request in progress, the one that has waited longest first.
        self._without: dict[Connection, None] = {}
        shortest = min(limits.header_seconds, limits.body_seconds, limits.answer_seconds, limits.idle_seconds)
        self._pause = min(LOOK_MOST_SECONDS, shortest / 4)
        self.seconds = {
            HEAD: limits.header_seconds,
            BODY: limits.body_seconds,
            LINGER: LINGER_SECONDS,
            IDLE: limits.idle_seconds,
        }
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, connection: Connection) -> None:
        """Take a new connection; when there are too many, one that waits without a request has to go."""
        self._all[connection] = None
        self._without[connection] = None
        self.gate.connections = len(self._all)
        if len(self._all) > self.limits.connections_most:
            longest = next(iter(self._without))
            if longest is connection:
                longest.refuse(503, "connections")
            else:
                self.cut(longest, "connections")
        if self._timer is None:
            self._timer = connection.loop.call_later(self._pause, self._look, connection.loop)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._all.pop(connection, None)
        self._without.pop(connection, None)
        self.gate.connections = len(self._all)

    def asks(self, connection: Connection) -> None:
        """A connection has begun a request in earnest: its headers are whole."""
        self._without.pop(connection, None)

    def rests(self, connection: Connection) -> None:
        """A connection has its answer and waits for its next request."""
        self._without[connection] = None

    def cut(self, connection: Connection, reason: str) -> None:
        """Close a connection whatever there is still to say, and count it."""
        self.closed(connection)
        self.count(reason)
        connection.transport.abort()

    def count(self, reason: str) -> None:
        """Count a connection that is being closed."""
        self.gate.cut[reason] = self.gate.cut.get(reason, 0) + 1

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._all):
            connection.look(now)
        self._timer = loop.call_later(self._pause, self._look, loop) if self._all else None


class Connection(HttpToolsProtocol):
    """uvicorn's connection with times and sizes that it keeps to."""

    def __init__(self, *given: Any, doorkeeper: Doorkeeper, **named: Any) -> None:
        super().__init__(*given, **named)
        self._doorkeeper = doorkeeper
        self._limits = doorkeeper.limits
        self._phase = HEAD
        self._due: float | None = None
        self._chunk = self._head_bytes = self._body_bytes = self._messages = 0
        self._refused = self._over = False
        self._load: Load | None = None
        # What of the answers the other side has not taken, and by when it must have taken some.
        self._unsent = 0
        self._unsent_due: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Its first request is due."""
        super().connection_made(transport)
        self._doorkeeper.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._doorkeeper.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; headers that are not whole yet may not grow over their limit."""
        if self._phase is IDLE:
            self._turn(HEAD)
        before, self._chunk = self._messages, len(data)
        super().data_received(data)
        if self._messages == before and self._phase not in {BODY, LINGER} and not self._over:
            self._head_bytes += self._chunk
            if self._head_bytes > self._limits.header_bytes_most:
                self.refuse(431, "size")

    def on_headers_complete(self) -> None:
        """A request begins in earnest; its body is due."""
        if self._over:
            return
        if self._head_bytes + self._chunk > self._limits.header_bytes_most and self._too_large():
            self.refuse(431, "size")
            return
        self._head_bytes = 0
        self._doorkeeper.asks(self)
        cycle: RequestResponseCycle | None = self.cycle
        alone = cycle is None or cycle.response_complete
        self._load = self._load_of() if alone else None
        if self._load is not None and self._load.full():
            self._refuse_for_others(self._load)
            return
        self._turn(BODY)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """What comes buys time."""
        if self._refused or self._over:
            return
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; what now takes time is ours."""
        if self._over:
            return
        self._messages += 1
        if self._refused:
            self._refused = False
            self._rest()
            if not self.transport.is_closing():
                # Who does not heed Retry-After shall not keep us busy with refusals.
                self.flow.pause_reading()
                self.loop.call_later(DEAF_SECONDS, self._hear)
            return
        if self.cycle.response_complete:
            self._rest()
        else:
            self._turn(OURS)
            if self._load is not None:
                # `Edge` takes it out again; who comes meanwhile finds it counted.
                self.scope["load"] = self._load.__enter__()  # type: ignore[typeddict-unknown-key]
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out; the rest of the request, or the next one, is due."""
        super().on_response_complete()
        if not self.cycle.response_complete:
            return  # a pipelined request is already being answered
        if not self.cycle.more_body:
            self._rest()
        elif self.expect_100_continue:
            # It was never told to go on: whether the body comes now, nobody can say.
            self.transport.close()
        else:
            self._turn(LINGER)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words
        """Say that what came is no HTTP, as every other refusal is said."""
        self._answer(400)

    def refuse(self, status: int, reason: str) -> None:
        """Say why, unless an answer is under way, and close."""
        self._doorkeeper.count(reason)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.abort()
        else:
            self._answer(status)

    def look(self, now: float) -> None:
        """Close it if it is late."""
        if self._takes_no_answer(now):
            self._doorkeeper.cut(self, "answer")
            return
        seconds = self._doorkeeper.seconds.get(self._phase)
        if seconds is None:
            return
        if self._due is None or self.flow.read_paused:  # when paused, it is we who do not read
            self._due = now + seconds
        elif self._body_bytes:
            # Never more than a body that has just begun has.
            bought = self._due + self._body_bytes / self._limits.bytes_per_second_least
            self._due = min(bought, now + seconds)
        self._body_bytes = 0
        if now < self._due:
            return
        if self._phase in {HEAD, BODY} and not self._over:
            self.refuse(408, self._phase)
        else:
            self._doorkeeper.cut(self, IDLE)

    def _takes_no_answer(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        taken, self._unsent = max(0, self._unsent - unsent), unsent
        latest = now + self._limits.answer_seconds
        if not unsent:
            self._unsent_due = None
        elif self._unsent_due is None:
            self._unsent_due = latest
        else:
            bought = self._unsent_due + taken / self._limits.bytes_per_second_least
            self._unsent_due = min(bought, latest)
        return self._unsent_due is not None and now >= self._unsent_due

    def _too_large(self) -> bool:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return size > self._limits.header_bytes_most

    def _load_of(self) -> Load | None:
        """What a request that writes is counted in; None for others."""
        if self.parser.get_method() != b"POST" or self.url.partition(b"?")[0] in READING_PATHS:
            return None
        return self._doorkeeper.gate.writes

    def _refuse_for_others(self, load: Load) -> None:
        """Refuse a request for which there is no room.

        `Edge` does the same; here it costs a third, for neither a task nor a route is needed.
        """
        load.refused += 1
        self._refused = True
        self._turn(LINGER)
        self.transport.write(_OVERLOADED % (max(1, math.ceil(load.wait())), new_id()))
        if self.expect_100_continue or not self.parser.should_keep_alive():
            self.transport.close()

    def _hear(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _rest(self) -> None:
        self._turn(IDLE)
        self._doorkeeper.rests(self)

    def _turn(self, phase: str) -> None:
        self._phase, self._due = phase, None

    def _answer(self, status: int) -> None:
        self._over = True
        self._turn(LINGER)
        self.transport.write(_ANSWERS[status])
        self.transport.close()


def _whole(problem: problems.Problem, *more: tuple[bytes, bytes]) -> bytes:
    """An answer as it goes over the wire, for what never becomes a request."""
    body = ENCODE(problem)
    status = HTTPStatus(problem.status)
    headers = [
        (b"content-type", problems.MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *more,
        *HEADERS,
    ]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, status.phrase.encode(), lines, body)


_CLOSE = (b"connection", b"close")
_ANSWERS = {
    status: _whole(problems.problem(status, code, detail), _CLOSE, *more)
    for status, code, detail, *more in (
        (400, "malformed", "this is no HTTP/1.1 request"),
        (408, "too-slow", "the request did not come in time"),
        (431, "too-large", "the request's headers are over a limit"),
        (503, "overloaded", "there are too many connections", (b"retry-after", b"1")),
    )
}
_BUSY = problems.Overloaded(1)
# With the seconds to wait, and an id.
_OVERLOADED = _whole(
    problems.problem(503, _BUSY.code, _BUSY.detail), (b"retry-after", b"%d"), (b"x-request-id", b"%b")
)
