"""Decisions over HTTP, durable and receipted, against the same HTTP server that only appends what it is sent.

A decision is two requests: the application, which is answered with what is still needed, and the bureau's
answer, upon which the starter strategy decides with features, score, reasons and full trace. Both requests
are durable before they are answered. The peer answers the same two requests with the same server, guard and
body checks, and appends their bytes to a table in a group commit.

The server's process is pinned to one core and the clients to another; the measure is the processor time of
the server for one decision.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bench.harness import Case, run, say
from bench.journal import RawWriter
from tests.applicants import BUREAU, FIELDS

SERVER_CORE, CLIENT_CORE = 0, (os.cpu_count() or 2) - 1
DECISIONS = {1: 200, 16: 600, 64: 1_500}
# A thousand durable decisions in a second of one core at 64 clients would be about this ratio.
GOALS = {1: 0.5, 16: 0.75, 64: 0.75}
# ---- clients


def _request(token: str, path: str, key: str, body: Any) -> bytes:
    data = msgspec.json.encode(body)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def _application(number: int) -> dict[str, Any]:
    return {
        "person": {"reference": f"customer-{number}", "kind": "person"},
        "product": "instalment",
        "channel": "app",
        "amount_minor": 1_200_000,
        "currency": "CNY",
        "term_months": 12,
        "purpose": "shopping",
        "fields": FIELDS,
    }


class Line:
    """One client's connection, kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> bytes:
        """The answer's body.

        Raises:
            RuntimeError: it is no success.
        """
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if head[9:10] != b"2":
            raise RuntimeError(f"{head[:60]!r} {body[:300]!r}")
        return body

    def close(self) -> None:
        self._writer.close()


async def _client(port: int, token: str, numbers: Iterator[int], run_id: str, latency: list[float]) -> None:
    line = Line(*await asyncio.open_connection("127.0.0.1", port))
    for number in numbers:
        began = time.perf_counter()
        apply = _request(token, "/v1/applications", f"a-{run_id}-{number}", _application(number))
        asked = msgspec.json.decode(await line.ask(apply))
        told = {"application_id": asked["application_id"], "name": "bureau", "facts": BUREAU}
        event = {
            "type": "source.answered",
            "source": "bench",
            "source_ref": f"b-{run_id}-{number}",
            "body": told,
        }
        answer = await line.ask(_request(token, "/v1/events", f"b-{run_id}-{number}", event))
        latency.append(time.perf_counter() - began)
        if b'"decision_id"' not in answer and b"appended" not in answer:
            raise RuntimeError(f"not decided: {answer[:300]!r}")
    line.close()


async def _crowd(port: int, token: str, clients: int, numbers: range, run_id: str) -> list[float]:
    latency: list[float] = []
    left = iter(numbers)
    await asyncio.gather(*(_client(port, token, left, run_id, latency) for _ in range(clients)))
    return latency


# ---- servers


