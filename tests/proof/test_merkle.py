"""The tree: roots of RFC 6962, proofs both ways, and what they refuse."""

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from obligor.kernel import Corrupted, InvalidInput
from obligor.proof import (
    EMPTY_ROOT,
    Frontier,
    consistency,
    inclusion,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.proof.support import levels_of

LEAVES = [leaf_hash(b"%d" % n) for n in range(40)]
LEVELS = levels_of(LEAVES)
ROOTS = [root_of(LEAVES[:n]) for n in range(len(LEAVES) + 1)]


def _read(level: int, index: int) -> bytes:
    return LEVELS[level][index]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root() == root_of([]) == EMPTY_ROOT


# github.com/google/certificate-transparency, merkle tree reference: leaves and roots of sizes 1 to 8.
REFERENCE_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
REFERENCE_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_those_of_the_certificate_transparency_reference_tree() -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in REFERENCE_LEAVES]
    assert [root_of(leaves[: n + 1]).hex() for n in range(8)] == REFERENCE_ROOTS
    tree = Frontier()
    for leaf, root in zip(leaves, REFERENCE_ROOTS, strict=True):
        tree.append(leaf)
        assert tree.root().hex() == root


def test_a_tree_goes_on_from_what_was_kept_of_it() -> None:
    tree = Frontier()
    for n, leaf in enumerate(LEAVES):
        tree = Frontier(tree.size, tree.peaks)
        tree.append(leaf)
        assert (tree.size, tree.root()) == (n + 1, ROOTS[n + 1])


def test_leaves_added_together_make_the_tree_of_leaves_added_one_by_one() -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(70)]
    for start in range(35):
        for count in range(36):
            tree = Frontier()
            for leaf in leaves[:start]:
                tree.append(leaf)
            tree.extend(leaves[start : start + count])
            assert (tree.size, tree.root()) == (start + count, root_of(leaves[: start + count]))
            assert Frontier(tree.size, tree.peaks).root() == tree.root()


@pytest.mark.parametrize(("size", "peaks"), [(1, 0), (2, 2), (-1, 1), (0, 1)])
def test_a_tree_does_not_go_on_from_half_of_it(size: int, peaks: int) -> None:
    with pytest.raises(InvalidInput):
        Frontier(size, [b"\0" * 32] * peaks)


def test_a_hash_of_another_length_is_no_peak() -> None:
    with pytest.raises(InvalidInput):
        Frontier(1, [b"\0" * 31])


def test_every_proof_of_every_small_tree_holds_and_none_holds_for_another_place() -> None:
    for size in range(1, 20):
        for index in range(size):
            proof = inclusion(index, size, _read)
            verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])
            for other in range(size):
                if other != index:
                    with pytest.raises(Corrupted):
                        verify_inclusion(other, size, LEAVES[index], proof, ROOTS[size])
        for old in range(1, size + 1):
            path = consistency(old, size, _read)
            verify_consistency(old, size, path, ROOTS[old], ROOTS[size])
            for other in set(range(1, size + 1)) - {old}:
                with pytest.raises(Corrupted):
                    verify_consistency(other, size, path, ROOTS[old], ROOTS[size])


def test_only_complete_nodes_are_read() -> None:
    for size in (1, 5, 6, 7, 33, 40):

        def read(level: int, index: int, size: int = size) -> bytes:
            assert (index + 1) << level <= size
            return _read(level, index)

        for index in range(size):
            inclusion(index, size, read)
            consistency(index + 1, size, read)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(InvalidInput):
        inclusion(index, size, _read)


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (-1, 5), (0, 0)])
def test_nothing_is_consistent_with_the_empty_tree_or_a_shorter_one(old: int, new: int) -> None:
    with pytest.raises(InvalidInput):
        consistency(old, new, _read)
    with pytest.raises(Corrupted):
        verify_consistency(old, new, [], ROOTS[max(old, 0)], ROOTS[max(new, 0)])


# ---- vectors


def _bytes(case: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(case[name])


def _proof(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(hash_) for hash_ in case["proof"] or []]


def _cases(shared: Path, name: str) -> list[dict[str, Any]]:
    text = (shared / "vectors" / "merkle" / f"{name}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_all_inclusion_vectors_of_transparency_dev_agree(shared: Path) -> None:
    seen = Counter()
    for case in _cases(shared, "inclusion"):
        leaf, root = _bytes(case, "leafHash"), _bytes(case, "root")
        try:
            verify_inclusion(case["leafIdx"], case["treeSize"], leaf, _proof(case), root)
            failed = False
        except Corrupted:
            failed = True
        assert failed == case["wantErr"], case["_file"]
        seen[failed] += 1
    assert seen == {True: 92, False: 6}


def test_all_consistency_vectors_of_transparency_dev_agree(shared: Path) -> None:
    seen = Counter()
    for case in _cases(shared, "consistency"):
        roots = _bytes(case, "root1"), _bytes(case, "root2")
        try:
            verify_consistency(case["size1"], case["size2"], _proof(case), *roots)
            failed = False
        except Corrupted:
            failed = True
        assert failed == case["wantErr"], case["_file"]
        seen[failed] += 1
    assert seen == {True: 92, False: 6}
