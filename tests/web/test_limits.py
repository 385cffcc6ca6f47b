"""Quotas and room: who asks too much hears so at once, and others do not feel it."""

import asyncio
import json
import re
import threading
from concurrent.futures import Future

import pytest
from litestar.testing import TestClient

from obligor.app.limits import Limits
from obligor.app.service_protocol import Principal, Reply
from obligor.web import create_app
from obligor.web.access import API
from obligor.web.gate import UNCOUNTED, Gate
from obligor.web.load import BUSY, FIRST_RATE, STALL_SECONDS, Load
from obligor.web.openapi import describe
from obligor.web.quota import ADDRESSES_MOST, Bucket, Quotas
from tests.web.conftest import APPLICATION
from tests.web.fake_more import FakeService
from tests.web.stuck import Stuck
from tests.web.test_writes import EVENT, is_problem, post

POLICY = re.compile(r'"(\w+)";q=(\d+);w=60')
LEFT = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


# ---- Buckets


def test_a_bucket_gives_its_quota_at_once_and_then_as_it_refills(clock):
    bucket = Bucket("reads", 60, clock.now)
    assert [bucket.take(clock.now) for _ in range(60)] == [0.0] * 60
    assert bucket.take(clock.now) == pytest.approx(1.0)
    clock.now += 1.0
    assert bucket.take(clock.now) == 0.0
    assert bucket.take(clock.now) == pytest.approx(1.0)
    clock.now += 1e6
    assert bucket.full(clock.now)
    assert bucket.told() == b'"reads";r=60;t=0'


def test_a_refused_request_costs_nothing(clock):
    bucket = Bucket("writes", 60, clock.now)
    for _ in range(60):
        bucket.take(clock.now)
    for _ in range(1000):
        assert bucket.take(clock.now) > 0
    clock.now += 1.0
    assert bucket.take(clock.now) == 0.0


def test_what_is_owed_has_to_be_refilled_first(clock):
    bucket = Bucket("writes", 60, clock.now)
    assert bucket.take(clock.now) == 0.0
    bucket.owe(99)
    assert bucket.take(clock.now) == pytest.approx(41.0)
    assert bucket.told() == b'"writes";r=0;t=41'


def test_when_nothing_is_left_the_reset_is_when_one_can_be_sent(clock):
    bucket = Bucket("reads", 30, clock.now)
    for _ in range(30):
        bucket.take(clock.now)
    assert bucket.told() == b'"reads";r=0;t=2'
    clock.now += 4.0
    assert bucket.take(clock.now) == 0.0
    assert bucket.told() == b'"reads";r=1;t=58'


def test_a_key_has_two_buckets_and_may_have_a_quota_of_its_own(clock):
    quotas = Quotas(Limits(quota_reads=100, quota_writes=0), clock)
    usual, special = Principal("t", "a", frozenset()), Principal("t", "b", frozenset(), 7)
    free = Principal("t", "c", frozenset(), 0)
    assert quotas.of_key(usual, "reads").quota == 100
    assert quotas.of_key(usual, "writes") is None
    assert quotas.of_key(special, "reads").quota == quotas.of_key(special, "writes").quota == 7
    assert quotas.of_key(special, "reads") is not quotas.of_key(special, "writes")
    assert quotas.of_key(free, "reads") is None
    assert quotas.of_key(usual, "reads") is quotas.of_key(Principal("t", "a", frozenset("x")), "reads")


def test_addresses_of_one_network_share_a_bucket_where_one_sender_has_many(clock):
    quotas = Quotas(Limits(), clock)
    assert quotas.of_stranger("2001:db8:1:2::1") is quotas.of_stranger("2001:db8:1:2:ffff::9")
    assert quotas.of_stranger("2001:db8:1:2::1") is not quotas.of_stranger("2001:db8:1:3::1")
    assert quotas.of_stranger("192.0.2.1") is quotas.of_stranger("::ffff:192.0.2.1")
    assert quotas.of_stranger("192.0.2.1") is not quotas.of_stranger("192.0.2.2")
    assert Quotas(Limits(quota_strangers=0), clock).of_stranger("192.0.2.1") is None


