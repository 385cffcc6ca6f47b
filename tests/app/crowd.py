"""A cheap crowd for a real server: prebuilt bytes over raw sockets, closed and open loop, and the child."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import uvloop

from obligor.app.control import ask
from obligor.app.service_protocol import SCOPES

CLOCK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Child:
    """`obligor up` in a process of its own on a data directory."""

    def __init__(self, data: Path, *arguments: str, **settings):
        data.mkdir(parents=True, exist_ok=True)
        given = {"label": "Simulated data", "future_days_most": 36_500, **settings}
        (data / "obligor.yaml").write_text(json.dumps(given))
        self.data = data
        self.errors = data.parent / f"{data.name}.stderr"
        command = [sys.executable, "-m", "obligor", "up", "--data", str(data), "--port", "0", *arguments]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        told = json.loads(self.process.stdout.readline() or b"{}")
        assert told, self.errors.read_text()
        self.url, self.metrics = told["listening"], told["metrics"]
        self.port = int(self.url.rpartition(":")[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(30)
                assert code == 0, (code, self.errors.read_text()[-2_000:])
            finally:
                self.process.kill()
        self.process.stdout.close()

    def key(self, name="tests", scopes=SCOPES, **given) -> str:
        return ask(self.data, "keys.create", name=name, scopes=list(scopes), **given)["token"]

    def learn(self, scorecard, token: str):
        """Take a scorecard, so that applications are decided."""
        model = {"version": "1", "known_on": "2026-01-01", "model": json.loads(scorecard.to_json())}
        told = httpx.post(f"{self.url}/v1/models", json=model, headers={"authorization": f"Bearer {token}"})
        assert told.status_code == 201, told.text

    def rss(self) -> int:
        """Bytes of memory that it holds."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def fds(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK


