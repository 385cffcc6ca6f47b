"""Nodes of the tree read from tiles, as C2SP tlog-tiles lays them out.

Tile (K, N) holds 256 hashes of level 8 * K, those with index 256 * N and following; the right-most tile of
each level is narrower. Every other node is a few hashes away from those.
"""

from __future__ import annotations

from collections.abc import Callable

from obligor.kernel import Corrupted
from obligor.proof.merkle import HASH_BYTES, root_of

__all__ = ["TILE_HEIGHT", "TILE_WIDTH", "ReadTile", "TileReader", "tile_path"]

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

# At least the first `width` hashes of a tile, one after the other: (tile level, tile index, width).
ReadTile = Callable[[int, int, int], bytes]


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Where a tile lies under a log's prefix: `tile/0/x001/234`, a partial one in `.p/<width>`."""
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.append(f"x{index % 1000:03d}")
    path = f"tile/{level}/" + "/".join(reversed(parts))
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


class TileReader:
    """Reads nodes for `inclusion` and `consistency`; a tile that was read is kept as long as the reader."""

    def __init__(self, read_tile: ReadTile) -> None:
        self._read_tile = read_tile
        self._tiles: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of node (level, index).

        Raises:
            Corrupted: the tile is shorter than the tree.
        """
        tile_level, below = divmod(level, TILE_HEIGHT)
        tile_index, first = divmod(index << below, TILE_WIDTH)
        start, stop = first * HASH_BYTES, (first + (1 << below)) * HASH_BYTES
        tile = self._tiles.get((tile_level, tile_index), b"")
        if len(tile) < stop:
            tile = self._read_tile(tile_level, tile_index, stop // HASH_BYTES)
            if len(tile) < stop:
                raise Corrupted(f"{tile_path(tile_level, tile_index)} has {len(tile)} of {stop} bytes")
            self._tiles[tile_level, tile_index] = tile
        return root_of([tile[at : at + HASH_BYTES] for at in range(start, stop, HASH_BYTES)])