def test_the_table_of_strangers_is_bounded_and_forgets_only_what_has_refilled(clock):
    quotas = Quotas(Limits(quota_strangers=60), clock)
    for number in range(ADDRESSES_MOST):
        assert quotas.of_stranger(f"s-{number}").take(clock.now) == 0.0
    late = quotas.of_stranger("late")
    assert late is quotas.of_stranger("later"), "newcomers share what is left"
    assert len(quotas._strangers) == ADDRESSES_MOST
    spent = quotas.of_stranger("s-0")
    for _ in range(59):
        spent.take(clock.now)
    clock.now += 2.0
    assert quotas.of_stranger("newcomer") is not late
    assert quotas.of_stranger("s-0") is spent, "who has asked of late is not forgotten"
    assert len(quotas._strangers) < ADDRESSES_MOST


# ---- Load


def under_load(load, clock, rate, seconds, pending):
    """Keep `pending` in progress and finish `rate` a second."""
    while load.pending < pending:
        load.__enter__()
    for _ in range(int(rate * seconds)):
        clock.now += 1.0 / rate
        load.__exit__(None, None, None)
        load.__enter__()


def test_the_wait_is_what_is_in_progress_over_what_is_finished_in_a_second(clock):
    load = Load(1.0, 10_000, clock)
    under_load(load, clock, rate=500.0, seconds=5, pending=200)
    assert load.rate == pytest.approx(500, rel=0.02)
    assert load.wait() == pytest.approx(200 / 500, rel=0.02)
    assert not load.full()
    under_load(load, clock, rate=500.0, seconds=1, pending=520)
    assert load.full()


def test_an_idle_server_is_not_taken_for_a_slow_one(clock):
    load = Load(1.0, 10_000, clock)
    for _ in range(1000):
        with load:
            clock.now += 0.5
    assert load.rate == FIRST_RATE
    with load:
        assert not load.full()


def test_a_server_that_finishes_nothing_is_full_soon(clock):
    load = Load(1.0, 10_000, clock)
    for _ in range(BUSY):
        load.__enter__()
    assert not load.full()
    for _ in range(10):
        clock.now += STALL_SECONDS
        load.full()
    assert load.full()


def test_answers_that_come_in_groups_are_no_stall(clock):
    load = Load(10.0, 10_000, clock)
    for _ in range(300):
        load.__enter__()
    for _ in range(12):
        for _ in range(15):
            clock.now += 0.1
            assert not load.full()
        for _ in range(300):
            load.__exit__(None, None, None)
            load.__enter__()
    assert load.rate == pytest.approx(300 / 1.5, rel=0.02)


def test_so_few_as_a_handful_are_never_refused(clock):
    load = Load(0.001, 10_000, clock)
    load.rate = 1.0
    for _ in range(BUSY - 1):
        assert not load.full()
        load.__enter__()
    assert not load.full()


def test_the_number_in_progress_is_bounded_however_fast_they_are_finished(clock):
    load = Load(1000.0, 100, clock)
    for _ in range(100):
        assert not load.full()
        load.__enter__()
    assert load.full()


# ---- Over HTTP


def served(service, **limits):
    client = TestClient(
        create_app(service, console=False, limits=Limits(**limits)),
        base_url="http://testserver.local",
        raise_server_exceptions=False,
    )
    client.headers["authorization"] = "Bearer all"
    return client


def test_every_answer_to_a_key_tells_its_quota_by_the_draft():
    with served(FakeService(), quota_reads=10, quota_writes=1000) as client:
        for left in (9, 8):
            answer = client.get("/v1/decisions")
            assert answer.headers["ratelimit-policy"] == '"reads";q=10;w=60'
            assert LEFT.fullmatch(answer.headers["ratelimit"])[2] == str(left)
        wrote = post(client, APPLICATION)
        assert POLICY.fullmatch(wrote.headers["ratelimit-policy"]).groups() == ("writes", "1000")
        assert LEFT.fullmatch(client.get("/v1/loans/none").headers["ratelimit"])[2] == "7"
        assert "ratelimit" not in client.get("/livez").headers


