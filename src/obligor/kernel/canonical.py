"""One value, one sequence of bytes: RFC 8785 JSON within a profile, and a guard on bytes that come in.

The profile: objects with ASCII keys, arrays, strings, integers up to 2^53 either way, booleans, null.
Decimals are strings, so no number's text is ever in doubt, and ASCII keys sort alike as bytes and as the
UTF-16 units that RFC 8785 sorts by.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, NoReturn

import msgspec

from obligor.kernel.errors import InvalidInput, Malformed, TooLarge

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_INTEGER", "digest", "encode", "parse", "sha256_hex"]

MAX_INTEGER = 2**53
MAX_DEPTH = 32
MAX_BYTES = 1_048_576

_WRITE = msgspec.json.Encoder(order="deterministic").encode
_INTEGERS = f"an integer from -{MAX_INTEGER} to {MAX_INTEGER}; larger numbers and decimals as strings"
_VALUES = "an object, array, string, integer, boolean, null, date or time with its zone"
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def encode(value: Any) -> bytes:
    """The canonical bytes of a value.

    Structs become objects, tuples arrays, members of an enumeration their values, dates and times ISO 8601
    (times in UTC). Bytes are equal exactly when the values are.

    Raises:
        InvalidInput: the value is outside the profile; its field is named by its path.
        TooLarge: it is nested deeper than `MAX_DEPTH`.
    """
    try:
        if _is_plain(value, MAX_DEPTH):
            return _WRITE(value)
    except UnicodeEncodeError:
        pass
    return _WRITE(_plain(value, "$", MAX_DEPTH))


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(encode(value)).hexdigest()


def sha256_hex(data: bytes) -> str:
    """SHA-256 of bytes as they are, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a value is in the profile as it stands: the path that nearly every event takes."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -MAX_INTEGER <= value <= MAX_INTEGER
    if not depth:
        return False
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return False
            kind = type(item)
            if kind is str or item is None or kind is bool:
                continue
            if not _is_plain(item, depth - 1):
                return False
        return True
    if kind is list or kind is tuple:
        for item in value:
            if type(item) is not str and not _is_plain(item, depth - 1):
                return False
        return True
    return False


def _plain(value: Any, path: str, depth: int) -> Any:
    """The same value in plain types, or the refusal that says where it leaves the profile."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, path, depth)
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return int(value)
        raise InvalidInput.field(path, value, _INTEGERS)
    if isinstance(value, float):
        raise InvalidInput.field(path, str(value), _INTEGERS)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput.field(path, str(value), "a time with its zone")
        return msgspec.to_builtins(value.astimezone(UTC))
    if isinstance(value, date):
        return value.isoformat()
    if depth == 0:
        raise TooLarge.field(path, "…", f"at most {MAX_DEPTH} levels")
    if isinstance(value, msgspec.Struct):
        return {name: _plain(item, f"{path}.{name}", depth - 1) for name, item in _fields(value)}
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(item, f"{path}.{key}", depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]", depth - 1) for index, item in enumerate(value)]
    raise InvalidInput.field(path, type(value).__name__, _VALUES)


def _fields(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    tag = kind.__struct_config__.tag
    if tag is not None:
        yield str(kind.__struct_config__.tag_field), tag
    for name, written in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        yield written, getattr(value, name)


def _key(key: Any, path: str) -> str:
    if isinstance(key, Enum):
        key = key.value
    if not isinstance(key, str) or not key.isascii():
        raise InvalidInput.field(path, str(key), "keys of ASCII characters")
    return str(key)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput.field(path, ascii(value), "text without lone surrogates") from None
    return str(value)


def parse(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """JSON from outside, as plain values; what two readers could read in two ways is refused.

    Raises:
        TooLarge: more than `max_bytes`, or arrays and objects nested deeper than `max_depth`.
        Malformed: no JSON (RFC 8259) in UTF-8, a lone surrogate, or a number that no number stands for.
        InvalidInput: a key comes twice in one object.
    """
    if len(data) > max_bytes:
        raise TooLarge.field("$", f"{len(data)} bytes", f"at most {max_bytes} bytes")
    if _depth(data) > max_depth:
        raise TooLarge.field("$", "arrays and objects in one another", f"at most {max_depth} levels")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed.field("$", f"byte {error.start}", "JSON in UTF-8") from None
    try:
        value = _READ(text)
    except json.JSONDecodeError as error:
        raise Malformed.field(
            "$", f"line {error.lineno}, column {error.colno}: {error.msg}", "JSON (RFC 8259)"
        ) from None
    if b"\\u" in data:
        _refuse_lone_surrogates(value, "$")
    return value


def _depth(data: bytes) -> int:
    """How deep brackets nest outside of strings, or a higher figure where that is plainly low enough."""
    opened = data.count(b"[") + data.count(b"{")
    if opened <= 8:
        return opened
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


def _integer(text: str) -> int:
    if len(text) > 20:
        raise Malformed.field("$", text, _INTEGERS)
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise Malformed.field("$", text, "JSON (RFC 8259), which has no such number")


_READ = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_int=_integer, parse_constant=_no_number
).decode


def _refuse_lone_surrogates(value: Any, path: str) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Malformed.field(path, ascii(value), "text without lone surrogates") from None
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_lone_surrogates(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_lone_surrogates(key, path)
            _refuse_lone_surrogates(item, f"{path}.{key}")
