"""Nodes out of tiles, and where tiles lie."""

import pytest

from obligor.kernel import Corrupted
from obligor.proof import TileReader, consistency, inclusion, leaf_hash, tile_path
from tests.proof.support import levels_of

SIZE = 70_000
LEVELS = levels_of([leaf_hash(b"%d" % n) for n in range(SIZE)])
READS: list[tuple[int, int, int]] = []


def _tile(level: int, index: int, width: int) -> bytes:
    READS.append((level, index, width))
    return b"".join(LEVELS[8 * level][256 * index : 256 * index + width])


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 5, 17, "tile/1/005.p/17"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (2, 1000, 1, "tile/2/x001/000.p/1"),
    ],
)
def test_tiles_lie_where_c2sp_says(level: int, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_536, 65_537, SIZE])
def test_proofs_from_tiles_are_those_from_all_nodes(size: int) -> None:
    def read(level: int, index: int) -> bytes:
        return LEVELS[level][index]

    for index in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
        assert inclusion(index, size, TileReader(_tile)) == inclusion(index, size, read)
        old = index + 1
        assert consistency(old, size, TileReader(_tile)) == consistency(old, size, read)


def test_a_proof_reads_few_tiles_and_none_past_its_end() -> None:
    READS.clear()
    inclusion(40_000, SIZE, TileReader(_tile))
    assert len({(level, index) for level, index, _ in READS}) <= 5
    for level, index, width in READS:
        assert 1 <= width <= 256
        assert 256 * index + width <= SIZE >> 8 * level


def test_a_short_tile_is_found() -> None:
    with pytest.raises(Corrupted, match="tile/0/000"):
        inclusion(0, 300, TileReader(lambda level, index, width: _tile(level, index, width)[:-1]))
