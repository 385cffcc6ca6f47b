"""The Merkle tree of RFC 6962, section 2.1: grown leaf by leaf, with proofs in both directions.

Hashes are 32 bytes of SHA-256. The node (level k, index i) is the root of the complete subtree over leaves
i * 2^k to (i + 1) * 2^k - 1. Proofs are made and checked along the path of one node, after the decomposition
in github.com/transparency-dev/merkle: `inner` siblings below the point where the path leaves that of the last
leaf, then one left sibling for every bit that is set above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from obligor.kernel import Corrupted, InvalidInput

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "Frontier",
    "ReadNode",
    "consistency",
    "inclusion",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()

# The hash of node (level, index); the caller asks only for nodes that are complete.
ReadNode = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's data."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its two children."""
    return sha256(b"\1" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, level by level: a last node without a sibling moves up as it is."""
    if not leaf_hashes:
        return EMPTY_ROOT
    level = leaf_hashes
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


class Frontier:
    """A tree that only grows: its size and the roots of the complete subtrees it is made of.

    `peaks` run from the largest subtree to the smallest, one for each bit that is set in `size`.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self._size = size
        self._peaks = list(peaks)
        if size < 0 or len(self._peaks) != size.bit_count():
            raise InvalidInput.field("peaks", len(self._peaks), f"one hash for each bit set in size {size}")
        if any(len(peak) != HASH_BYTES for peak in self._peaks):
            raise InvalidInput.field("peaks", "a hash of another length", f"hashes of {HASH_BYTES} bytes")

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """What is needed to go on from here: give it back with `size`."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        peaks, place = self._peaks, self._size
        self._size = place + 1
        while place & 1:
            leaf = sha256(b"\1" + peaks.pop() + leaf).digest()
            place >>= 1
        peaks.append(leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes, level by level, in a third of the time of one `append` each."""
        peaks, place = self._peaks, self._size
        level, rest = list(leaves), []
        self._size += len(level)
        while level:
            if place & 1:
                level.insert(0, peaks.pop())
            if len(level) & 1:
                rest.append(level.pop())
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [sha256(b"\1" + left + right).digest() for left, right in pairs]
            place >>= 1
        peaks.extend(reversed(rest))

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return _fold(self._peaks) if self._peaks else EMPTY_ROOT


def _fold(peaks: Sequence[bytes]) -> bytes:
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def inclusion(index: int, size: int, read: ReadNode) -> list[bytes]:
    """The audit path of a leaf in the tree of the first `size` leaves, from its sibling up.

    Raises:
        InvalidInput: the tree of that size has no such leaf.
    """
    if not 0 <= index < size:
        raise InvalidInput.field("index", index, f"a leaf below the tree's size, {size}")
    return _path(0, index, size, read)


def consistency(old: int, new: int, read: ReadNode) -> list[bytes]:
    """The proof that the tree of size `new` begins with that of size `old`; empty if they are one.

    Raises:
        InvalidInput: `old` is 0, which every tree extends, or greater than `new`.
    """
    if not 0 < old <= new:
        raise InvalidInput.field("old", old, f"a size from 1 to {new}")
    if old == new:
        return []
    level = (old & -old).bit_length() - 1
    index = (old - 1) >> level
    start = [read(level, index)] if index else []
    return start + _path(level, index, new, read)


def _path(level: int, index: int, size: int, read: ReadNode) -> list[bytes]:
    """The siblings of a node and of the nodes above it, in the tree of `size` leaves."""
    last = (size - 1) >> level
    inner = (index ^ last).bit_length()
    path = []
    for step in range(inner):
        sibling = index >> step ^ 1
        # Only where the path leaves that of the last leaf can a sibling reach past the tree's end.
        if step == inner - 1:
            path.append(_rest(sibling << (level + step), size, read))
        else:
            path.append(read(level + step, sibling))
    above = index >> inner
    steps = (step for step in range(inner, inner + above.bit_length()) if index >> step & 1)
    path.extend(read(level + step, index >> step ^ 1) for step in steps)
    return path


def _rest(start: int, size: int, read: ReadNode) -> bytes:
    """The root over the leaves from `start` to the end; `start` is where a large enough subtree begins."""
    peaks = []
    while start < size:
        level = (size - start).bit_length() - 1
        peaks.append(read(level, start >> level))
        start += 1 << level
    return _fold(peaks)


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """See that a leaf hash is at an index of the tree with this size and root.

    Raises:
        Corrupted: the proof does not show it.
    """
    if not 0 <= index < size:
        raise Corrupted(f"no tree of {size} leaves has one at {index}")
    inner = (index ^ (size - 1)).bit_length()
    _check_lengths(proof, inner + (index >> inner).bit_count(), leaf, root)
    found, place = leaf, index
    for hash_ in proof[:inner]:
        found = sha256(b"\1" + hash_ + found if place & 1 else b"\1" + found + hash_).digest()
        place >>= 1
    for hash_ in proof[inner:]:
        found = sha256(b"\1" + hash_ + found).digest()
    if found != root:
        raise Corrupted("the inclusion proof leads to another root")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """See that the tree of size `new` begins with the tree of size `old`.

    Raises:
        Corrupted: the proof does not show it; also where `old` is 0, which there is nothing to show about.
    """
    if not 0 < old <= new:
        raise Corrupted(f"no proof leads from size {old} to size {new}")
    if old == new:
        if proof or old_root != new_root:
            raise Corrupted("two trees of one size have one root, and no proof is needed")
        return
    shift = (old & -old).bit_length() - 1
    whole = old == 1 << shift
    place = (old - 1) >> shift
    inner = (place ^ (new - 1) >> shift).bit_length()
    _check_lengths(proof, (not whole) + inner + (place >> inner).bit_count(), old_root, new_root)
    before = after = old_root if whole else proof[0]
    path = proof if whole else proof[1:]
    for hash_ in path[:inner]:
        if place & 1:
            before = node_hash(hash_, before)
            after = node_hash(hash_, after)
        else:
            after = node_hash(after, hash_)
        place >>= 1
    for hash_ in path[inner:]:
        before = node_hash(hash_, before)
        after = node_hash(hash_, after)
    if before != old_root:
        raise Corrupted("the consistency proof leads to another old root")
    if after != new_root:
        raise Corrupted("the consistency proof leads to another new root")


def _check_lengths(proof: Sequence[bytes], wanted: int, *ends: bytes) -> None:
    if len(proof) != wanted:
        raise Corrupted(f"the proof has {len(proof)} hashes and should have {wanted}")
    if any(len(hash_) != HASH_BYTES for hash_ in (*ends, *proof)):
        raise Corrupted(f"every hash has {HASH_BYTES} bytes")
