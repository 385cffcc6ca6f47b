"""A log entry: what the journal keeps of an event, without anything personal."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from obligor.kernel import encode
from obligor.proof.merkle import leaf_hash

__all__ = ["StoredEntry", "entry_bytes"]

VERSION = 1


def entry_bytes(envelope: Mapping[str, Any] | bytes, body_root: bytes, sealed_sha256: bytes) -> bytes:
    """The leaf's data: canonical JSON of the envelope, the body's commitment and the hash of its ciphertext.

    An envelope that is given as bytes has to be canonical already.
    """
    written = envelope if isinstance(envelope, bytes) else encode(envelope)
    return b'{"body_root":"%b","envelope":%b,"sealed_sha256":"%b","v":1}' % (
        body_root.hex().encode(),
        written,
        sealed_sha256.hex().encode(),
    )


class StoredEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is kept: `leaf` is the hash that stands in the tree at `known_seq`."""

    known_seq: int
    envelope: bytes
    body_root: bytes
    sealed: bytes
    leaf: bytes

    def data(self) -> bytes:
        """The leaf's data, made anew from what is kept."""
        return entry_bytes(self.envelope, self.body_root, sha256(self.sealed).digest())

    def computed_leaf(self) -> bytes:
        """The leaf hash that belongs to what is kept."""
        return leaf_hash(self.data())
