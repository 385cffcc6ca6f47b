"""The receipt file: what shows, without us, that an event is in the log that a checkpoint was signed for.

Canonical JSON: `{"checkpoint", "entry": {"body_root", "envelope", "sealed_sha256", "v"}, "index", "openings":
[{"class", "index", "path", "proof", "salt", "size", "value"}], "proof", "size", "v", "vkey"}`. Hashes within
the entry are hexadecimal, all other bytes base64. `obligor.proof.verify` reads it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from obligor.kernel import InvariantBroken, encode
from obligor.proof.checkpoint import Checkpoint
from obligor.proof.disclose import Opening
from obligor.proof.entry import StoredEntry
from obligor.proof.merkle import verify_inclusion
from obligor.proof.note import Verifier, open_note

__all__ = ["build_receipt"]

VERSION = 1


def build_receipt(
    entry: StoredEntry,
    checkpoint: str,
    proof: Sequence[bytes],
    vkey: str,
    openings: Iterable[Opening] = (),
) -> bytes:
    """A receipt's bytes, given out only if it holds.

    `checkpoint` is the signed note, `proof` the inclusion proof of the entry in the tree of its size.

    Raises:
        Corrupted: the checkpoint is not signed with this key, or the proof does not lead to its root.
        InvariantBroken: the entry is not the one that its stored hash was made of.
    """
    tree = Checkpoint.parse(open_note(checkpoint, [Verifier(vkey)]).text)
    data = entry.data()
    if entry.computed_leaf() != entry.leaf:
        raise InvariantBroken(f"entry {entry.known_seq} is not what its leaf was made of")
    verify_inclusion(entry.known_seq, tree.size, entry.leaf, proof, tree.root)
    return encode(
        {
            "v": VERSION,
            "entry": json.loads(data),
            "index": entry.known_seq,
            "size": tree.size,
            "proof": [_base64(hash_) for hash_ in proof],
            "checkpoint": checkpoint,
            "vkey": vkey,
            "openings": [_written(opening) for opening in openings],
        }
    )


def _written(opening: Opening) -> dict[str, Any]:
    return {
        "class": opening.kind,
        "path": opening.path,
        "value": opening.value,
        "salt": _base64(opening.salt),
        "index": opening.index,
        "size": opening.size,
        "proof": [_base64(hash_) for hash_ in opening.proof],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
