"""Two server processes on one PostgreSQL database: whoever writes, nothing is lost, doubled or stale.

The writer's place changes hands every two seconds: in turn it is handed over in order, and taken from a
process that was stopped (SIGSTOP) for longer than its lease and wakes up believing that it still writes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from obligor.app.control import ask_all
from obligor.app.opened import Opened
from obligor.app.queries import proof
from obligor.app.settings import load
from obligor.cli.playing.server import Server
from obligor.scoring import PointsModel
from tests.app.conftest import application, scorecard

__all__ = ["scorecard"]

CLIENTS = 12
LEASE_SECONDS = 1.0
CHANGE_SECONDS = 2.0


@dataclass
class Seen:
    """What the clients were told."""

    answers: dict[str, bytes] = field(default_factory=dict)
    order: dict[int, list[str]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    refused: int = 0


@contextlib.contextmanager
def two_servers(directory: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Server]]:
    monkeypatch.setenv("OBLIGOR_STORE", url)
    monkeypatch.setenv("OBLIGOR_LEASE_SECONDS", str(LEASE_SECONDS))
    monkeypatch.setenv("OBLIGOR_FUTURE_DAYS_MOST", "36500")
    with Server(directory, 0) as first, Server(directory, 0) as second:
        yield [first, second]


def _attempt(client: int, number: int) -> tuple[str, dict[str, Any]]:
    key = f"{client}-{number}"
    # One person applies several times, so that order matters between clients too.
    return key, application(person={"reference": f"customer-{(client + number) % 7}", "kind": "person"})


def _client(number: int, urls: list[str], token: str, seen: Seen, stop: threading.Event) -> None:
    luck = random.Random(number)
    count = 0
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(headers=headers, timeout=10, trust_env=False) as http:
        while not stop.is_set():
            key, body = _attempt(number, count)
            answer = _send(http, urls, key, body, luck, seen, stop)
            if answer is None:
                return
            seen.answers[key] = answer.content
            seen.order.setdefault(number, []).append(answer.json()["application_id"])
            _look(http, luck.choice(urls), answer.json()["application_id"], seen)
            count += 1


def _send(
    http: httpx.Client,
    urls: list[str],
    key: str,
    body: Any,
    luck: random.Random,
    seen: Seen,
    stop: threading.Event,
) -> httpx.Response | None:
    """The same attempt, to either server, until one acknowledges it."""
    while not stop.is_set():
        try:
            answer = http.post(
                f"{luck.choice(urls)}/v1/applications", json=body, headers={"idempotency-key": key}
            )
        except httpx.TransportError:
            continue
        if answer.status_code in {201, 202}:
            return answer
        if answer.status_code not in {429, 503}:
            seen.surprises.append(f"{answer.status_code} {answer.text[:300]}")
            return None
        seen.refused += 1
        time.sleep(0.02)
    return None


def _look(http: httpx.Client, url: str, application_id: str, seen: Seen) -> None:
    """Either server knows at once what was acknowledged by one of them."""
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            found = http.get(f"{url}/v1/applications/{application_id}")
            if found.status_code == 404:
                seen.stale.append(application_id)
            if found.status_code not in {429, 503}:
                return
        time.sleep(0.02)


def _leader(servers: list[Server]) -> int | None:
    for index, server in enumerate(servers):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{server.url}/readyz", trust_env=False, timeout=5).status_code == 200:
                return index
    return None


def _changes(directory: Path, servers: list[Server], seconds: float) -> tuple[int, int]:
    """Move the writer's place about; how often in order, and how often by force."""
    until = time.monotonic() + seconds
    in_order = by_force = 0
    while time.monotonic() < until:
        leader = _leader(servers)
        if leader is None:
            time.sleep(0.05)
            continue
        if (in_order + by_force) % 2 == 0:
            in_order += any(answer["handed_over"] for answer in ask_all(directory, "hand-over"))
            time.sleep(CHANGE_SECONDS)
        else:
            os.kill(servers[leader].pid, signal.SIGSTOP)
            try:
                time.sleep(2 * LEASE_SECONDS)
            finally:
                os.kill(servers[leader].pid, signal.SIGCONT)
            by_force += 1
    return in_order, by_force


@pytest.mark.parametrize(
    ("seconds", "least"), [(9, 3), pytest.param(60, 24, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_hand_over_between_two_servers_loses_doubles_and_hides_nothing(
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    scorecard: PointsModel,
    seconds: int,
    least: int,
) -> None:
    data = tmp_path / "var"
    seen, stop = Seen(), threading.Event()
    with two_servers(data, database, monkeypatch) as servers:
        token = servers[0].key("tests")
        _teach(servers[_leader(servers) or 0].url, token, scorecard)
        urls = [server.url for server in servers]
        clients = [
            threading.Thread(target=_client, args=(n, urls, token, seen, stop), daemon=True)
            for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        in_order, by_force = _changes(data, servers, seconds)
        stop.set()
        for client in clients:
            client.join(30)
        again = {key: _again(urls, token, key) for key in random.Random(1).sample(sorted(seen.answers), 40)}

    assert seen.surprises == []
    assert seen.stale == []
    assert in_order + by_force >= least, (in_order, by_force)
    assert in_order
    assert by_force
    assert all(again[key] == seen.answers[key] for key in again), "a retry was answered otherwise"
    _check(data, seen)
    print(f"{len(seen.answers)} acknowledged, {seen.refused} refused, {in_order}+{by_force} hand-overs")


def _teach(url: str, token: str, scorecard: PointsModel) -> None:
    """Applications are decided with a model."""
    body = {"name": "application", "version": "1", "model": json.loads(scorecard.to_json())}
    answer = httpx.post(
        f"{url}/v1/models",
        json=body,
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 201, answer.text


def _again(urls: list[str], token: str, key: str) -> bytes:
    client, number = map(int, key.split("-"))
    body = _attempt(client, number)[1]
    headers = {"authorization": f"Bearer {token}", "idempotency-key": key}
    for attempt in range(500):
        answer = httpx.post(
            f"{urls[attempt % 2]}/v1/applications", json=body, headers=headers, timeout=10, trust_env=False
        )
        if answer.status_code not in {429, 503}:
            return answer.content
        time.sleep(0.02)
    raise AssertionError("nobody took the retry")


def _check(data: Path, seen: Seen) -> None:
    opened = Opened.at(data, load(data))
    try:
        events = list(opened.reader.events("main"))
        assert [event.known_seq for event in events] == list(range(len(events)))
        received = [e.body.application_id for e in events if e.type == "application.received"]
        assert len(received) == len(set(received)), "an application came twice"
        places = {name: place for place, name in enumerate(received)}
        for told in seen.order.values():
            assert all(name in places for name in told), "an acknowledged application is gone"
            assert [places[name] for name in told] == sorted(places[name] for name in told)
        # Whatever was written without an acknowledgement was an attempt in flight, one a client at most.
        assert len(received) <= len(seen.answers) + CLIENTS
        report = proof.audited(opened.reader, "main", opened.vkey())
        assert report.ok, report.why
    finally:
        opened.close()