def test_over_the_quota_is_429_with_the_seconds_to_wait_and_others_go_on():
    service = FakeService()
    with served(service, quota_writes=60, quota_reads=60) as client:
        for _ in range(60):
            assert post(client, APPLICATION).status_code == 201
        refused = post(client, APPLICATION)
        said = is_problem(refused, 429, "rate-limited")
        assert "60 requests a minute" in said["detail"]
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        assert LEFT.fullmatch(refused.headers["ratelimit"]).groups() == (
            "writes",
            "0",
            refused.headers["retry-after"],
        )
        assert len(service.taken) == 60
        assert client.get("/v1/decisions").status_code == 200
        other = post(client, EVENT, "/v1/events", authorization="Bearer events")
        assert other.status_code == 201, other.text


def test_nothing_of_a_refused_body_is_read():
    service = FakeService()
    with served(service, quota_writes=1) as client:
        assert post(client, APPLICATION).status_code == 201
        assert post(client, b"not json at all").status_code == 429


def test_a_retry_with_its_key_costs_what_any_request_costs():
    service = FakeService()
    with served(service, quota_writes=3) as client:
        named = {"idempotency-key": "one"}
        first = post(client, APPLICATION, **named)
        again = post(client, APPLICATION, **named)
        assert first.content == again.content
        assert LEFT.fullmatch(again.headers["ratelimit"])[2] == "1"
        refused_then = [post(client, APPLICATION, **named).status_code for _ in range(3)]
        assert refused_then == [201, 429, 429]


def test_lines_count_one_by_one_and_are_paid_for_afterwards():
    service = FakeService()
    with served(service, quota_writes=2000) as client:
        kind = {"content-type": "application/x-ndjson"}
        answer = client.post("/v1/events", content=b"{}\n" * 1500, headers=kind)
        assert answer.status_code == 200
        assert LEFT.fullmatch(answer.headers["ratelimit"])[2] == "500"
        assert client.post("/v1/events", content=b"{}\n" * 1500, headers=kind).status_code == 200
        refused = client.post("/v1/events", content=b"{}\n", headers=kind)
        assert refused.status_code == 429
        assert 25 <= int(refused.headers["retry-after"]) <= 31


def test_strangers_are_counted_by_address_and_keys_are_not_touched_by_it():
    with served(FakeService(), quota_strangers=3) as client:
        key = client.headers.pop("authorization")
        seen = [client.get("/v1/decisions").status_code for _ in range(5)]
        assert seen == [401, 401, 401, 429, 429]
        assert client.get("/openapi.json").status_code == 429
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/decisions", headers={"authorization": key}).status_code == 200


def test_a_wrong_key_is_a_stranger():
    with served(FakeService(), quota_strangers=2) as client:
        wrong = {"authorization": "Bearer wrong"}
        assert [client.get("/v1/loans", headers=wrong).status_code for _ in range(3)] == [401, 401, 429]


def test_a_quota_of_nothing_is_no_limit():
    with served(FakeService(), quota_reads=0) as client:
        answer = client.get("/v1/decisions")
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


def scope_of(method, path, kind):
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "client": ("192.0.2.1", 1),
        "server": ("x", 80),
        "headers": [(b"authorization", b"Bearer all"), (b"content-type", kind)],
        "state": {},
    }


async def ask(app, path="/v1/applications", method="POST", body=b"{}"):
    """One request in the form of ASGI: its status, headers and body, and whether its body was read."""
    sent, read = [], []

    async def receive():
        read.append(True)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope_of(method, path, b"application/json"), receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"], bool(read)


