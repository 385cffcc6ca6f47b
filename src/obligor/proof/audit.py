"""The audit: everything the log says of itself, computed anew, up to the first entry that fails.

Each entry is hashed from what is kept of it, compared with its stored leaf and with the tiles, and the tree
that grows from that has to pass through the root of every signed checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from obligor.kernel import Corrupted, Refusal
from obligor.proof.checkpoint import Checkpoint
from obligor.proof.commit import commit
from obligor.proof.entry import StoredEntry
from obligor.proof.merkle import HASH_BYTES, Frontier
from obligor.proof.note import Verifier, open_note
from obligor.proof.tiles import TILE_HEIGHT, TILE_WIDTH, ReadTile, tile_path

__all__ = ["AuditReport", "Unsealed", "audit"]

# A body's parts and the keys of its salts, by class, for an entry whose keys are all there; else None.
Unsealed = tuple[Mapping[Any, Mapping[str, Any]], Mapping[Any, bytes]]
Unseal = Callable[[StoredEntry], Unsealed | None]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was seen. `first_bad` is the `known_seq` of the first entry that fails, `why` says how.

    `bodies` of the entries had their commitment computed from the decrypted body; of `erased` ones the keys
    are gone, and the commitment stands by itself. `unsigned` entries came after the last checkpoint.
    """

    ok: bool
    entries: int
    first_bad: int | None
    why: str
    checkpoints_checked: int
    root: bytes
    unsigned: int = 0
    bodies: int = 0
    erased: int = 0


class _Bad(Exception):
    def __init__(self, first_bad: int | None, why: str) -> None:
        super().__init__(why)
        self.first_bad = first_bad
        self.why = why


def audit(
    entries: Iterable[StoredEntry],
    checkpoints: Iterable[str],
    verifier: Verifier,
    *,
    tiles: ReadTile | None = None,
    unseal: Unseal | None = None,
) -> AuditReport:
    """Audit one tenant's log: its entries in order from 0, and its checkpoints in any order.

    `tiles` reads the stored tiles; `unseal` gives a body's parts and salt keys, or None if a key was erased.
    Nothing is raised for a bad log: the report names the first entry that fails, or None where it is the
    checkpoints that do.
    """
    look = _Audit(verifier, tiles, unseal)
    try:
        look.read_checkpoints(checkpoints)
        look.read_entries(entries)
        look.finish()
    except _Bad as bad:
        return look.report(bad)
    return look.report(None)


class _Tree:
    """The tree by tile levels: of each the hashes of the tile that is being filled, and the tree over them.

    Every node is hashed once: a full tile's root is a leaf of the level above.
    """

    def __init__(self, check_tile: Callable[[int, int, list[bytes]], None]) -> None:
        self.size = 0
        self._check_tile = check_tile
        self._hashes: list[list[bytes]] = [[]]
        self._trees = [Frontier()]

    def append(self, hash_: bytes) -> None:
        self.size += 1
        hashes = self._hashes[0]
        hashes.append(hash_)
        if len(hashes) == TILE_WIDTH:
            self._fill()

    def _fill(self) -> None:
        """The lowest tile is full, and perhaps some above it."""
        level = 0
        while len(self._hashes[level]) == TILE_WIDTH:
            hashes = self._hashes[level]
            self._check_tile(level, (self.size >> TILE_HEIGHT * (level + 1)) - 1, hashes)
            root = self._grown(level).root()
            self._hashes[level], self._trees[level] = [], Frontier()
            level += 1
            if level == len(self._trees):
                self._hashes.append([])
                self._trees.append(Frontier())
            self._hashes[level].append(root)

    def _grown(self, level: int) -> Frontier:
        """The tree over the hashes of the tile that is being filled: it grows when it is asked for."""
        tree = self._trees[level]
        tree.extend(self._hashes[level][tree.size :])
        return tree

    def check_edges(self) -> None:
        """Compare what no tile has been filled with yet."""
        for level, hashes in enumerate(self._hashes):
            self._check_tile(level, self.size >> TILE_HEIGHT * (level + 1), hashes)

    def root(self) -> bytes:
        levels = range(len(self._trees) - 1, -1, -1)
        peaks = [peak for level in levels for peak in self._grown(level).peaks]
        return Frontier(self.size, peaks).root()


