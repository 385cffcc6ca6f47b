"""A body's commitment: one hash that stands for all its fields and gives none of them away.

Each field is a leaf of an RFC 6962 tree over (class, path), hashed with a salt that is made from the key of
its class: with the salt a single field can be shown and checked, and once the key is destroyed nobody can try
out what a field may have been. The leaf's data are `salt || canonical([class, path, value, count])`, where
`count` is how many fields there are: the tree's root alone would not tell.

The salts of a class are one stream, 16 bytes for each of its paths in order: SHAKE256 over the class's key
for this event, used as a keyed pseudo-random function (FIPS 202; a sponge needs no HMAC around it).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256, shake_256
from typing import Any

from obligor.kernel import InvalidInput, InvariantBroken, encode_each
from obligor.proof.merkle import root_of

__all__ = ["OPEN_KEY", "SALT_BYTES", "Row", "commit", "flatten", "hashes_of", "rows_of", "salts_key"]

SALT_BYTES = 16

# The OPEN class has no secrets, and its salts are public.
OPEN_KEY = bytes(32)

# What a leaf says: class, path, value, and how many fields there are.
Row = tuple[str, str, Any, int]


def salts_key(class_key: bytes, event_id: str) -> bytes:
    """The key of one event's salts: HMAC-SHA256 of the event's id under the key of a person's class."""
    return hmac.digest(class_key, event_id.encode(), "sha256")


def flatten(fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The paths of a part, each with its value, sorted: an object gives a path for each of its entries.

    An object without entries is a value, and so is a list or whatever lies deeper.

    Raises:
        InvalidInput: two fields have one path.
    """
    found: dict[str, Any] = {}
    count = 0
    for name, value in fields.items():
        if type(value) is dict and value:
            count += len(value)
            for key, item in value.items():
                found[f"{name}.{key}"] = item
        else:
            count += 1
            found[name] = value
    if len(found) < count:
        raise InvalidInput("two fields of a body have one path")
    return [(path, found[path]) for path in sorted(found)]


def rows_of(
    parts: Mapping[Any, Mapping[str, Any]], salt_keys: Mapping[Any, bytes]
) -> tuple[list[Row], list[bytes]]:
    """What is committed to, in order (by class, then by path), and the salts.

    Raises:
        InvalidInput: two fields have one path.
        InvariantBroken: a class has no key.
    """
    classes = [(str(kind), flatten(parts[kind])) for kind in sorted(parts)]
    count = sum(len(fields) for _, fields in classes)
    rows: list[Row] = []
    salts: list[bytes] = []
    for name, fields in classes:
        key = salt_keys.get(name)
        if key is None:
            raise InvariantBroken(f"no key for the salts of class {name}")
        stream = shake_256(key).digest(SALT_BYTES * len(fields))
        salts += [stream[at : at + SALT_BYTES] for at in range(0, len(stream), SALT_BYTES)]
        rows += [(name, path, value, count) for path, value in fields]
    return rows, salts


def hashes_of(rows: Sequence[Row], salts: Sequence[bytes]) -> list[bytes]:
    """The leaf hashes of fields, one for each."""
    written = encode_each(rows)
    return [sha256(b"\0" + salt + data).digest() for salt, data in zip(salts, written, strict=True)]


def commit(parts: Mapping[Any, Mapping[str, Any]], salt_keys: Mapping[Any, bytes]) -> bytes:
    """The root over the fields of a body's parts, by class, with the salt key of each class.

    Raises:
        InvalidInput: a value is outside the canonical profile, or two fields have one path.
        InvariantBroken: a class has no key.
    """
    return root_of(hashes_of(*rows_of(parts, salt_keys)))
