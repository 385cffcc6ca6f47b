"""A small log, made of the parts under test, with sealed bodies that are only random bytes here."""

import hashlib
import random
from collections.abc import Iterator
from typing import Any

from obligor.kernel import derived_id, encode
from obligor.proof import (
    OPEN_KEY,
    Checkpoint,
    Signer,
    StoredEntry,
    Verifier,
    build_receipt,
    commit,
    entry_bytes,
    inclusion,
    leaf_hash,
    node_hash,
    open_fields,
    root_of,
    salts_key,
    sign_note,
)

ORIGIN = "bank.example/north/0/0"
SIGNER = Signer("bank.example", bytes(range(32)))
VKEY = SIGNER.vkey
VERIFIER = Verifier(VKEY)
CLASS_KEYS = {kind: hashlib.sha256(kind.encode()).digest() for kind in ("identity", "conduct", "money")}


def levels_of(leaves: list[bytes]) -> list[list[bytes]]:
    """All complete nodes, by level."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        level = levels[-1]
        levels.append([node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)])
    return levels


class SmallLog:
    """`size` entries about one person each, with a checkpoint after every `group` of them."""

    def __init__(self, size: int, group: int = 7) -> None:
        dice = random.Random(size)
        self.bodies = [_body(n) for n in range(size)]
        self.entries = [self._entry(n, dice.randbytes(40 + n % 5)) for n in range(size)]
        self.leaves = [entry.leaf for entry in self.entries]
        self.levels = levels_of(self.leaves)
        self.checkpoints = [self.checkpoint(n) for n in sorted({*range(group, size, group), size})]

    def _entry(self, n: int, sealed: bytes) -> StoredEntry:
        envelope = encode(
            {
                "id": derived_id("entry", n),
                "tenant": "north",
                "stream": f"application/{n}",
                "subjects": [f"p-{n}"],
                "type": "application.received",
                "known_seq": n,
                "recorded_at": "2026-03-01T09:00:00Z",
            }
        )
        body_root = commit(self.bodies[n], self.salt_keys(n))
        leaf = leaf_hash(entry_bytes(envelope, body_root, hashlib.sha256(sealed).digest()))
        return StoredEntry(n, envelope, body_root, sealed, leaf)

    def salt_keys(self, n: int) -> dict[str, bytes]:
        keys = {"open": OPEN_KEY, **CLASS_KEYS}
        return {kind: salts_key(key, derived_id("entry", n)) for kind, key in keys.items()}

    def read(self, level: int, index: int) -> bytes:
        return self.levels[level][index]

    def tile(self, level: int, index: int, width: int) -> bytes:
        hashes = self.levels[8 * level] if 8 * level < len(self.levels) else []
        return b"".join(hashes[256 * index : 256 * index + width])

    def checkpoint(self, size: int) -> str:
        return sign_note(Checkpoint(ORIGIN, size, root_of(self.leaves[:size])).text(), [SIGNER])

    def receipt(self, n: int, size: int, wanted: list[tuple[str, str]] | None = None) -> bytes:
        openings = open_fields(self.bodies[n], self.salt_keys(n), wanted or [])
        proof = inclusion(n, size, self.read)
        return build_receipt(self.entries[n], self.checkpoint(size), proof, VKEY, openings)


def _body(n: int) -> dict[str, dict[str, Any]]:
    return {
        "money": {
            "application_id": f"a-{n}",
            "amount_minor": 100_000 + n,
            "currency": "CNY",
            "term_months": 12,
        },
        "conduct": {
            "purpose": "home repair",
            "fields": {"age_years": 30 + n, "housing": "rent"},
            "device_id": None,
        },
        "identity": {"reference": f"陈静-{n}"},
    }


def flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The data with each of its bits turned, one at a time."""
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            yield 8 * place + bit, bytes(changed)
