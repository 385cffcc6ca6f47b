"""Who drips, who falls silent, who never reads: each is cut in time, and a good client does not feel it."""

import contextlib
import json
import os
import socket
import statistics
import threading
import time
from pathlib import Path

import pytest
import uvicorn

from obligor.app.limits import Limits
from obligor.app.service_protocol import Reply
from obligor.web import create_app, server_config
from obligor.web.connection import DEAF_SECONDS
from obligor.web.load import BUSY
from tests.web.fake_more import FakeService
from tests.web.stuck import Stuck

CROWD = 200
TIMES = {
    "header_seconds": 0.6,
    "body_seconds": 0.6,
    "answer_seconds": 0.6,
    "idle_seconds": 0.6,
    "bytes_per_second_least": 1_000,
}
# A look comes four times in the shortest of these times; the rest is a busy machine.
LATE_SECONDS = 4.0
ASK = b"GET /v1/decisions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer all\r\n\r\n"
POST = (
    b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer all\r\n"
    b"content-type: application/json\r\ncontent-length: 5000\r\n"
)


class Server:
    """A real server on a thread, over a service in memory."""

    def __init__(self, service=None, **limits):
        self.service = service or FakeService()
        self.app = create_app(self.service, limits=Limits(**{**TIMES, **limits}))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.address = listening.getsockname()
        self._server = uvicorn.Server(server_config(self.app, self.app.gate))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def connect(self, receive_bytes=None):
        made = socket.socket()
        if receive_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.connect(self.address)
        made.settimeout(10)
        return made

    @property
    def cut(self):
        return self.app.gate.cut

    def settle(self, seconds=LATE_SECONDS + 2):
        """Wait until no connection is left."""
        until = time.monotonic() + seconds
        while self.app.gate.connections and time.monotonic() < until:
            time.sleep(0.02)
        return self.app.gate.connections


def fds():
    return len(list(Path("/proc/self/fd").iterdir()))


def answer(connection):
    """A whole answer off a socket: its status, and its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            return 0, got
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        body += more
    return int(head[9:12]), body


def ended(connection):
    """Everything that still came until the other side closed."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65536):
            got += more
    return got


