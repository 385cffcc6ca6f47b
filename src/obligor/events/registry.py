"""From a body to its sealed parts and back, through every schema it ever had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import msgspec

from obligor.events import lending, parties, running, servicing, watching
from obligor.events.classes import FieldClass, classes_of
from obligor.kernel import Body, Conflict, Corrupted, ready

__all__ = ["BODIES", "UPCASTERS", "Parts", "body_type", "join", "read", "split"]

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
_DECODERS = {name: msgspec.json.Decoder(body).decode for name, body in BODIES.items()}
_PART = msgspec.json.Decoder(dict[str, Any]).decode

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
    """A body's fields as plain values, by class, in the order of the classes' names.

    Fields that say nothing (their default) are kept too.
    """
    plain = msgspec.to_builtins(body)
    return {kind: {name: plain[name] for name in names} for kind, names in _layout(type(body))}


@cache
def _layout(body: type[Body]) -> tuple[tuple[FieldClass, tuple[str, ...]], ...]:
    """The names of a type's fields by class."""
    classes = classes_of(body)
    return tuple(
        (kind, tuple(name for name, of in classes.items() if of is kind))
        for kind in sorted({*classes.values()})
    )


def read(name: str, schema: int, texts: Mapping[FieldClass, bytes]) -> Body:
    """What `join` makes of the parts whose canonical JSON this is: read in one go where it can be.

    Raises:
        Conflict: as for `join`.
        Corrupted: as for `join`; also where a text is no JSON.
    """
    try:
        if schema == body_type(name).SCHEMA:
            found = [text for text in texts.values() if text != b"{}"]
            if len(found) == 1:
                return _DECODERS[name](found[0])
            if all(text.startswith(b"{") and text.endswith(b"}") for text in found):
                return _DECODERS[name](b"{%b}" % b",".join([text[1:-1] for text in found]))
        parts = {kind: _PART(text) for kind, text in texts.items()}
    except msgspec.MsgspecError as error:
        raise Corrupted(f"the parts of a stored {name} are no such body: {error}") from None
    return join(name, schema, parts)


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
