"""A tenant's Merkle tree: its right edge in memory, its tiles in the store."""

from __future__ import annotations

from collections.abc import Callable

from obligor.journal.store import TileRow
from obligor.kernel import InvariantBroken
from obligor.proof import Frontier, root_of

__all__ = ["LogTree"]

WIDTH = 256
HASH_BYTES = 32
TILE_BYTES = WIDTH * HASH_BYTES


class LogTree:
    """Grows by leaves, and knows which tiles that changed.

    On level k the edge holds the roots of the complete subtrees of 256^k leaves that fill no tile yet. Tiles
    above level 0 are kept while they grow, so that nobody has to hash 256 tiles to read one.
    """

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._frontier = Frontier()
        self._edges: list[bytearray] = [bytearray()]
        self._changed: dict[tuple[int, int], bytes] = {}

    @classmethod
    def load(cls, tenant: str, size: int, read_tile: Callable[[int, int, int], bytes]) -> LogTree:
        """The tree of `size` leaves, from its tiles (level, position, width).

        Raises:
            InvariantBroken: a tile is not there.
        """
        tree = cls(tenant)
        edges = []
        level = 0
        while size >> 8 * level:
            complete = size >> 8 * level
            width = complete % WIDTH
            edge = read_tile(level, complete // WIDTH, width) if width else b""
            if len(edge) != width * HASH_BYTES:
                raise InvariantBroken(f"tile {level}/{complete // WIDTH} of {tenant} is not whole")
            edges.append(bytearray(edge))
            level += 1
        tree._edges = edges or [bytearray()]
        tree._frontier = Frontier(size, _peaks(edges))
        return tree

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._frontier.size

    def root(self) -> bytes:
        """The root over all leaves (RFC 6962, 2.1)."""
        return self._frontier.root()

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        position = self._frontier.size // WIDTH
        self._frontier.append(leaf)
        edge = self._edges[0]
        edge += leaf
        if len(edge) == TILE_BYTES:
            self._complete(0, position)

    def take_tiles(self) -> list[TileRow]:
        """The tiles that changed since they were last taken."""
        rows = [TileRow(self._tenant, *place, hashes) for place, hashes in self._changed.items()]
        self._changed = {}
        return rows

    def _complete(self, level: int, position: int) -> None:
        edge = self._edges[level]
        self._changed[level, position] = bytes(edge)
        if len(edge) < TILE_BYTES:
            return
        if level + 1 == len(self._edges):
            self._edges.append(bytearray())
        self._edges[level + 1] += _subtree(edge)
        self._edges[level] = bytearray()
        self._complete(level + 1, position // WIDTH)


def _peaks(edges: list[bytearray]) -> list[bytes]:
    """The roots of the complete subtrees a size is made of, from the largest to the smallest."""
    peaks = []
    for edge in reversed(edges):
        start, width = 0, len(edge) // HASH_BYTES
        for bit in range(7, -1, -1):
            if width >> bit & 1:
                stop = start + (HASH_BYTES << bit)
                peaks.append(_subtree(edge[start:stop]))
                start = stop
    return peaks


def _subtree(hashes: bytes | bytearray) -> bytes:
    return root_of([bytes(hashes[at : at + HASH_BYTES]) for at in range(0, len(hashes), HASH_BYTES)])
