"""The log: leaf index = place, tiles, checkpoints, proofs, and what can be opened."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from obligor.journal import origin
from obligor.journal.tree import LogTree
from obligor.kernel import InvariantBroken, NotFound, encode
from obligor.proof import (
    EMPTY_ROOT,
    Checkpoint,
    commit,
    entry_bytes,
    leaf_hash,
    open_note,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.journal.support import SIGNER, TENANT, cap, command, erased, fee, house, party


def _leaf(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8)).digest()


class Tiles:
    """Tiles and leaves, as a store keeps them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], bytes] = {}
        self.leaves: list[bytes] = []

    def read(self, level: int, position: int, width: int) -> bytes:
        if level == 0:
            return b"".join(self.leaves[256 * position : 256 * position + width])
        return self.rows.get((level, position), b"")[: 32 * width]


def _grow(tree: LogTree, tiles: Tiles, upto: int) -> None:
    for number in range(tree.size, upto):
        tiles.leaves.append(_leaf(number))
        tree.append(_leaf(number))
    for row in tree.take_tiles():
        tiles.rows[row.level, row.position] = row.hashes


@pytest.mark.parametrize(
    "sizes", [[0, 1, 2, 3], [255, 256, 257], [511, 512, 513, 1000], [65535, 65536, 65537, 66001]]
)
def test_a_tree_is_the_same_whether_grown_or_loaded_from_its_tiles(sizes: list[int]) -> None:
    tree, tiles = LogTree(TENANT), Tiles()
    for size in sizes:
        _grow(tree, tiles, size)
        assert tree.root() == root_of(tiles.leaves)
        tree = LogTree.load(TENANT, size, tiles.read)
        assert (tree.size, tree.root()) == (size, root_of(tiles.leaves))


def test_an_older_size_is_loaded_from_tiles_that_have_grown() -> None:
    tree, tiles = LogTree(TENANT), Tiles()
    _grow(tree, tiles, 70_000)
    for size in (1, 256, 300, 65_536, 65_900, 69_999):
        assert LogTree.load(TENANT, size, tiles.read).root() == root_of(tiles.leaves[:size])


def test_a_missing_tile_is_noticed() -> None:
    tree, tiles = LogTree(TENANT), Tiles()
    _grow(tree, tiles, 600)
    del tiles.rows[1, 0]
    with pytest.raises(InvariantBroken, match="tile 1/0"):
        LogTree.load(TENANT, 600, tiles.read)


def test_every_group_is_covered_by_a_signed_checkpoint(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        empty = Checkpoint.parse(open_note(h.journal.checkpoint(TENANT), [SIGNER.verifier]).text)
        assert (empty.size, empty.root) == (0, EMPTY_ROOT)
        for size in (1, 2, 3):
            h.do(fee("l1", size))
            signed = Checkpoint.parse(open_note(h.journal.checkpoint(TENANT), [SIGNER.verifier]).text)
            leaves = [entry.leaf for entry in h.journal.reader().entries(TENANT)]
            assert signed == Checkpoint(origin("bank.example", TENANT), size, root_of(leaves))
            assert h.journal.size(TENANT) == size
    with house(tmp_path, store=store) as h:
        sizes = [
            Checkpoint.parse(open_note(note, [SIGNER.verifier]).text).size
            for note in h.journal.reader().checkpoints(TENANT)
        ]
        assert sizes == [1, 2, 3]
        assert len(h.journal.reader().checkpoints(TENANT, last=1)) == 1


def test_every_entry_is_included_and_every_size_extends_every_smaller_one(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.journal.submit_many([command(fee(f"l{n}", n)) for n in range(1, 301)]).result(30)
        reader = h.journal.reader()
        leaves = [entry.leaf for entry in reader.entries(TENANT)]
        size, root = 300, root_of(leaves)
        for index in (0, 1, 127, 254, 255, 256, 257, 298, 299):
            verify_inclusion(index, size, leaves[index], reader.inclusion(TENANT, index, size), root)
            verify_inclusion(
                index,
                index + 1,
                leaves[index],
                reader.inclusion(TENANT, index, index + 1),
                root_of(leaves[: index + 1]),
            )
        for old in (1, 2, 255, 256, 257, 299, 300):
            proof = reader.consistency(TENANT, old, size)
            verify_consistency(old, size, proof, root_of(leaves[:old]), root)


def test_a_leaf_commits_to_envelope_body_and_ciphertext(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1", name="Wei", phone="138"), cap("c", 5))
        reader = h.journal.reader()
        for known_seq in (0, 1):
            entry = reader.entry(TENANT, known_seq)
            data = entry_bytes(entry.envelope, entry.body_root, hashlib.sha256(entry.sealed).digest())
            assert leaf_hash(data) == entry.leaf == entry.computed_leaf()
            opened = reader.opened(TENANT, reader.at(TENANT, known_seq).id)
            assert commit(opened.parts, opened.salt_keys) == entry.body_root
        with pytest.raises(NotFound):
            reader.entry(TENANT, 2)
        with pytest.raises(NotFound):
            reader.opened(TENANT, "nothing")


def test_commitments_of_equal_bodies_differ_and_cannot_be_made_without_the_key(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5), fee("l1", 5))
        h.do(party("p1", name="Wei"))
        reader = h.journal.reader()
        roots = {reader.entry(TENANT, known_seq).body_root for known_seq in (0, 1)}
        assert len(roots) == 2
        h.do(erased("p1"))
        opened = reader.opened(TENANT, reader.at(TENANT, 2).id)
        assert sorted(opened.parts) == sorted(opened.salt_keys) == ["money"]
        assert commit(opened.parts, opened.salt_keys) != reader.entry(TENANT, 2).body_root


def test_envelopes_are_canonical(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5, source_ref="ab", cause="é\n", replaces='"'))
        entry = h.journal.reader().entry(TENANT, 0)
        event = h.journal.reader().at(TENANT, 0)
    fields = {
        name: getattr(event, name) for name in event.__struct_fields__ if name not in {"body", "erased"}
    }
    assert entry.envelope == encode(fields)
