"""From an event to what is kept of it, and back: sealed parts, and the envelope they are bound to.

The sealed bytes of an event are a MessagePack map from class to bytes: nonce and ciphertext (AES-256-GCM),
the canonical JSON itself for OPEN, nothing for a class whose key was destroyed before the event came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from cryptography.exceptions import InvalidTag

from obligor.events import FieldClass, Parts, join
from obligor.journal.keys import NONCE_BYTES
from obligor.journal.store import EventRow
from obligor.journal.vault import NO_KEYS, ClassKey, Ring, Vault
from obligor.kernel import Corrupted, Entropy, Envelope, Event
from obligor.proof import OPEN_KEY, salts_key

__all__ = [
    "commitment_keys",
    "decode_envelope",
    "encode_envelope",
    "event_of",
    "fresh_nonces",
    "open_answer",
    "open_event",
    "open_parts",
    "seal_answer",
    "seal_parts",
]

NONCES_AT_ONCE = 256

_PACK = msgspec.msgpack.Encoder().encode
_UNPACK = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_JSON = msgspec.json.Decoder().decode
_WRITE = msgspec.json.Encoder(order="sorted").encode
_ENVELOPE = msgspec.json.Decoder(Envelope).decode
_CLASSES = {kind.value: kind for kind in sorted(FieldClass)}


def encode_envelope(envelope: Envelope) -> bytes:
    """The canonical bytes of an envelope: those of `kernel.encode`, which is slower for what it checks."""
    return _WRITE(envelope)


def decode_envelope(data: bytes) -> Envelope:
    """The envelope of these bytes.

    Raises:
        Corrupted: they are no envelope.
    """
    try:
        return _ENVELOPE(data)
    except msgspec.MsgspecError as error:
        raise Corrupted(f"a stored envelope cannot be read: {error}") from None


def event_of(envelope: Envelope, parts: Parts, erased: frozenset[str]) -> Event:
    """An event from its envelope and what can be read of its body."""
    body = join(envelope.type, envelope.schema, parts)
    return Event(**msgspec.structs.asdict(envelope), body=body, erased=erased)


def fresh_nonces(entropy: Entropy) -> Iterator[bytes]:
    """Random nonces without end, each to be used once; chance is asked for many at a time."""
    while True:
        block = entropy.bytes(NONCE_BYTES * NONCES_AT_ONCE)
        yield from (block[at : at + NONCE_BYTES] for at in range(0, len(block), NONCE_BYTES))


def seal_parts(
    plain: Mapping[FieldClass, bytes],
    dropped: frozenset[FieldClass],
    keys: Mapping[FieldClass, ClassKey],
    envelope: bytes,
    nonces: Iterator[bytes],
) -> bytes:
    """Seal each class with its key, bound to the whole envelope and the class.

    Raises:
        KeyError: a class that is to be sealed has no key.
    """
    sealed: dict[str, bytes] = {}
    for name, kind in _CLASSES.items():
        if kind in dropped:
            sealed[name] = b""
        elif kind in plain:
            data = plain[kind]
            if kind is not FieldClass.OPEN:
                nonce = next(nonces)
                data = nonce + keys[kind].aead.encrypt(nonce, data, b"%b\n%b" % (envelope, name.encode()))
            sealed[name] = data
    return _PACK(sealed)


def open_parts(row: EventRow, ring: Ring) -> tuple[Parts, frozenset[str]]:
    """What can still be read of an event, and the classes that cannot.

    Raises:
        Corrupted: the bytes were changed or moved to another event, or the vault never had their key.
    """
    parts: Parts = {}
    erased = []
    try:
        for name, data in _UNPACK(row.sealed).items():
            kind = _CLASSES[name]
            if kind is FieldClass.OPEN:
                parts[kind] = _JSON(data)
            elif not data or kind in ring.erased:
                erased.append(name)
            else:
                bound = b"%b\n%b" % (row.envelope, name.encode())
                parts[kind] = _JSON(
                    ring.keys[kind].aead.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)
                )
    except (InvalidTag, KeyError, ValueError, msgspec.MsgspecError):
        raise Corrupted(f"the body of event {row.known_seq} of {row.tenant} does not open") from None
    return parts, frozenset(erased)


def open_event(row: EventRow, vault: Vault) -> Event:
    """An event as it is kept, read with the keys there are.

    Raises:
        Corrupted: its bytes were changed.
        Conflict: this release does not know its type or schema.
    """
    envelope = decode_envelope(row.envelope)
    ring = vault.ring(row.tenant, envelope.subjects[0]) if envelope.subjects else NO_KEYS
    parts, erased = open_parts(row, ring)
    return event_of(envelope, parts, erased)


def seal_answer(data: bytes, key: ClassKey, tenant: str, name: str, nonces: Iterator[bytes]) -> bytes:
    """Seal a stored answer, bound to its idempotency key."""
    nonce = next(nonces)
    return nonce + key.aead.encrypt(nonce, data, f"{tenant}\0{name}".encode())


def open_answer(sealed: bytes, key: ClassKey, tenant: str, name: str) -> bytes:
    """A stored answer.

    Raises:
        Corrupted: its bytes were changed.
    """
    try:
        return key.aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], f"{tenant}\0{name}".encode())
    except (InvalidTag, ValueError):
        raise Corrupted("a stored answer does not open") from None


def commitment_keys(kinds: Iterable[FieldClass], ring: Ring, event_id: str) -> dict[str, bytes]:
    """The keys that the salts of an event are made with, by class; OPEN has a public one."""
    return {
        kind: salts_key(OPEN_KEY, event_id)
        if kind is FieldClass.OPEN
        else ring.keys[kind].salts_key(event_id)
        for kind in kinds
    }
