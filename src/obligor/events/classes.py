"""The class of each field of an event: whose key seals it, and how long it is kept."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

import msgspec
from msgspec import Meta

from obligor.kernel import Body

__all__ = ["CONDUCT", "IDENTITY", "MONEY", "OPEN", "FieldClass", "classes_of"]


class FieldClass(StrEnum):
    """IDENTITY says who a person is, CONDUCT what they did and how they were judged, MONEY what was booked.

    Each of these is sealed with a key of its own per person. OPEN is about no person and is not sealed.
    """

    IDENTITY = "identity"
    CONDUCT = "conduct"
    MONEY = "money"
    OPEN = "open"


IDENTITY = Meta(extra={"class": FieldClass.IDENTITY})
CONDUCT = Meta(extra={"class": FieldClass.CONDUCT})
MONEY = Meta(extra={"class": FieldClass.MONEY})
OPEN = Meta(extra={"class": FieldClass.OPEN})


@cache
def classes_of(body: type[Body]) -> dict[str, FieldClass]:
    """The class of each field of a body type, by field name.

    Raises:
        TypeError: a field was declared without a class.
    """
    return {field.name: _class_of(body, field) for field in msgspec.structs.fields(body)}


def _class_of(body: type[Body], field: msgspec.structs.FieldInfo) -> FieldClass:
    for meta in getattr(field.type, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.extra and "class" in meta.extra:
            return FieldClass(meta.extra["class"])
    raise TypeError(f"{body.__name__}.{field.name} has no field class")
