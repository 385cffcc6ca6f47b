"""Many hashes and commitments at once, against the standard library and `commit`, one by one."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from obligor.events import BODIES, FieldClass, split
from obligor.kernel import InvariantBroken, encode
from obligor.proof import EMPTY_ROOT, commit, salts_key
from obligor.proof.batch import body_roots, hmac_each, sha256_each
from obligor.proof.lanes import LANES
from tests.events.samples import sample

KINDS = sorted(kind.value for kind in FieldClass)
KEYS = {kind: salts_key(bytes([n]) * 32, "event-1") for n, kind in enumerate(KINDS)}

Parts = dict[str, dict[str, Any]]

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True)
ASCII = st.text(st.characters(max_codepoint=127), max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8"), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII, inner, max_size=4),
    max_leaves=12,
)
MANY = st.dictionaries(st.sampled_from(KINDS), st.dictionaries(NAMES, VALUES, max_size=12), max_size=4)


def _texts(parts: Parts) -> list[tuple[str, bytes, bytes]]:
    return [(kind, KEYS[kind], encode(parts[kind])) for kind in sorted(parts)]


def _agree(bodies: Sequence[Parts]) -> None:
    expected = [commit(parts, {kind: KEYS[kind] for kind in parts}) for parts in bodies]
    assert body_roots([_texts(parts) for parts in bodies]) == expected


def test_messages_of_every_length_around_a_block_have_the_hash_of_the_standard_library() -> None:
    messages = [bytes(range(256))[:length] * 2 for length in range(140)]
    assert sha256_each(messages) == [hashlib.sha256(message).digest() for message in messages]
    assert sha256_each(messages[::-1]) == [hashlib.sha256(message).digest() for message in messages[::-1]]


@given(st.lists(st.binary(max_size=400), max_size=3 * LANES))
def test_messages_that_follow_each_other_are_hashed_each_for_itself(messages: list[bytes]) -> None:
    assert sha256_each(messages) == [hashlib.sha256(message).digest() for message in messages]


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.binary(max_size=100)), max_size=20))
def test_each_message_is_authenticated_under_its_own_key(keyed: list[tuple[bytes, bytes]]) -> None:
    blocks = [key.ljust(64, b"\0") for key, _ in keyed]
    pads = [(bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)) for block in blocks]
    expected = [hmac.digest(key, message, "sha256") for key, message in keyed]
    assert hmac_each(pads, [message for _, message in keyed]) == expected


@given(st.lists(MANY, max_size=5))
@example([])
@example([{}])
@example([{"money": {}}, {}, {"money": {"a": 1}}])
@example(
    [{"conduct": {"a": {'"': 1, "\\": "}", ".": "\\"}, "a_": {"b": {"c": {}}}, "a0": {}, "aA": [{}, []]}}]
)
def test_the_commitments_of_many_bodies_are_those_of_each(bodies: list[Parts]) -> None:
    _agree(bodies)


def test_every_event_type_is_committed_to_alike() -> None:
    bodies = [split(sample(body)) for body in BODIES.values()]
    assert len(bodies) > 40
    _agree([{kind.value: part for kind, part in parts.items()} for parts in bodies])


def test_a_body_without_fields_has_the_root_of_an_empty_tree() -> None:
    assert body_roots([[], _texts({"open": {}})]) == [EMPTY_ROOT, EMPTY_ROOT]


def test_the_number_of_fields_is_committed_to_in_all_its_digits() -> None:
    _agree([{"money": {f"f{n}": n for n in range(count)}} for count in (9, 10, 11, 99, 100, 101, 1000)])


def test_a_class_that_no_field_has_is_refused() -> None:
    with pytest.raises(InvariantBroken, match="weather"):
        body_roots([[("weather", bytes(32), b'{"a":1}')]])
