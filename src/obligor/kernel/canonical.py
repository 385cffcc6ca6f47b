"""One value, one sequence of bytes: RFC 8785 JSON within a profile, and a guard on bytes that come in.

The profile: objects with ASCII keys, arrays, strings, integers up to 2^53 either way, booleans, null.
Decimals are strings, so no number's text is ever in doubt, and ASCII keys sort alike as bytes and as the
UTF-16 units that RFC 8785 sorts by.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import Enum
from types import GenericAlias, NoneType
from typing import Annotated, Any, NoReturn

import msgspec

from obligor.kernel.errors import InvalidInput, Malformed, TooLarge

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_INTEGER",
    "digest",
    "encode",
    "encode_each",
    "parse",
    "sha256_hex",
]

MAX_INTEGER = 2**53
MAX_DEPTH = 32
MAX_BYTES = 1_048_576

_WRITE = msgspec.json.Encoder(order="deterministic").encode
_INTEGERS = f"an integer from -{MAX_INTEGER} to {MAX_INTEGER}; larger numbers and decimals as strings"
_VALUES = "an object, array, string, integer, boolean, null, date or time with its zone"


def _profile(levels: int) -> Any:
    """The profile as a type, down to so many levels of arrays and objects."""
    scalar: Any = NoneType | bool | Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | str
    if levels == 0:
        return scalar
    inner = _profile(levels - 1)
    return scalar | GenericAlias(list, (inner,)) | GenericAlias(dict, (str, inner))


# msgspec keeps what it knows of a type with a struct, and checks in C: the way nearly every value goes.
_Plain = msgspec.defstruct("_Plain", [("value", _profile(6))])
# It learns of the type when it first uses it, and crashes when two threads do so at once (0.22): so, now.
msgspec.convert({"value": None}, _Plain)
# What msgspec says of a value that it does not take, or does not write.
_NOT_PLAIN = (msgspec.ValidationError, AttributeError, TypeError, UnicodeEncodeError, RecursionError)


def encode(value: Any) -> bytes:
    """The canonical bytes of a value.

    Structs become objects, tuples arrays, sets sorted arrays, members of an enumeration their values, dates
    and times ISO 8601 (times in UTC). Bytes are equal exactly when the values are.

    Raises:
        InvalidInput: the value is outside the profile; the field is named by its path.
        TooLarge: it is nested deeper than `MAX_DEPTH`.
    """
    try:
        msgspec.convert({"value": value}, _Plain)
        written = _WRITE(value)
    except _NOT_PLAIN:
        written = b""
    if written and (written.isascii() or _has_ascii_keys(value)):
        return written
    return _WRITE(_plain(value, "", MAX_DEPTH))


def encode_each(values: Sequence[Any]) -> list[bytes]:
    """The canonical bytes of each of several values, which costs less than one by one.

    Raises:
        InvalidInput: as for `encode`.
        TooLarge: as for `encode`.
    """
    try:
        msgspec.convert({"value": values}, _Plain)
        written = list(map(_WRITE, values))
    except _NOT_PLAIN:
        return [encode(value) for value in values]
    if b"".join(written).isascii() or all(map(_has_ascii_keys, values)):
        return written
    return [encode(value) for value in values]


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(encode(value)).hexdigest()


def sha256_hex(data: bytes) -> str:
    """SHA-256 of bytes as they are, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _has_ascii_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(str.isascii, value)) and all(map(_has_ascii_keys, value.values()))
    return not isinstance(value, list | tuple) or all(map(_has_ascii_keys, value))


