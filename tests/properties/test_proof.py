"""What holds of every tree, note and body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.kernel import Corrupted, encode
from obligor.proof import (
    Frontier,
    commit,
    consistency,
    inclusion,
    leaf_hash,
    open_fields,
    root_of,
    salts_key,
    verify_consistency,
    verify_inclusion,
    verify_opening,
    verify_receipt,
)
from obligor.proof import verify as standalone
from tests.proof.support import SmallLog, levels_of

LEAVES = [leaf_hash(b"%d" % n) for n in range(600)]
LEVELS = levels_of(LEAVES)
SIZES = st.integers(1, len(LEAVES))
NAMES = st.text(st.sampled_from("abcxyz_"), min_size=1, max_size=5)
VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
FIELDS = st.dictionaries(
    NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=4) | st.lists(VALUES, max_size=3), max_size=6
)
PARTS = st.dictionaries(st.sampled_from(["identity", "conduct", "money", "open"]), FIELDS, max_size=4)
RECEIPT = SmallLog(12).receipt(7, 12, [("money", "amount_minor")])


def _read(level: int, index: int) -> bytes:
    return LEVELS[level][index]


def _rfc_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word: split at the largest power of two below n."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return standalone.hashlib.sha256(b"\x01" + _rfc_root(leaves[:k]) + _rfc_root(leaves[k:])).digest()


@given(SIZES)
def test_roots_follow_the_recursive_definition(size: int) -> None:
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    assert tree.root() == root_of(LEAVES[:size]) == _rfc_root(LEAVES[:size])


@given(SIZES, st.data())
def test_inclusion_proofs_hold_in_two_verifiers_and_nowhere_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = root_of(LEAVES[:size])
    proof = inclusion(index, size, _read)
    verify_inclusion(index, size, LEAVES[index], proof, root)
    texts = [standalone.base64.b64encode(hash_).decode() for hash_ in proof]
    assert standalone.root_from(index, size, LEAVES[index], texts) == root
    other = data.draw(SIZES.map(lambda n: n - 1).filter(lambda n: n != index))
    with pytest.raises(Corrupted):
        verify_inclusion(other, size, LEAVES[index], proof, root)
    with pytest.raises(Corrupted):
        verify_inclusion(index, size, LEAVES[other], proof, root)


@given(SIZES, SIZES)
def test_consistency_proofs_join_any_two_sizes(one: int, other: int) -> None:
    old, new = sorted((one, other))
    proof = consistency(old, new, _read)
    roots = root_of(LEAVES[:old]), root_of(LEAVES[:new])
    verify_consistency(old, new, proof, *roots)
    for place in range(len(proof)):
        changed = [*proof[:place], bytes(32), *proof[place + 1 :]]
        with pytest.raises(Corrupted):
            verify_consistency(old, new, changed, *roots)
    if old < new:
        with pytest.raises(Corrupted):
            verify_consistency(old, new, proof, *reversed(roots))


@given(PARTS)
def test_every_field_of_a_body_opens_and_no_other_value_does(parts: dict[str, dict[str, Any]]) -> None:
    keys = {kind: salts_key(kind.encode() * 8, "event") for kind in parts}
    root = commit(parts, keys)
    openings = open_fields(parts, keys)
    assert len({(opening.kind, opening.path) for opening in openings}) == len(openings)
    for opening in openings:
        verify_opening(root, opening)
        assert len(opening.salt) == 16


@given(PARTS, PARTS)
def test_different_bodies_have_different_commitments(one: dict[str, Any], other: dict[str, Any]) -> None:
    keys = {kind: salts_key(b"k" * 32, "event") for kind in {*one, *other}}

    def whole(parts: dict[str, Any]) -> bytes:
        return encode({kind: part for kind, part in parts.items() if part})

    assert (commit(one, keys) == commit(other, keys)) == (whole(one) == whole(other))


VALUES_INSIDE = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)


@given(VALUES_INSIDE)
def test_the_verifiers_canonical_json_is_that_of_the_kernel(value: Any) -> None:
    written = encode(value)
    assert standalone.canonical(value) == written
    assert standalone.read_json(written) == value


@given(
    st.binary(max_size=60)
    | st.binary(max_size=6).flatmap(
        lambda junk: st.integers(0, len(RECEIPT)).map(
            lambda at: RECEIPT[:at] + junk + RECEIPT[at + len(junk) :]
        )
    )
)
def test_the_verifier_answers_any_bytes_with_a_report(data: bytes) -> None:
    assert verify_receipt(data).ok == (data == RECEIPT)


@given(
    st.recursive(
        VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
    ),
    st.data(),
)
def test_the_verifier_answers_any_receipt_shape_with_a_report(value: Any, data: st.DataObject) -> None:
    receipt = json.loads(RECEIPT)
    places = [receipt, receipt["entry"], receipt["entry"]["envelope"], receipt["openings"][0]]
    place = data.draw(st.sampled_from(places))
    key = data.draw(st.sampled_from(sorted(place)))
    place[key] = value
    changed = encode(receipt)
    # A holder may leave openings out; that is what they are for.
    assert verify_receipt(changed).ok == (changed == RECEIPT or receipt["openings"] == [])