class Child:
    """A server process on its core."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
        )
        os.sched_setaffinity(self._process.pid, {SERVER_CORE})
        assert self._process.stdout is not None
        told = msgspec.json.decode(self._process.stdout.readline())
        self.port = int(told["listening"].rpartition(":")[2])
        self.token = ""
        self._numbers = 0

    def cpu_seconds(self) -> float:
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def measure(self, clients: int, notes: dict[str, Any]) -> float:
        """Processor time of the server for one decision, in microseconds."""
        count = DECISIONS[clients]
        numbers = range(self._numbers, self._numbers + count)
        self._numbers += count
        cpu, began = self.cpu_seconds(), time.perf_counter()
        latency = sorted(asyncio.run(_crowd(self.port, self.token, clients, numbers, str(self._numbers))))
        seconds, used = time.perf_counter() - began, self.cpu_seconds() - cpu
        notes.update(
            per_second=round(count / seconds),
            per_cpu_second=round(count / used),
            p50_ms=round(1000 * latency[len(latency) // 2], 2),
            p99_ms=round(1000 * latency[int(len(latency) * 0.99)], 2),
        )
        return used / count * 1e6

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


@contextmanager
def ours(directory: Path) -> Iterator[Child]:
    from obligor.app.control import ask
    from obligor.app.service_protocol import SCOPES

    (directory / "obligor.yaml").write_text("label: Simulated data\n", encoding="utf-8")
    child = Child([sys.executable, "-m", "obligor", "up", "--data", str(directory), "--port", "0"])
    try:
        child.token = ask(directory, "keys.create", name="bench", scopes=list(SCOPES))["token"]
        _teach(child)
        yield child
    finally:
        child.stop()


def _teach(child: Child) -> None:
    """Give the strategy a model, trained on a simulated past."""
    import httpx

    from obligor.cli.playing.scorecard import from_world
    from obligor.world import World

    start = date(2026, 1, 1)
    model = from_world(World(seed=3, people=10, start=start).history(1500), start)
    body = {
        "name": "application",
        "version": "1",
        "known_on": None,
        "model": msgspec.json.decode(model.to_json()),
    }
    answer = httpx.post(
        f"http://127.0.0.1:{child.port}/v1/models",
        content=msgspec.json.encode(body),
        headers={"authorization": f"Bearer {child.token}", "content-type": "application/json"},
        trust_env=False,
        timeout=60,
    )
    answer.raise_for_status()


@contextmanager
def peer(directory: Path) -> Iterator[Child]:
    child = Child([sys.executable, "-m", "bench.decide", "--peer", str(directory / "raw.db")])
    child.token = "any"
    try:
        yield child
    finally:
        child.stop()


def serve_peer(path: str) -> None:
    """The same web application over a service that does nothing but append durably."""
    import socket

    import uvicorn

    from obligor.app.service_protocol import Principal, Reply
    from obligor.web import create_app, server_config

    connection = apsw.Connection(path)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)
    connection.execute("CREATE TABLE entry(seq INTEGER PRIMARY KEY, key TEXT, body BLOB)").fetchall()

    def write(group: list[Any]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entry(key, body) VALUES (?, ?)", group)
        connection.execute("COMMIT")

    writer = RawWriter(write)
    scopes = frozenset({"applications:write", "events:write"})
    who = Principal(tenant="main", name="bench", scopes=scopes)
    reply = Reply(status=201, body=b'{"application_id":"appended"}')

    class Appending:
        """What the two writing routes need of a service."""

        vkey = "none"

        def authenticate(self, _token: str) -> Principal:
            return who

        def still_valid(self, _principal: Principal) -> bool:
            return True

        def submit(self, _principal: Any, _kind: str, payload: Any, named: Any) -> Future[Reply]:
            future: Future[Reply] = Future()
            done = writer.submit((named[0], msgspec.json.encode(payload)))
            done.add_done_callback(lambda _: future.set_result(reply))
            return future

        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    web = create_app(Appending(), console=False)  # type: ignore[arg-type]
    config = server_config(web, web.gate)
    told = {"listening": f"http://127.0.0.1:{listening.getsockname()[1]}"}
    server = uvicorn.Server(config)
    threading.Timer(0.5, lambda: print(msgspec.json.encode(told).decode(), flush=True)).start()
    server.run(sockets=[listening])
    writer.close()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer")
    given = parser.parse_args()
    if given.peer:
        serve_peer(given.peer)
        return 0
    os.sched_setaffinity(0, {CLIENT_CORE})
    notes: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        mine, theirs = Path(name) / "ours", Path(name) / "peer"
        for place in (mine, theirs):
            place.mkdir()
        say("starting both servers")
        with ours(mine) as us, peer(theirs) as them:
            cases = []
            for clients in sorted(DECISIONS):
                for child in (us, them):
                    child.measure(clients, {})
                told, theirs_told = notes.setdefault(f"decide_{clients}", {}), {}
                cases.append(
                    Case(
                        f"decide_{clients}",
                        "CPU microseconds of the server per decision",
                        "the same HTTP server with a durable append and no decision",
                        GOALS[clients],
                        lambda n=clients, into=told: us.measure(n, into),
                        lambda n=clients, into=theirs_told: them.measure(n, into),
                        more_is_better=False,
                    )
                )
            return run("decide", cases, rounds=3, notes=notes)


if __name__ == "__main__":
    sys.exit(main())
