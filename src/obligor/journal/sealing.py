"""From an event to what is kept of it, and back: sealed parts, and the envelope they are bound to.

The sealed bytes of an event are a MessagePack map from class to bytes: nonce and ciphertext (AES-256-GCM),
the canonical JSON itself for OPEN, nothing for a class whose key was destroyed before the event came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from cryptography.exceptions import InvalidTag

from obligor.events import FieldClass, Parts, read
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
    "open_texts",
    "seal_answer",
    "seal_parts",
]

NONCES_AT_ONCE = 256
_NONE: frozenset[str] = frozenset()

_PACK = msgspec.msgpack.Encoder().encode
_UNPACK = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_JSON = msgspec.json.Decoder().decode
_WRITE = msgspec.json.Encoder(order="sorted").encode
_ENVELOPE = msgspec.json.Decoder(Envelope).decode
_CLASSES = {kind.value: kind for kind in sorted(FieldClass)}
# What a sealed part is bound to: the envelope, and this after it.
_BOUND = {kind: f"\n{kind.value}".encode() for kind in FieldClass}
# An enumeration's `value` is looked up by a call.
_NAMES = {kind: kind.value for kind in FieldClass}


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


def event_of(envelope: Envelope, texts: Mapping[FieldClass, bytes], erased: frozenset[str]) -> Event:
    """An event from its envelope and the canonical JSON of what can be read of its body."""
    return Event(
        id=envelope.id,
        tenant=envelope.tenant,
        stream=envelope.stream,
        stream_version=envelope.stream_version,
        subjects=envelope.subjects,
        type=envelope.type,
        schema=envelope.schema,
        at=envelope.at,
        recorded_at=envelope.recorded_at,
        known_seq=envelope.known_seq,
        source=envelope.source,
        source_ref=envelope.source_ref,
        actor=envelope.actor,
        cause=envelope.cause,
        replaces=envelope.replaces,
        body=read(envelope.type, envelope.schema, texts),
        erased=erased,
    )


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

    `plain` is in the order of the classes' names.

    Raises:
        KeyError: a class that is to be sealed has no key.
    """
    sealed: dict[str, bytes] = {}
    for kind in sorted({*plain, *dropped}) if dropped else plain:
        if kind in dropped:
            sealed[_NAMES[kind]] = b""
        elif kind is FieldClass.OPEN:
            sealed[_NAMES[kind]] = plain[kind]
        else:
            nonce = next(nonces)
            bound = envelope + _BOUND[kind]
            sealed[_NAMES[kind]] = nonce + keys[kind].aead.encrypt(nonce, plain[kind], bound)
    return _PACK(sealed)


def open_parts(row: EventRow, ring: Ring) -> tuple[Parts, frozenset[str]]:
    """What can still be read of an event, and the classes that cannot.

    Raises:
        Corrupted: as for `open_texts`; also where what was sealed is no JSON.
    """
    texts, erased = open_texts(row, ring)
    try:
        return {kind: _JSON(text) for kind, text in texts.items()}, erased
    except (ValueError, msgspec.MsgspecError):
        raise _closed(row) from None


def open_texts(row: EventRow, ring: Ring) -> tuple[dict[FieldClass, bytes], frozenset[str]]:
    """The canonical JSON of what can still be read of an event, by class, and the classes that cannot.

    Raises:
        Corrupted: the bytes were changed or moved to another event, or the vault never had their key.
    """
    texts: dict[FieldClass, bytes] = {}
    erased = []
    try:
        for name, data in _UNPACK(row.sealed).items():
            kind = _CLASSES[name]
            if kind is FieldClass.OPEN:
                texts[kind] = data
            elif not data or kind in ring.erased:
                erased.append(name)
            else:
                bound = row.envelope + _BOUND[kind]
                texts[kind] = ring.keys[kind].aead.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)
    except (InvalidTag, KeyError, ValueError, msgspec.MsgspecError):
        raise _closed(row) from None
    return texts, frozenset(erased) if erased else _NONE


def _closed(row: EventRow) -> Corrupted:
    return Corrupted(f"the body of event {row.known_seq} of {row.tenant} does not open")


def open_event(row: EventRow, vault: Vault) -> Event:
    """An event as it is kept, read with the keys there are.

    Raises:
        Corrupted: its bytes were changed.
        Conflict: this release does not know its type or schema.
    """
    envelope = decode_envelope(row.envelope)
    ring = vault.ring(row.tenant, envelope.subjects[0]) if envelope.subjects else NO_KEYS
    texts, erased = open_texts(row, ring)
    return event_of(envelope, texts, erased)


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
        else salts_key(ring.keys[kind].salting, event_id)
        for kind in kinds
    }
