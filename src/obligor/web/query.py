"""What an address asks for beside its path: filters, a day, a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from obligor.kernel import InvalidInput, Malformed, Violation, decode

__all__ = ["Paged", "day", "filters", "known", "parameters", "split_page"]

F = TypeVar("F", bound=msgspec.Struct)
MOST = 4096


def parameters(raw: bytes) -> dict[str, str]:
    """The query's parameters by name; empty ones are left out, as a form that was not filled in sends them.

    Raises:
        Malformed: it is too long, no UTF-8, or a name comes twice.
    """
    if len(raw) > MOST:
        raise Malformed.field("?", f"{len(raw)} bytes", f"a query of at most {MOST} bytes")
    try:
        pairs = parse_qsl(raw.decode("ascii"), errors="strict", max_num_fields=40)
    except ValueError:
        raise Malformed.field("?", ascii(raw), "a query of at most 40 parameters in UTF-8") from None
    if nul := [name for name, text in pairs if "\0" in name + text]:
        raise Malformed.field(nul[0], "NUL", "text without NUL")
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = sorted({name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1})
        raise Malformed.field(twice[0], "more than once", "each parameter once")
    return found


def known(asked: dict[str, str], *names: str) -> dict[str, str]:
    """The same parameters, when they are all among those of these names.

    Raises:
        InvalidInput: there is another.
    """
    accepted = "one of " + ", ".join(names) if names else "no parameters"
    if unknown := [Violation.of(name, text, accepted) for name, text in asked.items() if name not in names]:
        raise InvalidInput(f"there is no parameter {unknown[0].field}", unknown)
    return asked


def filters(asked: Mapping[str, str], kind: type[F]) -> F:
    """Parameters as filters.

    Raises:
        InvalidInput: every parameter that is unknown, or does not have the form it must have.
    """
    try:
        found = msgspec.convert(asked, kind, strict=False)
    except msgspec.ValidationError:
        raise InvalidInput("the filters are not acceptable", list(_violations(asked, kind))) from None
    # Read leniently, "null" is no filter at all; who asks for something may not be shown everything.
    names = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    lost = [name for name in asked if getattr(found, names[name]) is None]
    if lost:
        raise InvalidInput(
            "the filters are not acceptable", [Violation.of(name, asked[name], "a value") for name in lost]
        )
    return found


def _violations(asked: Mapping[str, str], kind: type[msgspec.Struct]) -> list[Violation]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found = []
    for name, text in asked.items():
        if name not in fields:
            found.append(Violation.of(name, text, "one of " + ", ".join(fields)))
            continue
        try:
            msgspec.convert(text, fields[name].type, strict=False)
        except msgspec.ValidationError as problem:
            found.append(Violation.of(name, text, str(problem).removeprefix("Expected ").replace("`", "")))
    return found


class Paged(msgspec.Struct, frozen=True):
    """Filters with the place to go on from."""

    filters: Mapping[str, str]
    after: str | None


def split_page(asked: Mapping[str, str], *others: str) -> Paged:
    """The cursor apart from the filters; `others` are parameters that are neither."""
    rest = {name: text for name, text in asked.items() if name != "after" and name not in others}
    return Paged(rest, asked.get("after"))


def day(asked: Mapping[str, str], name: str = "on") -> date | None:
    """A day from the query, None where there is none.

    Raises:
        InvalidInput: it is no date.
    """
    text = asked.get(name)
    if text is None:
        return None
    try:
        return decode(text, date)
    except InvalidInput:
        accepted = "a date of the years 1900 to 2200, such as 2026-01-31"
        raise InvalidInput.field(name, text, accepted) from None
