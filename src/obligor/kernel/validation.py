"""From plain values to a typed struct, or a refusal that lists everything that is wrong."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta

from obligor.kernel.canonical import parse
from obligor.kernel.errors import InvalidInput, Violation
from obligor.kernel.money import EXPONENTS, MOST_MINOR

__all__ = [
    "AmountMinor",
    "AwareTime",
    "Currency",
    "Day",
    "Ident",
    "NonNegativeMinor",
    "Text",
    "decode",
    "ready",
]

T = TypeVar("T")

YEARS = range(1900, 2201)
MOST_VIOLATIONS = 100

AmountMinor = Annotated[int, Meta(ge=1, le=MOST_MINOR, description=f"an integer from 1 to {MOST_MINOR}")]
NonNegativeMinor = Annotated[int, Meta(ge=0, le=MOST_MINOR, description=f"an integer from 0 to {MOST_MINOR}")]
Currency = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:{'|'.join(sorted(EXPONENTS))})\Z",
        description="an ISO 4217 code in capitals, such as EUR",
    ),
]
Ident = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z0-9._:/-]{1,128}\Z", description="1 to 128 letters, digits or any of . _ : / -"),
]
Text = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"\A[^\x00]*\Z",
        description="text of at most 500 characters, none of them NUL",
    ),
]
AwareTime = Annotated[
    datetime,
    Meta(
        tz=True,
        description=f"a time with its zone (RFC 3339), {YEARS[0]} to {YEARS[-1]}, as 2026-01-31T08:30:00Z",
    ),
]
Day = Annotated[date, Meta(description=f"a date from {YEARS[0]} to {YEARS[-1]}, such as 2026-01-31")]

_TIME = "a time with its zone (RFC 3339), such as 2026-01-31T08:30:00Z"
_YEAR = f"a date in the years {YEARS[0]} to {YEARS[-1]}"


def decode(data: Any, type: type[T]) -> T:  # noqa: A002
    """A value of `type` from JSON bytes (as `canonical.parse` reads them) or from plain values.

    Nothing is coerced: no text becomes a number and no fraction an integer. Times have a zone and are turned
    to UTC where they are fields of a struct; dates and times lie in the years 1900 to 2200.

    Raises:
        InvalidInput: with one violation for every field that is wrong, missing or unknown.
    """
    value = parse(data) if isinstance(data, bytes) else data
    try:
        found = msgspec.convert(value, type)
    except (msgspec.ValidationError, OverflowError) as error:
        violations = tuple(_violations(value, type, ""))[:MOST_VIOLATIONS]
        if not violations:
            violations = (Violation.of("$", value, _accepted(error)),)
        raise _refusal(violations) from None
    late = tuple(_settle(found, ""))
    if late:
        raise _refusal(late)
    return found


def ready(*types: Any) -> None:
    """Let msgspec learn of types before they are used; to be called where they are declared.

    It learns of a struct when it first reads one, and the process crashes when two threads do so at once
    (msgspec 0.22). While a module is imported, nobody else has its types yet.
    """
    for each in types:
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.convert(None, each)


def _refusal(violations: tuple[Violation, ...]) -> InvalidInput:
    names = ", ".join(violation.field for violation in violations[:5])
    more = f" and {len(violations) - 5} more" if len(violations) > 5 else ""
    return InvalidInput(f"not acceptable: {names}{more}", violations)


# Most of what a mapping holds.
_UNDATED: frozenset[type] = frozenset({str, int, bool, types.NoneType})


def _settle(value: Any, path: str) -> Iterator[Violation]:
    """Turn the times of structs to UTC, and name dates and times that no loan can have."""
    if isinstance(value, msgspec.Struct):
        for name, written in _dated(type(value)):
            item = getattr(value, name)
            here = f"{path}.{written}" if path else written
            if isinstance(item, datetime):
                problem = _problem(item, here)
                if problem is not None:
                    yield problem
                elif item.tzinfo is not UTC:
                    msgspec.structs.force_setattr(value, name, item.astimezone(UTC))
            else:
                yield from _settle(item, here)
    elif isinstance(value, date):
        problem = _problem(value, path)
        if problem is not None:
            yield problem
    elif isinstance(value, Mapping):
        dated = [(key, item) for key, item in value.items() if item.__class__ not in _UNDATED]
        for key, item in dated:
            yield from _settle(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _settle(item, f"{path}[{index}]")


def _problem(value: date, path: str) -> Violation | None:
    if isinstance(value, datetime) and value.tzinfo is None:
        return Violation.of(path, value.isoformat(), _TIME)
    if value.year not in YEARS:
        return Violation.of(path, value.isoformat(), _YEAR)
    return None


@cache
def _dated(struct: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """The fields of a struct that can hold a date or time, by name and by the name they are sent under."""
    return tuple(
        (field.name, field.encode_name)
        for field in msgspec.structs.fields(struct)
        if _may_date(field.type, ())
    )


def _may_date(kind: Any, within: tuple[Any, ...]) -> bool:
    if kind is Any or kind is datetime or kind is date:
        return True
    if _is_struct(kind):
        fields = msgspec.structs.fields(kind)
        return kind in within or any(_may_date(field.type, (*within, kind)) for field in fields)
    return any(_may_date(part, within) for part in get_args(kind))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _violations(value: Any, kind: Any, path: str) -> Iterator[Violation]:
    """Everything wrong with a value, field by field: the slow path, for what is known to be wrong."""
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        inner = tuple(_inside(value, _bare(kind), path))
        yield from inner or (Violation.of(path or "$", value, _described(kind) or _accepted(error)),)


def _inside(value: Any, kind: Any, path: str) -> Iterator[Violation]:
    """What is wrong inside of an object or array; nothing where the value itself is of the wrong kind."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        fitting = [part for part in parts if _fits(value, part)]
        if len(fitting) == 1:
            yield from _violations(value, fitting[0], path)
    elif _is_struct(kind) and isinstance(value, Mapping):
        yield from _fields(value, kind, path)
    elif origin is dict and isinstance(value, Mapping):
        for key, item in value.items():
            here = f"{path}.{key}" if path else str(key)
            yield from _violations(key, parts[0], here)
            yield from _violations(item, parts[1], here)
    elif origin in {list, tuple} and isinstance(value, list | tuple) and (origin is list or parts[-1] is ...):
        for index, item in enumerate(value):
            yield from _violations(item, parts[0], f"{path}[{index}]")


