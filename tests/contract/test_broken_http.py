"""Requests that are no good HTTP, names that are no good names: all are refused, and the server goes on."""

import contextlib
import json
import re
import socket

import pytest

from obligor.web.access import API
from tests.contract.conftest import either_store

__all__ = ["either_store"]

# So long the server may wait for the rest of a request before we go away.
SILENT_SECONDS = 1.0


def said(lender, data):
    """What the server answers to bytes, until it closes the connection or waits for more."""
    heard = b""
    with (
        socket.create_connection(("127.0.0.1", lender.port), timeout=SILENT_SECONDS) as connection,
        contextlib.suppress(TimeoutError, ConnectionError),
    ):
        connection.sendall(data)
        while piece := connection.recv(65_536):
            heard += piece
    return heard


def answers(heard):
    """The statuses of the answers in what was heard."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", heard)]


def request(lender, *headers, body=b"", target=b"/v1/events", method=b"POST"):
    """A request's bytes with our key; headers as given."""
    start = [
        method + b" " + target + b" HTTP/1.1",
        b"Host: here",
        b"Connection: close",
        b"Authorization: Bearer " + lender.token.encode(),
        b"Content-Type: application/json",
    ]
    return b"\r\n".join([*start, *headers, b"", b""]) + body


def event(stock):
    fee = {"loan_id": stock.kept("loan"), "kind": "late", "amount_minor": 1, "currency": "CNY"}
    sent = {"type": "fee.charged", "source": "wire", "source_ref": stock.new("ref"), "body": fee}
    return json.dumps(sent).encode()


@pytest.fixture(autouse=True)
def nothing_written(lender, stock):
    """Whatever was sent, nothing was written, and the next good request is taken."""
    for kind in ("loan", "alert"):
        stock.kept(kind)
    before = lender.size()
    yield
    assert lender.size() == before
    good = event(stock)
    assert answers(said(lender, request(lender, b"Content-Length: %d" % len(good), body=good))) == [201]


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


FRAMES = {
    "no length": ((), lambda good: good),
    "a length too short": ((b"Content-Length: 10",), lambda good: good),
    "a length too long": ((b"Content-Length: 100000",), lambda good: good),
    "a length of letters": ((b"Content-Length: ten",), lambda good: good),
    "a length below 0": ((b"Content-Length: -1",), lambda good: good),
    "a length with a sign": ((b"Content-Length: +10",), lambda good: good),
    "a length of 2^64": ((b"Content-Length: 18446744073709551616",), lambda good: good),
    "two lengths": ((b"Content-Length: 10", b"Content-Length: 11"), lambda good: good),
    "a list of lengths": ((b"Content-Length: 10, 11",), lambda good: good),
    "a length and chunks": (
        (b"Content-Length: 10", b"Transfer-Encoding: chunked"),
        lambda good: chunked(good) + b"0\r\n\r\n",
    ),
    "chunks without an end": ((b"Transfer-Encoding: chunked",), chunked),
    "a chunk that ends early": ((b"Transfer-Encoding: chunked",), lambda good: b"ffff\r\n" + good),
    "a chunk that goes on": (
        (b"Transfer-Encoding: chunked",),
        lambda good: b"5\r\n" + good + b"\r\n0\r\n\r\n",
    ),
    "a chunk of letters": (
        (b"Transfer-Encoding: chunked",),
        lambda good: b"zz\r\n" + good + b"\r\n0\r\n\r\n",
    ),
    "a chunk below 0": ((b"Transfer-Encoding: chunked",), lambda good: b"-5\r\n" + good + b"\r\n0\r\n\r\n"),
    "a chunk of 2^64": ((b"Transfer-Encoding: chunked",), lambda good: b"f" * 17 + b"\r\n" + good),
    "chunks of chunks": (
        (b"Transfer-Encoding: chunked, chunked",),
        lambda good: chunked(good) + b"0\r\n\r\n",
    ),
    "another coding": ((b"Transfer-Encoding: gzip",), lambda good: good),
    "chunks over the limit": (
        (b"Transfer-Encoding: chunked",),
        lambda good: chunked(*[b" " * 60_000] * 17) + b"0\r\n\r\n",
    ),
}


@pytest.mark.parametrize("case", FRAMES)
def test_a_body_whose_end_is_in_doubt_is_not_taken(lender, stock, case):
    headers, sent = FRAMES[case]
    heard = said(lender, request(lender, *headers, body=sent(event(stock))))
    assert all(400 <= status < 500 for status in answers(heard)), heard[:500]
    assert heard.count(b"application/problem+json") == len(answers(heard))


