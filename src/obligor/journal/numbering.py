"""From a draft to a numbered event, exactly as it will be read back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from obligor.events import FieldClass, split
from obligor.journal.sealing import decode_envelope, encode_envelope, event_of
from obligor.kernel import Draft, Envelope, Event, InvariantBroken, Refusal, encode_each

__all__ = ["Numbered", "Place", "number"]

_NONE: frozenset[FieldClass] = frozenset()
_NO_NAMES: frozenset[str] = frozenset()


class Place(NamedTuple):
    """Where and when an event is written; `erased` are the classes of its first subject without a key."""

    tenant: str
    known_seq: int
    stream_version: int
    recorded_at: datetime
    erased: frozenset[FieldClass]


class Numbered(NamedTuple):
    """An event with what is to be kept of it: canonical bytes by class, in the order of their names."""

    event: Event
    envelope: bytes
    plain: dict[FieldClass, bytes]
    dropped: frozenset[FieldClass]


def number(draft: Draft, place: Place) -> Numbered:
    """Give a draft its place.

    The body is decoded from the very bytes that are kept, so what is folded now is what will be folded after
    a restart. Parts whose key was destroyed are dropped and have their defaults from the start.

    Raises:
        InvalidInput: a value is outside the profile of canonical JSON.
        InvariantBroken: the draft fits no envelope or its body not its own type, or it seals something
            without a subject whose key could seal it.
    """
    body = draft.body
    envelope = encode_envelope(
        Envelope(
            id=draft.id,
            tenant=place.tenant,
            stream=draft.stream,
            stream_version=place.stream_version,
            subjects=draft.subjects,
            type=body.TYPE,
            schema=body.SCHEMA,
            at=_utc(draft, draft.at),
            recorded_at=place.recorded_at,
            known_seq=place.known_seq,
            source=draft.source,
            source_ref=draft.source_ref,
            actor=draft.actor,
            cause=draft.cause,
            replaces=draft.replaces,
        )
    )
    written = split(body)
    if not draft.subjects and any(kind is not FieldClass.OPEN for kind in written):
        raise InvariantBroken(f"{body.TYPE} says something about a person and names no subject")
    dropped, erased = _NONE, _NO_NAMES
    if place.erased:
        dropped = place.erased.intersection(written)
        erased = frozenset(kind.value for kind in dropped)
        written = {kind: fields for kind, fields in written.items() if kind not in dropped}
    plain = dict(zip(written, encode_each([*written.values()]), strict=True))
    try:
        event = event_of(decode_envelope(envelope), plain, erased)
    except (msgspec.MsgspecError, Refusal) as error:
        raise InvariantBroken(f"a draft of {body.TYPE} does not fit its own declaration: {error}") from None
    return Numbered(event, envelope, plain, dropped)


def _utc(draft: Draft, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvariantBroken(f"a draft of {draft.body.TYPE} has a time without a zone")
    return at if at.tzinfo is UTC else at.astimezone(UTC)
