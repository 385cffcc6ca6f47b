"""Hostile bytes to every route that writes: each is told what is wrong, at once, and nothing is written."""

import gzip
import json
import time

import pytest

from obligor.web.body import JSON_BYTES
from tests.app.conftest import application

# Of the processor, which is shared with whatever else runs here; a wall clock would measure that as well.
# Of the processor: for a request, and for each line more that it has.
SECONDS_MOST, SECONDS_A_LINE = 2.0, 0.0005


def event(stock, **more):
    fee = {"loan_id": stock.kept("loan"), "kind": "late", "amount_minor": 1, "currency": "CNY"}
    return {"type": "fee.charged", "source": "hostile", "source_ref": stock.new("ref"), "body": fee} | more


# A route, a request that it takes, and the path of an integer, an id, a text and a time in it.
ROUTES = {
    "/v1/applications": (
        lambda stock: application(
            person={"reference": stock.new("person"), "name": "A", "born_on": "1990-01-31"}
        ),
        {
            "integer": "term_months",
            "id": "channel",
            "text": "person.name",
            "time": "at",
            "date": "person.born_on",
        },
    ),
    "/v1/drawdowns": (
        lambda stock: {
            "application_id": stock.kept("signed"),
            "amount_minor": 1_000,
            "currency": "CNY",
            "payee": "A",
            "at": "2026-01-06T12:00:00Z",
        },
        {"integer": "amount_minor", "id": "application_id", "text": "payee", "time": "at"},
    ),
    "/v1/events": (
        lambda stock: event(stock, at="2026-02-01T12:00:00Z"),
        {"integer": "body.amount_minor", "id": "body.loan_id", "text": "source_ref", "time": "at"},
    ),
    "/v1/models": (
        lambda stock: {"version": "h", "model": stock.model, "known_on": "2026-01-01"},
        {"integer": "model.base", "id": "version", "date": "known_on"},
    ),
}
EACH = [pytest.param(path, id=path.rpartition("/")[2]) for path in ROUTES]

VALUES = {
    "integer": {
        "NaN": "NaN",
        "infinite": "Infinity",
        "infinite and negative": "-Infinity",
        "1e999": "1e999",
        "a fraction": "1.5",
        "a fraction of 0": "1.0",
        "an exponent": "1e3",
        "a leading zero": "01",
        "a plus": "+1",
        "hexadecimal": "0x10",
        "2^53 + 1": str(2**53 + 1),
        "2^63": str(2**63),
        "-2^63 - 1": str(-(2**63) - 1),
        "2^64": str(2**64),
        "4,000 digits": "9" * 4_000,
        "a text": '"1"',
        "another script's digits": '"\u0661\u0662"',
        "true": "true",
        "null": "null",
        "an array": "[1]",
        "an object": '{"a":1}',
    },
    "id": {
        "empty": '""',
        "129 letters": json.dumps("x" * 129),
        "100,000 letters": json.dumps("x" * 100_000),
        "a line end": r'"a\n"',
        "a header": r'"a\r\nSet-Cookie: b=c"',
        "NUL": r'"a\u0000"',
        "another script": '"\u0430\u0431"',
        "full-width digits": '"\uff11\uff12"',
        "a space": '"a b"',
        "a percent": '"%2e%2e"',
        "markup": '"<script>"',
        "a number": "1",
        "an array": '["a"]',
    },
    "text": {
        "NUL": r'"a\u0000b"',
        "half a pair": r'"\ud800"',
        "the other half": r'"\udc00"',
        "halves the wrong way round": r'"\udc00\ud800"',
        "501 letters": json.dumps("x" * 501),
        "a number": "1",
        "an object": "{}",
    },
    "time": {
        "no zone": '"2026-01-05T10:00:00"',
        "a day": '"2026-01-05"',
        "a number": "1767578400",
        "the year 9999": '"9999-12-31T23:59:59Z"',
        "the year 0000": '"0000-01-01T00:00:00Z"',
        "the year 10000": '"10000-01-01T00:00:00Z"',
        "the year 1899": '"1899-12-31T23:59:59Z"',
        "30 February": '"2026-02-30T00:00:00Z"',
        "the 25th hour": '"2026-01-05T25:00:00Z"',
        "a leap second": '"2026-12-31T23:59:60Z"',
        "a zone of 99 hours": '"2026-01-05T10:00:00+99:99"',
        "another script's digits": '"\u0662\u0660\u0662\u0666-01-05T10:00:00Z"',
        "words": '"yesterday"',
    },
    "date": {
        "a time": '"2026-01-05T10:00:00Z"',
        "the year 9999": '"9999-12-31"',
        "30 February": '"2026-02-30"',
        "no dashes": '"20260105"',
        "a week": '"2026-W01-1"',
        "a number": "20260105",
    },
}
FIELDS = [
    pytest.param(path, kind, case, id=f"{path.rpartition('/')[2]}-{kind}-{case}")
    for path, (_, places) in ROUTES.items()
    for kind in places
    for case in VALUES[kind]
]


