"""The event: something that happened, when it was true, and when we learned of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec

__all__ = ["Body", "Draft", "Envelope", "Event", "Fact"]

# A fact as it is written down: decimals and dates are strings, their types are the strategy's to say.
Fact = int | bool | str | None


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What an event says. Subclasses live in `obligor.events`, each field with its class.

    Plain values never refer back to whoever holds them: the collector of cycles need not look at them.
    """

    TYPE: ClassVar[str]
    SCHEMA: ClassVar[int]


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event that has not been numbered yet: what a command proposes and the journal accepts."""

    id: str
    stream: str
    at: datetime
    body: Body
    source: str
    actor: str
    subjects: tuple[str, ...] = ()
    source_ref: str | None = None
    cause: str | None = None
    replaces: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of an event without reading its body; it holds nothing personal.

    `at` is when it was true, `recorded_at` when it was written, both in UTC. `known_seq`, counted from 0,
    is its place in the tenant's journal and the index of its leaf. `stream_version` counts from 1.
    `subjects` are pseudonymous ids of persons, the one whose keys seal the body first. `source_ref` is a
    keyed hash of the sender's own reference.
    """

    id: str
    tenant: str
    stream: str
    stream_version: int
    subjects: tuple[str, ...]
    type: str
    schema: int
    at: datetime
    recorded_at: datetime
    known_seq: int
    source: str
    source_ref: str | None
    actor: str
    cause: str | None
    replaces: str | None


class Event(Envelope, frozen=True, kw_only=True):
    """An envelope with its body. `erased` names the classes of fields that can no longer be read.

    A field whose class was erased has the value its declaration gives it, which says nothing.
    """

    body: Any
    erased: frozenset[str] = frozenset()
