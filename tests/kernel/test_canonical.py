"""Canonical bytes, and the guard on bytes that come in."""

import json
from collections import deque
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from obligor.kernel import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_INTEGER,
    InvalidInput,
    Malformed,
    TooLarge,
    digest,
    encode,
    encode_each,
    parse,
    sha256_hex,
)

BEIJING = timezone(timedelta(hours=8))


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Plain(Enum):
    ONE = 1


class Address(msgspec.Struct, frozen=True, rename="camel"):
    street_name: str
    seen_on: date


class Cat(msgspec.Struct, tag="cat"):
    lives: int


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, False, None], "B": "x"}, '{"B":"x","a":[true,false,null],"b":1}'),
        ({"": 0, "aa": 1, "a": 2, "\n": 3}, '{"":0,"\\n":3,"a":2,"aa":1}'),
        ('\b\t\n\f\r"\\/\x00\x1f\x7f€\u2028😀', '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\x7f€\u2028😀"'),
        ((1, (2,)), "[1,[2]]"),
        ({"x": {3, 1, 2}, "y": frozenset({"b", "a"})}, '{"x":[1,2,3],"y":["a","b"]}'),
        ({Colour.RED: 1, Colour.BLUE: Colour.RED}, '{"blue":"red","red":1}'),
        (Plain.ONE, "1"),
        (date(2026, 2, 28), '"2026-02-28"'),
        (datetime(2026, 2, 28, 8, 30, tzinfo=BEIJING), '"2026-02-28T00:30:00Z"'),
        (datetime(2026, 2, 28, 8, 30, 0, 5, tzinfo=UTC), '"2026-02-28T08:30:00.000005Z"'),
        (Address("Nanjing Lu", date(2026, 2, 28)), '{"seenOn":"2026-02-28","streetName":"Nanjing Lu"}'),
        (Cat(9), '{"lives":9,"type":"cat"}'),
        (MappingProxyType({"b": 1, "a": "é"}), '{"a":"é","b":1}'),
        ([MAX_INTEGER, -MAX_INTEGER, -0], "[9007199254740992,-9007199254740992,0]"),
        (_nested(MAX_DEPTH), "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH),
    ],
)
def test_a_value_has_one_sequence_of_bytes(value: Any, written: str) -> None:
    assert encode(value) == written.encode()
    assert (
        encode([value, {"x": value}] if value != _nested(MAX_DEPTH) else value).count(written.encode()) >= 1
    )