async def until(condition):
    """Let others go on until something holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the other side is no part of this loop
            await asyncio.sleep(0.005)


def test_an_overloaded_server_says_so_at_once_without_reading_the_body():
    service = Stuck()
    app = create_app(service, console=False, limits=Limits(requests_most=BUSY + 6))

    async def crowd():
        body = json.dumps(APPLICATION).encode()
        asked = [asyncio.create_task(ask(app, body=body)) for _ in range(BUSY + 6)]
        await until(lambda: len(service.waiting) == BUSY + 6)
        refused = await ask(app, body=body)
        reading = await ask(app, "/v1/decisions", "GET")
        alive = await ask(app, "/livez", "GET")
        for future in service.waiting:
            future.set_result(Reply(201, b"{}"))
        answered = [status for status, *_ in await asyncio.gather(*asked)]
        service.waiting.clear()
        after = asyncio.create_task(ask(app, body=body))
        await until(lambda: service.waiting)
        service.waiting[0].set_result(Reply(201, b"{}"))
        return refused, reading, alive, answered, await after

    refused, reading, alive, answered, after = asyncio.run(crowd())
    status, headers, body, read = refused
    assert (status, headers[b"content-type"]) == (503, b"application/problem+json")
    assert json.loads(body)["code"] == "overloaded"
    assert int(headers[b"retry-after"]) >= 1
    assert not read
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert reading[0] == alive[0] == 200
    assert set(answered) == {201}
    assert after[0] == 201
    assert app.gate.writes.refused == 1
    assert app.gate.writes.pending == 0


class Slow(FakeService):
    """A service that answers lines when it is told to, and knows how many wait."""

    def __init__(self):
        super().__init__()
        self.parts = []
        self.most = 0
        self.changed = threading.Event()

    def submit_lines(self, principal, lines, first_line=1):
        future = Future()
        self.parts.append((future, len(lines)))
        self.most = max(self.most, len(self.parts))
        self.changed.set()
        return future


@pytest.mark.parametrize("streams", [1, 20])
def test_a_stream_of_lines_is_read_no_faster_than_it_is_written(streams):
    from obligor.web.writes import LINES_AT_ONCE, PARTS_OF_ALL, PARTS_OF_ONE

    service = Slow()
    app = create_app(service, console=False)
    taken = []

    async def stream(number):
        chunks = iter([b"{}\n" * LINES_AT_ONCE] * 10)
        sent = []

        async def receive():
            chunk = next(chunks, None)
            taken.append(number)
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        async def send(message):
            sent.append(message)

        await app(scope_of("POST", "/v1/events", b"application/x-ndjson"), receive, send)
        return sent[0]["status"], sent[1]["body"].count(b"\n")

    async def crowd():
        asked = [asyncio.create_task(stream(number)) for number in range(streams)]
        await asyncio.sleep(0.3)
        early = len(taken)
        while not all(task.done() for task in asked):
            waiting, service.parts = service.parts, []
            for future, count in waiting:
                future.set_result([b"{}"] * count)
            await asyncio.sleep(0.001)
        return early, [task.result() for task in asked]

    early, answers = asyncio.run(crowd())
    assert answers == [(200, 10 * LINES_AT_ONCE)] * streams
    assert service.most <= min(PARTS_OF_ALL, PARTS_OF_ONE * streams)
    # Beyond what waits, each stream has at most one part in its hands, and what tells of its end.
    assert early <= service.most + 2 * streams


def test_the_description_tells_of_quotas_on_every_route_that_is_counted():
    described = json.loads(describe(API, API))["paths"]
    for path, item in described.items():
        for operation in item.values():
            answers = operation["responses"]
            if path in UNCOUNTED:
                assert "429" not in answers
                continue
            assert set(answers["429"]["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}
            assert set(answers["503"]["headers"]) == {"Retry-After"}
            assert {"RateLimit", "RateLimit-Policy"} <= set(answers[min(answers)]["headers"])


def test_a_part_that_the_service_cannot_even_take_leaves_its_room():
    from obligor.web.writes import PARTS_OF_ALL

    class Failing(FakeService):
        def submit_lines(self, principal, lines, first_line=1):
            raise RuntimeError

    with served(Failing()) as client:
        kind = {"content-type": "application/x-ndjson"}
        seen = {
            client.post("/v1/events", content=b"{}", headers=kind).status_code
            for _ in range(2 * PARTS_OF_ALL)
        }
        assert seen == {500}


def test_a_gate_measures_reads_and_writes_apart():
    gate = Gate(Limits())
    assert gate.load("GET", "/v1/decisions") is gate.load("POST", "/v1/audits") is gate.reads
    assert gate.load("POST", "/v1/applications") is gate.writes
    assert gate.load("GET", "/readyz") is None
    assert gate.load("OPTIONS", "/v1/applications") is None


def test_the_gate_is_seen_in_the_metrics():
    with served(FakeService(), quota_reads=1) as client:
        client.get("/v1/decisions")
        client.get("/v1/decisions")
        text = client.app.meter.text().decode()
    assert "obligor_http_rate_limited_total 1.0" in text
    assert 'obligor_http_requests_in_progress{kind="writes"} 0.0' in text
    assert 'obligor_http_estimated_wait_seconds{kind="reads"} 0.0' in text