class Good(threading.Thread):
    """A client that asks and reads as one should, on one connection, all the while."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self._server = server
        self.stop = threading.Event()
        self.took = []
        self.statuses = set()

    def run(self):
        with self._server.connect() as connection:
            while not self.stop.is_set():
                began = time.perf_counter()
                connection.sendall(ASK)
                self.statuses.add(answer(connection)[0])
                self.took.append(time.perf_counter() - began)
                time.sleep(0.005)

    def p50(self):
        return statistics.median(self.took)


@contextlib.contextmanager
def meanwhile(server):
    """A good client before and during what is tested: it keeps its connection and its speed."""
    before = Good(server)
    before.start()
    time.sleep(0.5)
    before.stop.set()
    before.join()
    good = Good(server)
    good.start()
    yield
    good.stop.set()
    good.join(10)
    assert not good.is_alive()
    assert good.statuses == {200}
    assert len(good.took) > 20
    assert good.p50() < 5 * before.p50() + 0.02, (before.p50(), good.p50())


def drip(connections, piece, seconds, pause=0.2):
    """Send a little to each that still takes it."""
    until = time.monotonic() + seconds
    open_ = list(connections)
    while open_ and time.monotonic() < until:
        for connection in list(open_):
            try:
                connection.send(piece)
            except OSError:
                open_.remove(connection)
        time.sleep(pause)
    return open_


def drippers(server, begin):
    connections = [server.connect() for _ in range(CROWD)]
    for connection in connections:
        connection.sendall(begin)
    return connections


@pytest.mark.parametrize(
    ("begin", "piece", "reason"),
    [
        (b"GET /v1/decisions HTTP/1.1\r\nhost: x\r\n", b"x-a: b\r\n", "headers"),
        (b"GET /v1/dec", b"a", "headers"),
        (POST + b"\r\n", b" ", "body"),
    ],
    ids=["headers", "the first line", "a body"],
)
def test_two_hundred_who_drip_are_cut_in_time_and_a_good_client_does_not_feel_it(begin, piece, reason):
    with Server() as server:
        before = fds()
        with meanwhile(server):
            connections = drippers(server, begin)
            began = time.monotonic()
            left = drip(connections, piece, LATE_SECONDS)
            assert left == [], f"{len(left)} still drip after {time.monotonic() - began:.1f} s"
            assert server.cut[reason] == CROWD
            status, body = answer(connections[0])
            if status:
                assert (status, json.loads(body)["code"]) == (408, "too-slow")
        for connection in connections:
            connection.close()
        assert server.settle() == 0
        assert fds() <= before + 1
        assert server.app.gate.writes.pending == server.app.gate.reads.pending == 0


def test_the_control_without_times_lets_them_drip_on():
    """What the tests above would see if nothing were cut."""
    times = dict.fromkeys(("header_seconds", "body_seconds", "idle_seconds"), 3600.0)
    with Server(**times) as server:
        connections = [server.connect() for _ in range(10)]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\n")
        assert len(drip(connections, b"x-a: b\r\n", 1.5)) == 10
        assert server.cut == {}
        for connection in connections:
            connection.close()


def test_who_says_nothing_at_all_is_closed_without_a_word():
    with Server() as server, server.connect() as silent:
        began = time.monotonic()
        assert b"408" in ended(silent) or time.monotonic() - began < LATE_SECONDS
        assert time.monotonic() - began < LATE_SECONDS
        assert server.settle() == 0


def test_who_keeps_a_connection_and_asks_no_more_is_closed():
    with Server() as server, server.connect() as idle:
        idle.sendall(ASK)
        assert answer(idle)[0] == 200
        began = time.monotonic()
        assert ended(idle) == b""
        assert 0.3 < time.monotonic() - began < LATE_SECONDS
        assert server.cut == {"idle": 1}


def test_those_who_never_read_their_answers_are_cut_and_their_memory_comes_back():
    with Server(requests_most=100_000) as server:
        before = fds()
        page = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
        with meanwhile(server):
            connections = [server.connect(receive_bytes=4096) for _ in range(50)]
            for connection in connections:
                # More than the system's buffers on both sides hold.
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    connection.send(page * 200)
            until = time.monotonic() + 15
            while server.cut.get("answer", 0) < 50 and time.monotonic() < until:
                time.sleep(0.05)
            assert server.cut == {"answer": 50}
        for connection in connections:
            connection.close()
        assert server.settle() == 0
        assert fds() <= before + 1


def test_a_slow_body_holds_no_place_among_the_requests_in_progress():
    with Server(requests_most=BUSY, body_seconds=3.0) as server:
        connections = drippers(server, POST + b"\r\n")
        time.sleep(0.3)
        assert server.app.gate.writes.pending == 0
        with server.connect() as good:
            event = b'{"type": "repayment.received", "source": "c", "source_ref": "1", "body": {}}'
            good.sendall(POST.replace(b"5000", b"%d" % len(event)) + b"\r\n" + event)
            assert answer(good)[0] in {201, 422}
        for connection in connections:
            connection.close()
        assert server.settle() == 0


def test_a_body_that_comes_steadily_may_take_longer_than_the_time_for_a_silent_one():
    event = json.dumps(
        {
            "type": "repayment.received",
            "source": "core",
            "source_ref": "p-1",
            "body": {"loan_id": "l-1", "amount_minor": 120_000, "currency": "CNY"},
        }
    ).encode()
    padded = event + b" " * (4000 - len(event))
    with Server(bytes_per_second_least=500) as server, server.connect() as steady:
        began = time.monotonic()
        steady.sendall(POST.replace(b"5000", b"4000") + b"\r\n")
        for at in range(0, 4000, 250):
            steady.sendall(padded[at : at + 250])
            time.sleep(0.12)
        assert answer(steady)[0] == 201
        assert time.monotonic() - began > TIMES["body_seconds"]
        assert server.cut == {}


def test_a_burst_buys_no_more_time_than_a_beginning_has():
    with Server() as server, server.connect() as bursting:
        bursting.sendall(POST.replace(b"5000", b"900000") + b"\r\n" + b" " * 800_000)
        began = time.monotonic()
        assert answer(bursting)[0] == 408
        assert time.monotonic() - began < LATE_SECONDS


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "in pieces"])
def test_headers_over_the_limit_are_refused_however_they_come(at_once):
    with Server(header_bytes_most=8192, header_seconds=10.0) as server, server.connect() as fat:
        head = b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(
            b"x-%d: %s\r\n" % (n, b"v" * 100) for n in range(90)
        )
        if at_once:
            fat.sendall(head + b"\r\n")
        else:
            with contextlib.suppress(OSError):
                for at in range(0, len(head), 500):
                    fat.sendall(head[at : at + 500])
                    time.sleep(0.002)
        status, body = answer(fat)
        assert (status, json.loads(body)["code"]) == (431, "too-large")
        assert server.cut == {"size": 1}


def test_one_endless_header_is_not_kept():
    with Server(header_bytes_most=8192, header_seconds=10.0) as server, server.connect() as fat:
        fat.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                fat.sendall(b"v" * 1000)
        ended(fat)
        assert server.settle() == 0
        assert server.cut == {"size": 1}


def test_what_is_no_http_is_a_problem_like_any_other():
    with Server() as server, server.connect() as wrong:
        wrong.sendall(b"HELLO there\r\n\r\n")
        status, body = answer(wrong)
        assert (status, json.loads(body)["code"]) == (400, "malformed")
        assert server.settle() == 0


def test_of_too_many_connections_those_that_waited_longest_without_a_request_have_to_go():
    with Server(connections_most=20, idle_seconds=30.0, header_seconds=30.0) as server:
        first = [server.connect() for _ in range(20)]
        time.sleep(0.2)
        with server.connect() as late:
            late.sendall(ASK)
            assert answer(late)[0] == 200
        assert ended(first[0]) == b""
        first[-1].sendall(ASK)
        assert answer(first[-1])[0] == 200
        assert server.cut == {"connections": 1}
        for connection in first:
            connection.close()


BODY = b'{"a": 1}'
WRITE = POST.replace(b"5000", b"%d" % len(BODY)) + b"\r\n" + BODY


@contextlib.contextmanager
def occupied(server, service, count):
    """So many requests in progress; at the end each of them is answered."""
    busy = [server.connect() for _ in range(count)]
    for connection in busy:
        connection.sendall(WRITE)
    while len(service.waiting) < count:
        time.sleep(0.01)
    yield
    for future in service.waiting:
        future.set_result(Reply(201, b"{}"))
    for connection in busy:
        assert answer(connection)[0] == 201
        connection.close()


def test_when_every_connection_has_a_request_in_progress_the_next_hears_503():
    service = Stuck()
    with (
        Server(service, connections_most=10) as server,
        occupied(server, service, 10),
        server.connect() as late,
    ):
        status, body = answer(late)
        assert (status, json.loads(body)["code"]) == (503, "overloaded")


def test_a_refused_body_is_passed_over_and_the_connection_goes_on():
    service = Stuck()
    with Server(service, requests_most=BUSY, idle_seconds=30.0) as server, occupied(server, service, BUSY):
        with server.connect() as late:
            for _ in range(3):
                late.sendall(WRITE)
                status, body = answer(late)
                assert (status, json.loads(body)["code"]) == (503, "overloaded")
            # Two that come together, and one whose body comes later.
            late.sendall(WRITE + WRITE[:-3])
            time.sleep(0.1)
            late.sendall(WRITE[-3:] + ASK)
            got = b""
            while b"HTTP/1.1 200" not in got:
                more = late.recv(65536)
                assert more, (got, server.cut)
                got += more
            assert got.count(b"HTTP/1.1 503") == 2
        assert server.app.gate.writes.refused == 5


def test_who_asks_again_at_once_is_heard_only_after_a_moment():
    service = Stuck()
    with Server(service, requests_most=BUSY, idle_seconds=30.0) as server:
        busy = [server.connect() for _ in range(BUSY)]
        for connection in busy:
            connection.sendall(WRITE)
        while len(service.waiting) < BUSY:
            time.sleep(0.01)
        with server.connect() as late:
            began = time.perf_counter()
            for _ in range(5):
                late.sendall(WRITE)
                assert answer(late)[0] == 503
            assert time.perf_counter() - began >= 4 * DEAF_SECONDS
        for more in (b"connection: close\r\n", b"expect: 100-continue\r\n"):
            with server.connect() as last:
                last.sendall(WRITE.replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n"))
                assert ended(last).startswith(b"HTTP/1.1 503")
        for future in service.waiting:
            future.set_result(Reply(201, b"{}"))
        for connection in busy:
            connection.close()


def test_a_large_body_that_was_refused_early_is_passed_over_and_the_answer_is_heard():
    service = Stuck()
    with Server(service, requests_most=BUSY, idle_seconds=30.0, quota_reads=1) as server:
        busy = [server.connect() for _ in range(BUSY)]
        for connection in busy:
            connection.sendall(WRITE)
        while len(service.waiting) < BUSY:
            time.sleep(0.01)
        with server.connect() as late:
            # Without room; then with a body over the limit; each body comes after its refusal.
            for size, status in ((900_000, 503), (2_000_000, 413)):
                late.sendall(POST.replace(b"5000", b"%d" % size) + b"\r\n")
                assert answer(late)[0] == status
                late.sendall(b" " * size)
                if status == 503:
                    for future in service.waiting:
                        future.set_result(Reply(201, b"{}"))
                    for connection in busy:
                        assert answer(connection)[0] == 201
            late.sendall(ASK)
            assert answer(late)[0] == 200
        for connection in busy:
            connection.close()
        assert server.cut == {}


def test_a_connection_that_waits_for_our_answer_is_not_cut_for_it():
    service = Stuck()
    with Server(service) as server, server.connect() as patient:
        patient.sendall(WRITE)
        time.sleep(2 * TIMES["idle_seconds"])
        service.waiting[0].set_result(Reply(201, b"{}"))
        assert answer(patient)[0] == 201
        assert server.cut == {}


def test_many_requests_in_one_go_are_answered_in_order():
    with Server() as server, server.connect() as pipelined:
        pipelined.sendall(ASK * 30)
        got = b""
        while got.count(b"HTTP/1.1 200") < 30:
            more = pipelined.recv(65536)
            assert more, got[-200:]
            got += more
        assert server.cut == {}


def test_files_that_a_process_may_open_are_no_fewer_than_its_connections():
    import resource

    from obligor.cli.up import FILES, _allow_files

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 600), hard))
        _allow_files(500)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(500 + FILES, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.getpid()
