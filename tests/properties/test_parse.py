"""The fast way to read JSON from outside gives what the careful one gives, or leaves it to that."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from obligor.kernel import ObligorError, canonical, parse

# Pieces of JSON and of what is nearly JSON; most lists of them are refused, and both ways must say the same.
PIECES = st.sampled_from(
    [
        *(b'"', b":", b",", b"{", b"}", b"[", b"]", b"\\", b" ", b"\n", b"\t"),
        *(b'"a":', b'"a" :', b'"b":1', b'{"a":1', b'\\"', b'"x\\":y"', b"u0061", b"\\u0061", b"\\ud83d"),
        *(b"1", b"-0", b"0.5", b"1e9", b"1e999", b"9007199254740993", b"true", b"null", b"NaN"),
        *("é".encode(), b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6) | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def outcome(data: bytes) -> tuple[str, str]:
    """What becomes of bytes: the value as text, for 1 and 1.0 are two, or the refusal with all it says."""
    try:
        return "value", repr(parse(data))
    except ObligorError as error:
        return type(error).__name__, f"{error} {getattr(error, 'violations', ())}"


def careful(data: bytes) -> tuple[str, str]:
    def unable(_data: bytes) -> Any:
        raise msgspec.DecodeError

    fast = canonical._DECODE
    canonical._DECODE = unable
    try:
        return outcome(data)
    finally:
        canonical._DECODE = fast


@given(pieces=st.lists(PIECES, max_size=10), within=st.booleans())
@example([b'"a":1,"a":2'], True)
@example([b'"a" :1,"a":2,"b":"\\":"'], True)
@example([b'"a":{"b":1,"b":2},"c":"\\":"'], True)
@settings(max_examples=600)
def test_both_ways_take_and_refuse_the_same(pieces: list[bytes], within: bool) -> None:
    data = b"".join(pieces)
    data = b"{" + data + b"}" if within else data
    assert outcome(data) == careful(data)


@given(value=VALUES, ascii_only=st.booleans(), tight=st.booleans())
def test_both_ways_read_the_same_value(value: Any, ascii_only: bool, tight: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":") if tight else None).encode()
    assert outcome(data) == careful(data) == ("value", repr(value))


def test_a_body_as_clients_send_it_goes_the_fast_way(monkeypatch) -> None:
    monkeypatch.setattr(canonical, "_READ", None)
    sent = {"person": {"reference": "c"}, "fields": {"a": 1, "b": None}, "consents": ["x"], "note": 'é: "x"'}
    assert parse(json.dumps(sent).encode()) == sent