def request(path: str, token: str, body: bytes, **headers: str) -> bytes:
    """A POST as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + body


class Line(asyncio.Protocol):
    """One connection; its requests go one after another."""

    def __init__(self, told):
        self._told = told
        self._got = bytearray()
        self.sent_at = 0.0
        self.transport = None
        self.lost = False

    def connection_made(self, transport):
        self.transport = transport

    def send(self, data: bytes):
        self.sent_at = time.perf_counter()
        self.transport.write(data)

    def data_received(self, data):
        got = self._got
        got += data
        head = got.find(b"\r\n\r\n")
        if head < 0:
            return
        at = got.find(b"content-length: ")
        length = int(got[at + 16 : got.find(b"\r\n", at)])
        if len(got) < head + 4 + length:
            return
        status, body = int(got[9:12]), bytes(got[head + 4 :])
        got.clear()
        self._told(self, status, body, time.perf_counter() - self.sent_at)

    def connection_lost(self, error):
        self.lost = True
        self._told(self, 0, b"", 0.0)


class Result:
    """What a crowd saw: for each answer when it came, its status and how long it took."""

    def __init__(self):
        self.answers: list[tuple[float, int, float]] = []
        self.unsent = self.unanswered = 0
        self.began = time.perf_counter()
        self.seconds = 0.0

    def count(self, *statuses) -> int:
        return sum(status in statuses for _, status, _ in self.answers)

    def rate(self, *statuses, since=0.0, until=float("inf")) -> float:
        """Answers a second with one of these statuses, between two times after the start."""
        until = min(until, self.seconds)
        found = sum(status in statuses and since <= at < until for at, status, _ in self.answers)
        return found / (until - since)

    def good(self, within, *, since=0.0) -> float:
        """Requests a second that were granted in time; a later answer is worth nothing to who asked."""
        found = sum(status == 201 and at >= since and took <= within for at, status, took in self.answers)
        return found / (self.seconds - since)

    def latency(self, share: float, *statuses, since=0.0, until=float("inf")) -> float:
        took = sorted(t for at, s, t in self.answers if s in statuses and since <= at < until)
        return took[min(len(took) - 1, int(share * len(took)))] if took else float("nan")


async def _closed(port, make, clients, seconds, result):
    loop = asyncio.get_running_loop()
    until = result.began + seconds
    left = asyncio.Event()
    running = clients

    def told(line, status, _body, took):
        nonlocal running
        now = time.perf_counter()
        if status:
            result.answers.append((now - result.began, status, took))
        if status and now < until:
            line.send(make())
            return
        if not line.lost:
            line.lost = True
            line.transport.abort()
            return
        running -= 1
        if not running:
            left.set()

    lines = [(await loop.create_connection(lambda: Line(told), "127.0.0.1", port))[1] for _ in range(clients)]
    result.began = time.perf_counter()
    until = result.began + seconds
    for line in lines:
        line.send(make())
    await left.wait()
    result.seconds = seconds


class _Arrivals:
    """Requests leave at their times, whether or not earlier ones were answered; up to `most` at once."""

    def __init__(self, make, result):
        self._make, self._result = make, result
        self._free: list[Line] = []
        self.busy = 0

    async def connect(self, port, count):
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, line = await loop.create_connection(lambda: Line(self._told), "127.0.0.1", port)
            self._free.append(line)

    def leave(self):
        # The one used last: a connection that rested for long may be closed while we send.
        while self._free and self._free[-1].lost:
            self._free.pop()
        if not self._free:
            self._result.unsent += 1
            return
        self.busy += 1
        self._free.pop().send(self._make())

    def _told(self, line, status, _body, took):
        if not line.sent_at:
            return  # an idle connection was closed
        self.busy -= 1
        self._result.answers.append((time.perf_counter() - self._result.began, status, took))
        line.sent_at = 0.0
        if not line.lost:
            self._free.append(line)


async def _open(port, make, rate, seconds, most, result, patience):
    arrivals = _Arrivals(make, result)
    await arrivals.connect(port, most)
    result.began = began = time.perf_counter()
    sent = 0
    while sent < int(seconds * rate):
        due = int(min(time.perf_counter() - began, seconds) * rate)
        for _ in range(sent, due):
            arrivals.leave()
        sent = due
        await asyncio.sleep(0.002)
    result.seconds = time.perf_counter() - began
    waited = time.perf_counter() + patience
    while arrivals.busy and time.perf_counter() < waited:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    result.unanswered = arrivals.busy


async def _bursts(port, rounds):
    loop = asyncio.get_running_loop()
    answers: dict[Line, tuple[int, bytes]] = {}
    complete = asyncio.Event()
    awaited = 0

    def told(line, status, body, _took):
        answers[line] = (status, body)
        if len(answers) == awaited:
            complete.set()

    lines: list[Line] = []
    found = []
    for requests in rounds:
        while len(lines) < len(requests):
            lines.append((await loop.create_connection(lambda: Line(told), "127.0.0.1", port))[1])
        answers.clear()
        complete.clear()
        awaited = len(requests)
        for line, data in zip(lines, requests, strict=False):
            line.send(data)
        await asyncio.wait_for(complete.wait(), 30)
        found.append([answers[line] for line in lines[:awaited]])
    answers.clear()
    for line in lines:
        line.transport.abort()
    return found


def bursts(port, rounds) -> list[list[tuple[int, bytes]]]:
    """Each round's requests all at once, one on each connection: their statuses and bodies."""
    return uvloop.run(_bursts(port, rounds))


def closed_loop(port, make, *, clients, seconds) -> Result:
    """Clients that ask again as soon as they are answered."""
    result = Result()
    uvloop.run(_closed(port, make, clients, seconds, result))
    return result


def open_loop(port, make, *, rate, seconds, most, patience=10.0) -> Result:
    """Arrivals at a rate, come what may."""
    result = Result()
    uvloop.run(_open(port, make, rate, seconds, most, result, patience))
    return result