HEADERS = {
    "a line without a colon": b"nonsense",
    "no name": b": x",
    "a space before the colon": b"X-A : 1",
    "a folded line": b"X-A: 1\r\n 2",
    "NUL": b"X-A: 1\x002",
    "a bare carriage return": b"X-A: 1\r2",
    "a control character": b"X-A: \x01",
    "100,000 letters": b"X-A: " + b"x" * 100_000,
    "5,000 headers": b"\r\n".join(b"X-%d: 1" % n for n in range(5_000)),
    "two hosts": b"Host: there",
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_broken_header_ends_the_connection_and_nothing_else(lender, stock, case):
    good = b"{}"
    heard = said(lender, request(lender, b"Content-Length: 2", HEADERS[case], body=good))
    assert all(400 <= status < 500 for status in answers(heard)), heard[:500]


STARTS = [
    b"",
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /livez HTTP/9.9\r\n\r\n",
    b"get /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"CONNECT here:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"\x00" * 1_000,
    b"{}" * 1_000,
]


@pytest.mark.parametrize("start", STARTS, ids=lambda start: repr(start[:24]))
def test_what_does_not_begin_as_http_does_is_refused(lender, start):
    heard = said(lender, start)
    assert all(400 <= status < 500 for status in answers(heard)), heard[:300]
    assert b"Traceback" not in heard


NAMES = {
    "a way up": b"..%2f..%2f..%2fetc%2fpasswd",
    "a way up, not coded": b"../../../etc/passwd",
    "a way up, coded twice": b"%252e%252e%252f",
    "a way up in UTF-8 that is none": b"%c0%ae%c0%ae%c0%af",
    "a backslash": b"..%5c..%5cboot.ini",
    "NUL": b"%00",
    "NUL at the end": b"loan%00.json",
    "no UTF-8": b"%ff%fe",
    "raw bytes": b"\xff\xfe",
    "half a code": b"%2",
    "no code": b"%zz",
    "a header": b"a%0d%0aSet-Cookie:%20b=c",
    "a query": b"%3fon=2026-01-01",
    "a quote": b"'%20OR%201=1--",
    "a double quote": b"%22;DROP%20TABLE%20event",
    "a wildcard": b"%25",
    "markup": b"%3Cscript%3E",
    "a script": b"javascript:alert(1)",
    "20,000 letters": b"x" * 20_000,
    "another script": "\u0430\u0431".encode(),
    "full-width digits": b"%ef%bc%91",
    "half a pair": b"%ed%a0%80",
    "a point": b".",
    "two points": b"..",
    "a space": b"%20",
}
ONE = [path for method, path in API if method == "GET" and "{" in path]


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_is_none_is_not_found(lender, case):
    for path in [*ONE, "/loans/{name}", "/static/{name}", "/receipts/{name}"]:
        before, _, after = path.partition(path[path.index("{") : path.index("}") + 1])
        target = before.encode() + NAMES[case] + after.encode()
        heard = said(lender, request(lender, method=b"GET", target=target))
        assert answers(heard) in ([404], [400], [405]), (target[:80], heard[:300])
        assert b"application/problem+json" in heard
        assert b"\r\nSet-Cookie" not in heard
        assert b"root:" not in heard


QUERIES = [
    ("/v1/loans", b"person=%00"),
    ("/v1/decisions", b"person=a%00b"),
    ("/v1/decisions", b"score_from=99999999999999999999"),
    ("/v1/decisions", b"score_to=-9223372036854775809"),
    ("/v1/decisions", b"score_to=null"),
    ("/v1/decisions", b"overridden=maybe"),
    ("/v1/overview", b"on=0001-01-01&days=365"),
    ("/v1/overview", b"on=9999-12-31"),
    ("/v1/overview", b"days=31"),
    ("/v1/alerts", b"after=%00"),
    ("/v1/alerts", b"after=AAAA"),
    ("/find", b"q=%00"),
]
ANYWHERE = {
    "a parameter twice": b"on=2026-01-01&on=2026-01-02",
    "an unknown one": b"colour=red",
    "no date": b"on=tomorrow",
    "a date of another script": "on=\u0662\u0660\u0662\u0666-01-01".encode(),
    "a date as a number": b"on=20260101",
    "a week": b"on=2026-W01-1",
    "no UTF-8": b"on=%ff",
    "NUL": b"on=%00",
    "too long": b"on=" + b"1" * 5_000,
    "too many": b"&".join(b"a%d=1" % n for n in range(100)),
    "null": b"on=null",
}


@pytest.mark.parametrize(("path", "query"), QUERIES, ids=repr)
def test_a_value_that_no_filter_takes_is_refused(lender, path, query):
    heard = said(lender, request(lender, method=b"GET", target=path.encode() + b"?" + query))
    assert answers(heard) in ([400], [422]), heard
    assert b'"violations":[{' in heard


@pytest.mark.parametrize("case", ANYWHERE)
def test_a_query_that_will_not_do_is_refused(lender, stock, case):
    for path in ("/v1/overview", "/v1/loans", f"/v1/loans/{stock.kept('loan')}"):
        target = path.encode() + b"?" + ANYWHERE[case]
        heard = said(lender, request(lender, method=b"GET", target=target))
        assert answers(heard) in ([400], [422]), (target, heard[:400])
        assert b'"violations":[{' in heard or b"no HTTP" in heard, heard


FORMS = {
    "no UTF-8": b"note=%ff",
    "too many fields": b"&".join(b"f%d=1" % n for n in range(50)),
    "too large": b"note=" + b"x" * 20_000,
    "JSON": b'{"note":"x"}',
    "nothing": b"",
    "NUL": b"note=%00&disposition=confirmed",
    "half a pair": b"note=%ed%a0%80",
}


@pytest.mark.parametrize("case", FORMS)
def test_a_form_that_will_not_do_is_refused_and_changes_nothing(lender, stock, case):
    kind = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    cookie = lender.stranger.post("/sign-in", data={"key": lender.token}, headers=kind).cookies
    lender.stranger.cookies.clear()
    sent = {**kind, "cookie": "; ".join(f"{name}={value}" for name, value in cookie.items())}
    alert = f"/alerts/{stock.kept('alert')}"
    told = lender.stranger.post(alert, content=FORMS[case], headers=sent)
    assert 400 <= told.status_code < 500
    assert told.headers["content-type"] == "application/problem+json"
    assert lender.stranger.post("/sign-in", content=FORMS[case], headers=kind).status_code in {400, 401, 413}
    sent["content-type"] = "application/json"
    assert lender.stranger.post(alert, content=b'{"note": "x"}', headers=sent).status_code == 415