def written(good, place, text):
    """A good request's bytes with other bytes in one place."""
    copied = json.loads(json.dumps(good))
    *way, last = place.split(".")
    inner = copied
    for name in way:
        inner = inner[name]
    inner[last] = "@@"
    return json.dumps(copied).replace('"@@"', text).encode("utf-8", "surrogatepass")


@pytest.fixture
def send(lender, stock):
    """Send bytes and see the refusal; after the last of them, nothing was written and good requests work."""
    for kind in ("loan", "signed", "unpaid"):
        stock.kept(kind)
    before = lender.size()

    def post(path, body, **headers):
        sent = {"content-type": "application/json"} | {n.replace("_", "-"): v for n, v in headers.items()}
        began = time.process_time()
        answer = lender.http.post(path, content=body, headers=sent)
        assert time.process_time() - began < SECONDS_MOST + SECONDS_A_LINE * body.count(b"\n")
        return answer

    yield post
    assert lender.size() == before
    assert post("/v1/events", json.dumps(event(stock)).encode()).status_code == 201


def refused(answer, *statuses):
    """The problem that an answer is, with what was wrong by field."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert len(answer.content) < 20_000
    return {one["field"]: one for one in told.get("violations", ())}


@pytest.mark.parametrize(("path", "kind", "case"), FIELDS)
def test_a_value_that_will_not_do_is_named_by_its_field(send, stock, path, kind, case):
    make, places = ROUTES[path]
    found = refused(send(path, written(make(stock), places[kind], VALUES[kind][case])), 400, 422)
    assert places[kind] in found or "$" in found, found
    assert all(one["accepted"] for one in found.values())


WHOLE = {
    "empty": lambda good: b"",
    "a space": lambda good: b" ",
    "null": lambda good: b"null",
    "true": lambda good: b"true",
    "a number": lambda good: b"1",
    "a text": lambda good: b'"x"',
    "an empty array": lambda good: b"[]",
    "an empty object": lambda good: b"{}",
    "an array of it": lambda good: b"[%b]" % good,
    "it twice": lambda good: good + good,
    "it and more": lambda good: good + b"x",
    "it cut off": lambda good: good[:-1],
    "a comma too many": lambda good: good[:-1] + b",}",
    "a comment": lambda good: b"/* */" + good,
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "UTF-32": lambda good: good.decode().encode("utf-32-le"),
    "no UTF-8": lambda good: good[:-1] + b',"x":"\xff"}',
    "an overlong NUL": lambda good: good[:-1] + b',"x":"\xc0\x80"}',
    "a coded half pair": lambda good: good[:-1] + b',"x":"\xed\xa0\x80"}',
    "a raw NUL": lambda good: good[:-1] + b',"x":"\x00"}',
    "a raw line end": lambda good: good[:-1] + b',"x":"\n"}',
    "a key twice": lambda good: good[:-1] + b",%b}" % good[1 : good.index(b",")],
    "an unknown field": lambda good: good[:-1] + b',"colour":"red"}',
    "a field that objects have": lambda good: good[:-1] + b',"__proto__":{},"constructor":{}}',
    "a key that is no ASCII": lambda good: good[:-1] + ',"\u00e9":1}'.encode(),
    "a key of 100,000 letters": lambda good: good[:-1] + b',"%b":1}' % (b"x" * 100_000),
    "50,000 unknown fields": lambda good: good[:-1] + b"".join(b',"f%d":1' % n for n in range(50_000)) + b"}",
    "10,000 arrays": lambda good: good[:-1] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "10,000 objects": lambda good: good[:-1] + b',"x":' + b'{"x":' * 10_000 + b"1" + b"}" * 10_001,
    "10,000 arrays begun": lambda good: b"[" * 10_000,
    "a byte too many": lambda good: good + b" " * (JSON_BYTES + 1 - len(good)),
    "10 MB": lambda good: b" " * 10_000_000,
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("path", EACH)
def test_a_body_that_will_not_do_is_refused_whole(send, stock, path, case):
    good = json.dumps(ROUTES[path][0](stock)).encode()
    answer = send(path, WHOLE[case](good))
    found = refused(answer, 400, 413, 422)
    large = case in {"a byte too many", "10 MB"} or case.startswith("10,000")
    assert (answer.status_code == 413) == large, found
    assert found


@pytest.mark.parametrize("path", EACH)
def test_unknown_fields_are_refused_at_each_level(send, stock, path):
    def levels(value, way=""):
        if isinstance(value, dict):
            yield way, value
            for name in list(value):
                yield from levels(value[name], f"{way}{name}.")

    good = ROUTES[path][0](stock)
    for way, _ in list(levels(good)):
        if way == "fields.":
            continue  # whatever a strategy may ask about
        changed = json.loads(json.dumps(good))
        inner = changed
        for name in way.split(".")[:-1]:
            inner = inner[name]
        inner["colour"] = "red"
        assert f"{way}colour" in refused(send(path, json.dumps(changed).encode()), 422)


TYPES = [
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    "application/json; boundary=x",
    "application/json, text/plain",
    "application/vnd.api+json",
    "application/jsonx",
    "application/*",
    "*/*",
    "application",
    "",
]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("path", EACH)
def test_another_type_of_body_is_not_looked_at(send, stock, path, kind):
    good = json.dumps(ROUTES[path][0](stock)).encode()
    assert "Content-Type" in refused(send(path, good, content_type=kind), 415)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"])
@pytest.mark.parametrize("path", EACH)
def test_a_compressed_body_is_not_unpacked(send, stock, path, coding):
    good = gzip.compress(json.dumps(ROUTES[path][0](stock)).encode())
    assert "Content-Encoding" in refused(send(path, good, content_encoding=coding), 415)


KEYS = ["", " ", '"', '""', '"x', 'x"', 'x"y', "a b", "x" * 256, f'"{"x" * 256}"', "\u00e9", "\t"]


@pytest.mark.parametrize("key", KEYS, ids=ascii)
@pytest.mark.parametrize("path", [path for path in ROUTES if path != "/v1/models"])
def test_an_idempotency_key_that_is_none_is_refused(send, stock, path, key):
    good = json.dumps(ROUTES[path][0](stock)).encode()
    sent = key.strip(" \t").encode("utf-8")
    assert "Idempotency-Key" in refused(send(path, good, idempotency_key=sent), 422)


LINES = {
    "no line": (b"", ["$"]),
    "an empty line": (b"\n", 1),
    "a blank line": (b" \n", 1),
    "lines of nothing": (b"\n" * 100, 100),
    "no JSON": (b"{\n[\n\xff\n\xef\xbb\xbf{}\n", 4),
    "scalars": (b'null\n1\n"x"\n[]\n{}\n', 5),
    "deep": (b"[" * 10_000 + b"\n" + b'{"x":' * 10_000 + b"\n", 2),
    "other ends of lines": (b"{}\r\n{}\r{}\n", 2),
    "a line that is too long": (b" " * (JSON_BYTES + 1), ["line 1"]),
    "lines without end": (b"\n" * 10_001, ["$"]),
}


@pytest.mark.parametrize("case", LINES)
def test_lines_that_will_not_do_are_refused_one_by_one(send, case):
    body, expected = LINES[case]
    answer = send("/v1/events", body, content_type="application/x-ndjson")
    if isinstance(expected, list):
        assert list(refused(answer, 413, 422)) == expected
        return
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["line"] for line in told] == list(range(1, expected + 1))
    assert {line["status"] for line in told} == {"refused"}
    assert all(line["problem"]["violations"] for line in told)


@pytest.mark.parametrize(
    ("kind", "changes", "status", "field"),
    [
        ("fee.charged", {"currency": "EUR"}, 422, "body.currency"),
        ("fee.charged", {"kind": "early"}, 422, "body.kind"),
        ("fee.charged", {"amount_minor": 50_001}, 422, "body.amount_minor"),
        ("fee.charged", {"charged_on": "2025-12-31"}, 409, "body.charged_on"),
        ("recovery.received", {"cost_minor": 2}, 422, "body.cost_minor"),
        ("loan.disbursed", {"shares": [{"partner": "P-01", "share_bp": 1}]}, 422, "body.shares"),
    ],
)
def test_a_value_that_does_not_fit_the_loan_is_named_by_its_field(send, stock, kind, changes, status, field):
    loan = stock.kept("unpaid" if kind == "loan.disbursed" else "loan")
    body = {"loan_id": loan} if kind == "loan.disbursed" else event(stock)["body"]
    if kind == "recovery.received":
        body.pop("kind")
    sent = event(stock) | {"type": kind, "body": {**body, **changes}}
    assert field in refused(send("/v1/events", json.dumps(sent).encode()), status)
