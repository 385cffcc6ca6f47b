"""Persons, their consent, their devices, and what sources said about them. Stream `person/<id>`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from obligor.events.classes import CONDUCT, IDENTITY, MONEY
from obligor.kernel import Body, Fact

__all__ = [
    "ConsentGranted",
    "ConsentWithdrawn",
    "DeviceSeen",
    "PartyRegistered",
    "PersonErased",
    "SourceAnswered",
    "SourceFailed",
]


class PartyRegistered(Body, frozen=True, kw_only=True):
    """A person or firm became known. `reference` is the lender's own name for it."""

    TYPE: ClassVar[str] = "party.registered"
    SCHEMA: ClassVar[int] = 1
    person_id: Annotated[str, MONEY]
    kind: Annotated[str, MONEY]
    reference: Annotated[str | None, IDENTITY] = None
    national_id: Annotated[str | None, IDENTITY] = None
    name: Annotated[str | None, IDENTITY] = None
    phone: Annotated[str | None, IDENTITY] = None
    email: Annotated[str | None, IDENTITY] = None
    address: Annotated[str | None, IDENTITY] = None
    born_on: Annotated[date | None, IDENTITY] = None


class ConsentGranted(Body, frozen=True, kw_only=True):
    """A person agreed that data be used for a purpose, in the words of a version of a text."""

    TYPE: ClassVar[str] = "consent.granted"
    SCHEMA: ClassVar[int] = 1
    person_id: Annotated[str, MONEY]
    purpose: Annotated[str | None, CONDUCT] = None
    text_version: Annotated[str | None, CONDUCT] = None


class ConsentWithdrawn(Body, frozen=True, kw_only=True):
    """A person took a consent back."""

    TYPE: ClassVar[str] = "consent.withdrawn"
    SCHEMA: ClassVar[int] = 1
    person_id: Annotated[str, MONEY]
    purpose: Annotated[str | None, CONDUCT] = None


class DeviceSeen(Body, frozen=True, kw_only=True):
    """A person used a device; `device_id` is the sender's stable name for it."""

    TYPE: ClassVar[str] = "device.seen"
    SCHEMA: ClassVar[int] = 1
    person_id: Annotated[str, MONEY]
    device_id: Annotated[str | None, CONDUCT] = None
    platform: Annotated[str | None, CONDUCT] = None
    country: Annotated[str | None, CONDUCT] = None


class SourceAnswered(Body, frozen=True, kw_only=True):
    """A source gave facts for an application. Stream `application/<id>`."""

    TYPE: ClassVar[str] = "source.answered"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]
    name: Annotated[str, MONEY]
    facts: Annotated[dict[str, Fact], CONDUCT] = {}


class SourceFailed(Body, frozen=True, kw_only=True):
    """A source could not answer for an application. Stream `application/<id>`."""

    TYPE: ClassVar[str] = "source.failed"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]
    name: Annotated[str, MONEY]
    why: Annotated[str | None, CONDUCT] = None


class PersonErased(Body, frozen=True, kw_only=True):
    """The keys of these classes of a person were destroyed, on this ground."""

    TYPE: ClassVar[str] = "person.erased"
    SCHEMA: ClassVar[int] = 1
    person_id: Annotated[str, MONEY]
    classes: Annotated[tuple[str, ...], MONEY]
    ground: Annotated[str, MONEY]