@pytest.mark.parametrize(
    ("value", "field", "accepted"),
    [
        (1.5, "$", "decimals as strings"),
        ({"a": [{"b": 0.0}]}, "a[0].b", "decimals as strings"),
        ({"a": float("nan")}, "a", "decimals as strings"),
        ({"a": MAX_INTEGER + 1}, "a", str(MAX_INTEGER)),
        ([-MAX_INTEGER - 1], "[0]", str(MAX_INTEGER)),
        ({"a": {"é": 1}}, "a", "ASCII"),
        ({"a": "é", "b": [({"ключ": 1},)]}, "b[0][0]", "ASCII"),
        ({1: 2}, "$", "ASCII"),
        ({"a": "\ud800"}, "a", "surrogates"),
        ({"a": ["x", {"b": "😀\udfff"}]}, "a[1].b", "surrogates"),
        (["\ud800"], "[0]", "surrogates"),
        ({"a": datetime(2026, 1, 1)}, "a", "zone"),  # noqa: DTZ001
        ({"a": b"bytes"}, "a", "string"),
        ({"a": Decimal("1.5")}, "a", "string"),
        ({"a": deque([1])}, "a", "array"),
        ({"a": object()}, "a", "object"),
        ({"a": {1, "x"}}, "a", "sets"),
        (Address("x" * 3, 1.5), "seenOn", "decimals as strings"),  # type: ignore[arg-type]
    ],
)
def test_what_is_outside_the_profile_is_refused_by_its_path(value: Any, field: str, accepted: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        encode(value)
    (violation,) = refusal.value.violations
    assert violation.field == field
    assert accepted in violation.accepted


def test_what_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(TooLarge):
        encode(_nested(MAX_DEPTH + 1))
    with pytest.raises(TooLarge):
        encode(_nested(100_000))


def test_a_refusal_does_not_repeat_a_persons_data_in_its_detail() -> None:
    with pytest.raises(InvalidInput) as refusal:
        encode({"income": 11400.5})
    assert "11400" not in refusal.value.detail
    assert "11400" in refusal.value.violations[0].value


def test_several_values_are_written_as_each_of_them_is() -> None:
    values = [1, "é", [None], {"b": 1, "a": Colour.RED}, date(2026, 1, 1), Cat(1), MappingProxyType({"a": 1})]
    assert encode_each(values) == [encode(value) for value in values]
    assert encode_each(values[:4]) == [encode(value) for value in values[:4]]
    with pytest.raises(InvalidInput):
        encode_each([1, 2.5])


def test_the_digest_is_that_of_the_canonical_bytes() -> None:
    assert digest({"b": 1, "a": 2}) == sha256_hex(b'{"a":2,"b":1}')
    # echo -n '{"a":2,"b":1}' | sha256sum
    assert digest({"b": 1, "a": 2}) == "d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772"


# ---- vectors of the specification


@pytest.mark.parametrize("name", ["arrays", "unicode"])
def test_vectors_of_rfc_8785_within_the_profile_are_met(shared: Path, name: str) -> None:
    vectors = shared / "vectors" / "jcs"
    value = parse((vectors / "input" / f"{name}.json").read_bytes())
    assert encode(value) == (vectors / "output" / f"{name}.json").read_bytes()
    assert encode(value).hex() == "".join((vectors / "outhex" / f"{name}.txt").read_text().split())


@pytest.mark.parametrize(
    ("name", "field", "accepted"),
    [
        ("french", "$", "ASCII"),
        ("structures", "1.\n", "decimals as strings"),
        ("values", "numbers[0]", "decimals as strings"),
        ("weird", "$", "ASCII"),
    ],
)
def test_vectors_of_rfc_8785_outside_the_profile_are_refused_clearly(
    shared: Path, name: str, field: str, accepted: str
) -> None:
    value = parse((shared / "vectors" / "jcs" / "input" / f"{name}.json").read_bytes())
    with pytest.raises(InvalidInput) as refusal:
        encode(value)
    assert refusal.value.violations[0].field == field
    assert accepted in refusal.value.violations[0].accepted


def test_the_escapes_of_a_vector_that_is_outside_for_its_numbers_are_met(shared: Path) -> None:
    vectors = shared / "vectors" / "jcs"
    text = parse((vectors / "input" / "values.json").read_bytes())["string"]
    assert b'"string":' + encode(text) in (vectors / "output" / "values.json").read_bytes()


# ---- the guard


def test_good_bytes_are_read_as_they_are() -> None:
    text = '{"a":[1,-2,true,null,"é\\u00e9😀\\ud83d\\ude02"],"b":{"c":"12.34"},"id":"110101199003070011"}'
    data = text.encode()
    assert parse(data) == json.loads(data)
    assert parse(b" 7 ") == 7


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}{}",
        b"{'a':1}",
        b'{"a":1,}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"\\uDFFF":1}',
        b'{"a":"line\nbreak"}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":-1e999}',
        b'{"a":01}',
        "{}".encode("utf-16"),
    ],
)
def test_what_is_no_json_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        parse(data)
    assert refusal.value.violations[0].accepted


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"x":[{"k":1,"\\u006b":2}]}', "k"),
        (b'{"a":9007199254740993}', "a"),
        (b'{"a":[0,-99999999999999999999]}', "a[1]"),
        (b'{"a":' + b"9" * 5000 + b"}", "$"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(data: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(data)
    assert refusal.value.violations[0].field == field


def test_bytes_over_the_limit_are_too_large() -> None:
    assert parse(b'"' + b"a" * (MAX_BYTES - 2) + b'"')
    with pytest.raises(TooLarge) as refusal:
        parse(b'"' + b"a" * (MAX_BYTES - 1) + b'"')
    assert str(MAX_BYTES) in refusal.value.violations[0].accepted
    with pytest.raises(TooLarge):
        parse(b"[1,2]", max_bytes=4)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_ten_thousand_levels_are_too_deep(opening: bytes) -> None:
    with pytest.raises(TooLarge) as refusal:
        parse(opening * 10_000)
    assert str(MAX_DEPTH) in refusal.value.violations[0].accepted


def test_brackets_beside_one_another_or_within_strings_are_not_depth() -> None:
    assert len(parse(b"[" + b",".join([b"[]"] * 1000) + b"]")) == 1000
    assert parse(b'{"a":"' + b"[{" * 1000 + b'\\"[[","b":["' + b"[" * 40 + b'\\\\"]}')["a"].endswith('"[[')
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    with pytest.raises(TooLarge):
        parse(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
