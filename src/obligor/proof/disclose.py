"""Single fields of a body, opened: shown with their salts and the way to the body's commitment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from obligor.kernel import NotFound
from obligor.proof.commit import hashes_of, rows_of
from obligor.proof.merkle import inclusion, node_hash, verify_inclusion

__all__ = ["Opening", "open_fields", "verify_opening"]


@dataclass(frozen=True, slots=True)
class Opening:
    """One field of one body: its class, path and value, its salt, and its place among `size` fields."""

    kind: str
    path: str
    value: Any
    salt: bytes
    index: int
    size: int
    proof: tuple[bytes, ...]


def open_fields(
    parts: Mapping[Any, Mapping[str, Any]],
    salt_keys: Mapping[Any, bytes],
    wanted: Iterable[tuple[str, str]] | None = None,
) -> tuple[Opening, ...]:
    """Open fields by (class, path), or all of them, in the order they are committed to.

    The parts are the whole body, as it was given to `commit`.

    Raises:
        NotFound: the body has no field of a wanted path.
    """
    rows, salts = rows_of(parts, salt_keys)
    asked = None if wanted is None else {(str(kind), path) for kind, path in wanted}
    chosen = [place for place, row in enumerate(rows) if asked is None or row[:2] in asked]
    if asked is not None and len(chosen) < len(asked):
        missing = sorted(asked - {rows[place][:2] for place in chosen})
        raise NotFound("the event has no field " + ", ".join(f"{kind}/{path}" for kind, path in missing))
    levels = _levels(hashes_of(rows, salts))

    def opening(place: int) -> Opening:
        kind, path, value, size = rows[place]
        proof = inclusion(place, size, lambda level, index: levels[level][index])
        return Opening(kind, path, value, salts[place], place, size, tuple(proof))

    return tuple(opening(place) for place in chosen)


def _levels(hashes: list[bytes]) -> list[list[bytes]]:
    """All nodes over complete subtrees, level by level."""
    levels = [hashes]
    while len(levels[-1]) > 1:
        level = levels[-1]
        levels.append([node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=False)])
    return levels


def verify_opening(root: bytes, opening: Opening) -> None:
    """See that a body with this commitment has this field.

    Raises:
        Corrupted: it does not follow from the opening.
    """
    row = (opening.kind, opening.path, opening.value, opening.size)
    (leaf,) = hashes_of([row], [opening.salt])
    verify_inclusion(opening.index, opening.size, leaf, opening.proof, root)
