"""From a body to its sealed parts and back, through every schema it ever had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from obligor.events import lending, parties, running, servicing, watching
from obligor.events.classes import FieldClass, classes_of
from obligor.kernel import Body, Conflict, Corrupted, ready

__all__ = ["BODIES", "UPCASTERS", "Parts", "body_type", "join", "split"]

Parts = dict[FieldClass, dict[str, Any]]
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


def _declared(*modules: ModuleType) -> dict[str, type[Body]]:
    found: dict[str, type[Body]] = {}
    for module in modules:
        for name in module.__all__:
            body = getattr(module, name)
            if isinstance(body, type) and issubclass(body, Body):
                found[body.TYPE] = body
    return found


# The current schema of each type.
BODIES: Mapping[str, type[Body]] = _declared(parties, lending, servicing, watching, running)
ready(*BODIES.values())

# From (type, schema) to the fields of schema + 1. Empty until a schema changes; nothing is ever taken out.
UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}


def body_type(name: str) -> type[Body]:
    """The body of an event type.

    Raises:
        Conflict: this release knows no such type.
    """
    try:
        return BODIES[name]
    except KeyError:
        raise Conflict(f"this release knows no event type {name!r}") from None


def split(body: Body) -> Parts:
    """A body's fields as plain values, by class; fields that say nothing (their default) are kept too."""
    plain = msgspec.to_builtins(body)
    parts: Parts = {}
    for field, kind in classes_of(type(body)).items():
        parts.setdefault(kind, {})[field] = plain[field]
    return parts


def join(name: str, schema: int, parts: Mapping[FieldClass, Mapping[str, Any]]) -> Body:
    """A body from the parts that can still be read; what is missing has its default.

    Upcasters are given what can be read too: they may not count on a field of IDENTITY or CONDUCT.

    Raises:
        Conflict: the type or schema is not known to this release.
        Corrupted: the parts are no body of this type.
    """
    wanted = body_type(name)
    current: int = wanted.SCHEMA
    if schema > current:
        raise Conflict(f"{name} has schema {schema}, this release knows {current} at most")
    fields: dict[str, Any] = {}
    for part in parts.values():
        fields.update(part)
    for step in range(schema, current):
        fields = UPCASTERS[name, step](fields)
    try:
        return msgspec.convert(fields, wanted)
    except msgspec.ValidationError as error:
        raise Corrupted(f"the parts of a stored {name} are no such body: {error}") from None