def _plain(value: Any, path: str, depth: int) -> Any:
    """The same value in plain types, or the refusal that says where it leaves the profile."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, _INSIDE):
        if depth == 0:
            raise TooLarge.field(path, "…", f"at most {MAX_DEPTH} levels")
        return _plain_inside(value, path, depth - 1)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int | float):
        return _number(value, path)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput.field(path or "$", str(value), "a time with its zone")
        return msgspec.to_builtins(value.astimezone(UTC))
    if isinstance(value, date):
        return value.isoformat()
    raise InvalidInput.field(path or "$", type(value).__name__, _VALUES)


_INSIDE = (msgspec.Struct, Mapping, list, tuple, set, frozenset)


def _plain_inside(value: Any, path: str, depth: int) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]", depth) for index, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        try:
            return sorted(_plain(item, f"{path}[]", depth) for item in value)
        except TypeError:
            raise InvalidInput.field(path or "$", "a set", "sets of strings, or of integers") from None
    pairs = _fields(value) if isinstance(value, msgspec.Struct) else value.items()
    return {
        _key(key, path): _plain(item, f"{path}.{key}" if path else str(key), depth) for key, item in pairs
    }


def _fields(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    tag = kind.__struct_config__.tag
    if tag is not None:
        yield str(kind.__struct_config__.tag_field), tag
    for name, written in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        yield written, getattr(value, name)


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str) or not key.isascii():
        raise InvalidInput.field(path or "$", str(key), "keys of ASCII characters")
    return str(key.value) if isinstance(key, Enum) else str(key)


def _number(value: Any, path: str) -> int:
    if isinstance(value, float) or not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise InvalidInput.field(path or "$", str(value), _INTEGERS)
    return int(value)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput.field(path or "$", ascii(value), "text without lone surrogates") from None
    return str(value)


_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# What only a slower look can tell apart: escapes of surrogates, integers past 2^53, and keys that end with
# a space before their colon.
_SUSPECT = re.compile(rb'\\u[dD]|[0-9]{16}|"\s+:')


def parse(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """JSON from outside, as plain values; what two readers could read in two ways is refused.

    Fractions come as floats, for whoever asks for a type to refuse them by name.

    Raises:
        TooLarge: more than `max_bytes`, or arrays and objects nested deeper than `max_depth`.
        Malformed: no JSON (RFC 8259) in UTF-8, a lone surrogate, or a number that no number stands for.
        InvalidInput: a key comes twice in one object, or an integer is past 2^53.
    """
    if len(data) > max_bytes:
        raise TooLarge.field("$", f"{len(data)} bytes", f"at most {max_bytes} bytes")
    if data.count(b"[") + data.count(b"{") > max_depth and _depth(data) > max_depth:
        raise TooLarge.field("$", "arrays and objects in one another", f"at most {max_depth} levels")
    if not _SUSPECT.search(data):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            value = _DECODE(data)
            # As many keys as there are ends of keys, if not more: so no key comes twice.
            if data.count(b'":') == _keys(value):
                return value
    try:
        value = _READ(data.decode())
    except UnicodeDecodeError as error:
        raise Malformed.field("$", f"byte {error.start}", "JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        found = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise Malformed.field("$", found, "JSON (RFC 8259)") from None
    except ValueError:
        raise InvalidInput.field("$", "a number of thousands of digits", _INTEGERS) from None
    if _SUSPECT.search(data):
        _inspect(value, "")
    return value


def _keys(value: Any) -> int:
    """How many keys there are in objects, at any depth."""
    if isinstance(value, dict):
        return len(value) + sum([_keys(item) for item in value.values() if item.__class__ in _DEEP])
    return sum([_keys(item) for item in value if item.__class__ in _DEEP]) if isinstance(value, list) else 0


def _depth(data: bytes) -> int:
    """How deep brackets nest outside of strings."""
    deepest = depth = 0
    for bracket in _STRINGS.sub(b"", data).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidInput.field(key, key, "each key once in an object")
            seen.add(key)
    return found


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Malformed.field("$", text, "a number within the range of a double")
    return value


def _no_number(text: str) -> NoReturn:
    raise Malformed.field("$", text, "JSON (RFC 8259), which has no such number")


_DECODE = msgspec.json.Decoder().decode
_DEEP: frozenset[type] = frozenset({dict, list})
_READ = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_number).decode


def _inspect(value: Any, path: str) -> None:
    """Refuse lone surrogates and integers past 2^53."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Malformed.field(path or "$", ascii(value), "text without lone surrogates") from None
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _inspect(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _inspect(key, path)
            _inspect(item, f"{path}.{key}" if path else key)
    elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise InvalidInput.field(path or "$", str(value), _INTEGERS)
