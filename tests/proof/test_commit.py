"""Commitments to a body's fields, and single fields opened."""

import hashlib
import hmac
from dataclasses import replace
from hashlib import shake_256
from typing import Any

import pytest

from obligor.events import FieldClass
from obligor.kernel import Corrupted, InvalidInput, InvariantBroken, NotFound, encode
from obligor.proof import (
    EMPTY_ROOT,
    OPEN_KEY,
    commit,
    flatten,
    leaf_hash,
    open_fields,
    root_of,
    salts_key,
    verify_opening,
)

PARTS: dict[str, dict[str, Any]] = {
    "money": {"loan_id": "l-1", "amount_minor": 5000, "caps": ["a", "b"], "shares": []},
    "conduct": {
        "facts": {"b": 1, "a": None},
        "empty": {},
        "trace": [["rule", {"x": 1}]],
        "deep": {"in": {"x": 1}},
    },
}
KEYS = {kind: salts_key(bytes([n]) * 32, "event-1") for n, kind in enumerate(PARTS)}
ROOT = commit(PARTS, KEYS)


def test_an_object_gives_a_path_for_each_entry_and_everything_else_is_one_value() -> None:
    assert flatten(PARTS["conduct"]) == [
        ("deep.in", {"x": 1}),
        ("empty", {}),
        ("facts.a", None),
        ("facts.b", 1),
        ("trace", [["rule", {"x": 1}]]),
    ]


def test_two_fields_of_one_path_are_refused() -> None:
    with pytest.raises(InvalidInput, match="path"):
        flatten({"a.b": 1, "a": {"b": 2}})


def test_the_commitment_is_what_its_description_says() -> None:
    leaves = []
    for kind in ("conduct", "money"):
        fields = flatten(PARTS[kind])
        stream = shake_256(KEYS[kind]).digest(16 * len(fields))
        for n, (path, value) in enumerate(fields):
            leaves.append(leaf_hash(stream[16 * n : 16 * n + 16] + encode([kind, path, value, 9])))
    assert root_of(leaves) == ROOT
    assert salts_key(b"k" * 32, "event-1") == hmac.new(b"k" * 32, b"event-1", hashlib.sha256).digest()


def test_the_commitment_does_not_depend_on_the_order_of_fields_or_on_how_a_class_is_named() -> None:
    turned = {kind: dict(reversed(part.items())) for kind, part in reversed(PARTS.items())}
    assert commit(turned, KEYS) == ROOT
    assert commit({FieldClass(kind): part for kind, part in PARTS.items()}, KEYS) == ROOT


def test_a_body_without_fields_is_the_empty_tree() -> None:
    assert commit({}, {}) == EMPTY_ROOT
    assert commit({"open": {}}, {"open": OPEN_KEY}) == EMPTY_ROOT


@pytest.mark.parametrize(
    "change",
    [
        {"money": PARTS["money"] | {"amount_minor": 5001}},
        {"money": PARTS["money"] | {"amount_minor": "5000"}},
        {"money": PARTS["money"] | {"more": None}},
        {"money": {"loan_id": "l-1", "amount_minor": 5000, "caps": ["a", "b"]}},
        {"conduct": PARTS["conduct"] | {"empty": None}},
        {"conduct": PARTS["conduct"] | {"facts": {"b": 1, "a": 0}}},
    ],
)
def test_another_body_has_another_commitment(change: dict[str, Any]) -> None:
    assert commit(PARTS | change, KEYS) != ROOT


def test_another_event_or_person_has_another_commitment_to_the_same_body() -> None:
    other = {kind: salts_key(bytes([n]) * 32, "event-2") for n, kind in enumerate(PARTS)}
    assert commit(PARTS, other) != ROOT
    assert len({key for keys in (KEYS, other) for key in keys.values()}) == 4


def test_no_salt_comes_twice() -> None:
    salts = [opening.salt for opening in open_fields(PARTS, KEYS)]
    assert len(set(salts)) == len(salts) == 9
    assert all(len(salt) == 16 for salt in salts)


def test_a_class_without_a_key_stops_the_program() -> None:
    with pytest.raises(InvariantBroken, match="conduct"):
        commit(PARTS, {"money": KEYS["money"]})


def test_what_is_outside_the_canonical_profile_is_not_committed_to() -> None:
    with pytest.raises(InvalidInput):
        commit({"money": {"rate": 1.5}}, KEYS)


def test_every_field_opens_by_itself() -> None:
    openings = open_fields(PARTS, KEYS)
    assert [(opening.kind, opening.path) for opening in openings] == [
        (kind, path) for kind in ("conduct", "money") for path, _ in flatten(PARTS[kind])
    ]
    for opening in openings:
        verify_opening(ROOT, opening)


def test_wanted_fields_open_in_the_order_of_the_commitment() -> None:
    wanted = [("money", "amount_minor"), ("conduct", "facts.b"), (FieldClass.MONEY, "loan_id")]
    openings = open_fields(PARTS, KEYS, wanted)
    assert [opening.value for opening in openings] == [1, 5000, "l-1"]
    assert open_fields(PARTS, KEYS, []) == ()


def test_a_field_that_is_not_there_cannot_be_opened() -> None:
    with pytest.raises(NotFound, match="money/colour"):
        open_fields(PARTS, KEYS, [("money", "colour"), ("money", "loan_id")])


@pytest.mark.parametrize("n", range(9))
def test_an_opening_with_anything_changed_does_not_verify(n: int) -> None:
    opening = open_fields(PARTS, KEYS)[n]
    changes: list[dict[str, Any]] = [
        {"kind": "identity"},
        {"path": opening.path + "x"},
        {"value": [opening.value]},
        {"salt": bytes(16)},
        {"index": opening.index ^ 1},
        {"size": opening.size + 1},
        {"proof": opening.proof[:-1]},
        {"proof": (*opening.proof, bytes(32))},
        {"proof": (bytes(32), *opening.proof[1:])},
    ]
    for change in changes:
        changed = replace(opening, **change)
        assert changed != opening
        with pytest.raises(Corrupted):
            verify_opening(ROOT, changed)
    with pytest.raises(Corrupted):
        verify_opening(EMPTY_ROOT, opening)