class _Audit:
    def __init__(self, verifier: Verifier, tiles: ReadTile | None, unseal: Unseal | None) -> None:
        self._verifier = verifier
        self._tiles = tiles
        self._unseal = unseal
        self._tree = _Tree(self._check_tile)
        self._roots: dict[int, set[bytes]] = {}
        self._trusted = 0
        self._checked = self._bodies = self._erased = 0

    def read_checkpoints(self, notes: Iterable[str]) -> None:
        origins = set()
        for number, note in enumerate(notes):
            try:
                found = Checkpoint.parse(open_note(note, [self._verifier]).text)
            except Corrupted as error:
                raise _Bad(None, f"checkpoint {number} (counted from 0): {error.detail}") from None
            origins.add(found.origin)
            self._roots.setdefault(found.size, set()).add(found.root)
            self._checked += 1
        if len(origins) > 1:
            raise _Bad(None, "checkpoints of more than one log: " + ", ".join(sorted(origins)))
        self._pass_checkpoint()

    def read_entries(self, entries: Iterable[StoredEntry]) -> None:
        tree, roots = self._tree, self._roots
        for place, entry in enumerate(entries):
            self._check_entry(place, entry)
            tree.append(entry.leaf)
            if place + 1 in roots:
                self._pass_checkpoint()

    def _check_entry(self, place: int, entry: StoredEntry) -> None:
        if entry.known_seq != place:
            raise _Bad(place, f"entry {place} is not there: the next is {entry.known_seq}")
        # In canonical JSON nothing but the key itself can be written like this, and `recorded_at` follows.
        if b'"known_seq":%d,' % place not in entry.envelope:
            raise _Bad(place, f"the envelope of entry {place} says another place")
        if entry.computed_leaf() != entry.leaf:
            raise _Bad(place, f"entry {place} is not what its leaf was made of")
        if self._unseal is not None:
            self._check_body(entry, self._unseal)

    def _check_body(self, entry: StoredEntry, unseal: Unseal) -> None:
        try:
            body = unseal(entry)
            if body is None:
                self._erased += 1
                return
            root = commit(*body)
        except Refusal as error:
            raise _Bad(entry.known_seq, f"the body of entry {entry.known_seq}: {error.detail}") from None
        if root != entry.body_root:
            raise _Bad(entry.known_seq, f"the body of entry {entry.known_seq} is not the one committed to")
        self._bodies += 1

    def _check_tile(self, level: int, index: int, hashes: list[bytes]) -> None:
        if self._tiles is None or not hashes:
            return
        stored = self._tiles(level, index, len(hashes))
        if stored == b"".join(hashes):
            return
        slot = next(_differences(stored, hashes))
        first = (index * TILE_WIDTH + slot) << (TILE_HEIGHT * level)
        raise _Bad(first, f"{tile_path(level, index)} differs from the entries it stands for")

    def _pass_checkpoint(self) -> None:
        size = self._tree.size
        roots = self._roots.get(size, set())
        if roots and roots != {self._tree.root()}:
            self._tree.check_edges()
            why = f"a signed checkpoint of size {size} has another root"
            if size > self._trusted:
                why += f": an entry from {self._trusted} to {size - 1} was changed and its leaf with it"
            raise _Bad(self._trusted if size > self._trusted else None, why)
        if roots:
            self._trusted = size

    def finish(self) -> None:
        self._tree.check_edges()
        size = self._tree.size
        signed = max(self._roots, default=0)
        if signed > size:
            raise _Bad(size, f"{signed} entries were signed for and {size} are there")

    def report(self, bad: _Bad | None) -> AuditReport:
        return AuditReport(
            ok=bad is None,
            entries=self._tree.size,
            first_bad=bad.first_bad if bad else None,
            why=bad.why if bad else "",
            checkpoints_checked=self._checked,
            root=self._tree.root(),
            unsigned=self._tree.size - self._trusted,
            bodies=self._bodies,
            erased=self._erased,
        )


def _differences(stored: bytes, hashes: list[bytes]) -> Iterator[int]:
    """The slots of a tile whose stored hash is another one; one at least, for the tile's end."""
    for slot, hash_ in enumerate(hashes):
        if stored[slot * HASH_BYTES : (slot + 1) * HASH_BYTES] != hash_:
            yield slot
    yield len(hashes) - 1