def _fields(value: Mapping[Any, Any], struct: type[msgspec.Struct], path: str) -> Iterator[Violation]:
    prefix = f"{path}." if path else ""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name, field in fields.items():
        if name in value:
            yield from _violations(value[name], field.type, prefix + name)
        elif field.required:
            yield Violation(prefix + name, "(missing)", _described(field.type) or "a value")
    config = struct.__struct_config__
    if config.forbid_unknown_fields:
        known = {*fields, config.tag_field}
        accepted = "one of " + ", ".join(fields) if fields else "no fields"
        for name in value:
            if name not in known:
                yield Violation.of(f"{prefix}{name}", name, accepted)


def _fits(value: Any, kind: Any) -> bool:
    """Whether an object, array or scalar is what this part of a union is about."""
    bare = _bare(kind)
    target = get_origin(bare) or bare
    if target is type(None):
        return value is None
    if isinstance(value, Mapping):
        return target is dict or (_is_struct(target) and _tag_fits(value, target))
    if isinstance(value, list | tuple):
        return target in {list, tuple}
    if isinstance(value, str):
        return target in {str, datetime, date}
    return target is type(value)


def _tag_fits(value: Mapping[Any, Any], struct: type[msgspec.Struct]) -> bool:
    config = struct.__struct_config__
    return config.tag is None or value.get(config.tag_field) == config.tag


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _described(kind: Any) -> str | None:
    """What a type says of itself, if it does."""
    if get_origin(kind) is Annotated:
        for meta in reversed(get_args(kind)[1:]):
            if isinstance(meta, Meta) and meta.description:
                return meta.description
    if get_origin(kind) in {Union, types.UnionType}:
        parts = [_described(part) for part in get_args(kind)]
        if all(parts):
            return ", or ".join(cast("list[str]", parts))
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    return _WORDS.get(kind) or _WORDS.get(get_origin(kind)) or ("an object" if _is_struct(kind) else None)


_WORDS: dict[Any, str] = {
    bool: "true or false",
    dict: "an object",
    date: "a date such as 2026-01-31",
    datetime: _TIME,
    int: "an integer",
    list: "an array",
    tuple: "an array",
    str: "text",
    type(None): "null",
}


def _accepted(error: BaseException) -> str:
    """What would do, in the words of msgspec."""
    return str(error).partition(" - at `")[0].removeprefix("Expected ").replace("`", "")
