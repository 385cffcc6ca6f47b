"""The commitments of many bodies at once, in native code: what `commit` says of each, byte for byte.

A body's parts come as the canonical JSON that is sealed, so that what is committed to is read from the very
bytes that are kept. `commit` stays what is meant, and what this is tested against.

This imports numba. Nothing that only verifies may import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_256
from itertools import chain
from typing import Any

import numpy as np
from numba import njit, types

from obligor.events import FieldClass
from obligor.kernel import InvariantBroken
from obligor.proof.commit import SALT_BYTES
from obligor.proof.lanes import BYTES, NUMBERS, compiled, hash_each
from obligor.proof.merkle import EMPTY_ROOT, HASH_BYTES

__all__ = ["Part", "body_roots", "hmac_each", "sha256_each"]

# A part of a body: its class, the key of its salts (see `salts_key`), its canonical JSON.
Part = tuple[str, bytes, bytes]

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]

_TABLE = types.Array(types.int64, 2, "C")
_FIELDS: Any = types.Tuple((_TABLE, NUMBERS))  # type: ignore[no-untyped-call]

# ---- the fields of a body, in its canonical JSON: it was written here, and is not checked again

_QUOTE, _BACKSLASH, _COMMA = 0x22, 0x5C, 0x2C
_OPENS, _CLOSES = (0x7B, 0x5B), (0x7D, 0x5D)
_ENDS = (0x2C, 0x7D, 0x5D)


@njit(inline="always")
def _after_text(text, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The place after the string that begins at `at`."""
    at += 1
    while text[at] != _QUOTE:
        at += 2 if text[at] == _BACKSLASH else 1
    return at + 1


@njit(inline="always")
def _after(text, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The place after the value that begins at `at`, in an object or array."""
    depth = 0
    while True:
        char = text[at]
        at = _after_text(text, at) if char == _QUOTE else at + 1
        if char in _OPENS:
            depth += 1
        elif char in _CLOSES:
            depth -= 1
        if depth == 0 and text[at] in _ENDS:
            return at


@compiled(_FIELDS(BYTES, NUMBERS))
def _fields(text, stops):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Where the fields of parts lie, in the order of their paths, and how many each part has.

    A row has the bounds of the field's name, of the entry's name below it (or 0, 0), and of the value. Names
    of fields are identifiers, whose characters all come after the dot: where fields stand in the order of
    their names, their paths are in order too.
    """
    colons = 0
    for char in text:
        if char == 0x3A:
            colons += 1
    table = np.zeros((colons, 6), np.int64)
    counts = np.zeros(len(stops), np.int64)
    row = 0
    at = 0
    for part in range(len(stops)):
        first = row
        at += 1
        while text[at] not in _CLOSES:
            outer = at + 1
            at = _after_text(text, at)
            outer_stop = at - 1
            at += 1
            if text[at] == _OPENS[0] and text[at + 1] != _CLOSES[0]:
                while text[at] not in _CLOSES:
                    inner = at + 2
                    at = _after_text(text, at + 1)
                    table[row, 0], table[row, 1] = outer, outer_stop
                    table[row, 2], table[row, 3] = inner, at - 1
                    table[row, 4] = at + 1
                    at = _after(text, at + 1)
                    table[row, 5] = at
                    row += 1
                at += 1
            else:
                table[row, 0], table[row, 1], table[row, 4] = outer, outer_stop, at
                at = _after(text, at)
                table[row, 5] = at
                row += 1
            if text[at] == _COMMA:
                at += 1
        at += 1
        counts[part] = row - first
    return table[:row], counts


# ---- leaves and roots

# What a field's row begins with, by class: `["…","`; and all that is in a leaf beside path and value.
_BEGINNINGS = [f'["{kind.value}","'.encode() for kind in sorted(FieldClass)]
_NUMBER_OF = {kind.value: number for number, kind in enumerate(sorted(FieldClass))}
_BEFORE_SIZES = np.array([*map(len, _BEGINNINGS)], np.int64)
_BEFORE = np.array([[*text.ljust(_BEFORE_SIZES.max())] for text in _BEGINNINGS], np.uint8)
_AROUND = SALT_BYTES + int(_BEFORE_SIZES.max()) + len('\0.",,]') + 20


@njit(inline="always")
def _put(out, at, data, start, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Copy bytes, and say where they end."""
    for place in range(stop - start):
        out[at + place] = data[start + place]
    return at + stop - start


@njit(inline="always")
def _put_number(out, at, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write a number in decimals, and say where they end."""
    digits = 1
    while number >= 10**digits:
        digits += 1
    for place in range(digits):
        out[at + digits - 1 - place] = 0x30 + number % 10
        number //= 10
    return at + digits


@compiled(types.void(BYTES, _TABLE, NUMBERS, NUMBERS, NUMBERS, BYTES, BYTES))
def _leaves(text, table, counts, kinds, bodies, salts, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """The leaf hash of each field. Parts have `kinds` and `counts` of fields, bodies so many parts."""
    size = 0
    for row in range(len(table)):
        size += table[row, 1] - table[row, 0] + table[row, 3] - table[row, 2] + table[row, 5] - table[row, 4]
    messages = np.empty(size + len(table) * _AROUND, np.uint8)
    stops = np.empty(len(table), np.int64)
    row = at = part = 0
    for body in range(len(bodies)):
        count = 0
        for each in range(part, part + bodies[body]):
            count += counts[each]
        for each in range(part, part + bodies[body]):
            for _ in range(counts[each]):
                messages[at] = 0
                at = _put(messages, at + 1, salts, SALT_BYTES * row, SALT_BYTES * (row + 1))
                at = _put(messages, at, _BEFORE[kinds[each]], 0, _BEFORE_SIZES[kinds[each]])
                at = _put(messages, at, text, table[row, 0], table[row, 1])
                if table[row, 3]:
                    messages[at] = 0x2E
                    at = _put(messages, at + 1, text, table[row, 2], table[row, 3])
                messages[at], messages[at + 1] = _QUOTE, _COMMA
                at = _put(messages, at + 2, text, table[row, 4], table[row, 5])
                messages[at] = _COMMA
                at = _put_number(messages, at + 1, count)
                messages[at] = _CLOSES[1]
                at += 1
                stops[row] = at
                row += 1
        part += bodies[body]
    hash_each(messages, stops, len(table), out)


@compiled(types.void(BYTES, NUMBERS))
def _raise(nodes, sizes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """From the leaf hashes of trees that follow each other to their roots, in place and all at once.

    A level of a tree at a time, in which a last node without a sibling moves up as it is (RFC 6962, 2.1).
    """
    pairs = 0
    for tree in range(len(sizes)):
        pairs += sizes[tree] // 2
    messages = np.empty((2 * HASH_BYTES + 1) * pairs, np.uint8)
    stops = np.empty(pairs, np.int64)
    hashed = np.empty(HASH_BYTES * pairs, np.uint8)
    while pairs:
        node = at = pair = 0
        for tree in range(len(sizes)):
            for _ in range(sizes[tree] // 2):
                messages[at] = 1
                at = _put(messages, at + 1, nodes, HASH_BYTES * node, HASH_BYTES * (node + 2))
                stops[pair] = at
                pair += 1
                node += 2
            node += sizes[tree] & 1
        hash_each(messages, stops, pairs, hashed)
        node = at = pair = 0
        pairs = 0
        for tree in range(len(sizes)):
            half = sizes[tree] // 2
            at = _put(nodes, at, hashed, HASH_BYTES * pair, HASH_BYTES * (pair + half))
            pair += half
            node += 2 * half
            if sizes[tree] & 1:
                at = _put(nodes, at, nodes, HASH_BYTES * node, HASH_BYTES * (node + 1))
                node += 1
            sizes[tree] -= half
            pairs += sizes[tree] // 2


# ---- what the journal asks for


def sha256_each(messages: Sequence[bytes]) -> list[bytes]:
    """The hash of each message. Beyond some hundred bytes a message, hashlib is as fast."""
    out = np.empty(HASH_BYTES * len(messages), np.uint8)
    hash_each(_joined(messages), _stops(messages), len(messages), out)
    return _apart(out)


def hmac_each(pads: Sequence[tuple[bytes, bytes]], messages: Sequence[bytes]) -> list[bytes]:
    """HMAC-SHA256 of each message under a key of its own, given as its inner and outer block (RFC 2104)."""
    inner = sha256_each([pad[0] + message for pad, message in zip(pads, messages, strict=True)])
    return sha256_each([pad[1] + digest for pad, digest in zip(pads, inner, strict=True)])


def body_roots(bodies: Sequence[Sequence[Part]]) -> list[bytes]:
    """What `commit` gives for each body; the parts of each come in the order of their classes.

    Raises:
        InvariantBroken: a class is none that fields have.
    """
    parts = list(chain.from_iterable(bodies))
    try:
        kinds = np.array([_NUMBER_OF[part[0]] for part in parts], np.int64)
    except KeyError as error:
        raise InvariantBroken(f"no field has the class {error}") from None
    texts = [part[2] for part in parts]
    text = _joined(texts)
    table, counts = _fields(text, _stops(texts))
    sizes = (SALT_BYTES * counts).tolist()
    salts = [shake_256(part[1]).digest(size) for part, size in zip(parts, sizes, strict=True)]
    lengths = np.array([len(body) for body in bodies], np.int64)
    nodes = np.empty(HASH_BYTES * len(table), np.uint8)
    _leaves(text, table, counts, kinds, lengths, _joined(salts), nodes)
    fields = _sums(counts, lengths)
    trees = fields.copy()
    _raise(nodes, trees)
    roots = _apart(nodes[: HASH_BYTES * int(trees.sum())])
    if len(roots) == len(bodies):
        return roots
    found = iter(roots)
    return [next(found) if count else EMPTY_ROOT for count in fields]


def _sums(counts: Numbers, lengths: Numbers) -> Numbers:
    """The sums of runs that are so long and follow each other."""
    ends = np.concatenate(([0], counts.cumsum()))[np.concatenate(([0], lengths.cumsum()))]
    return np.diff(ends)


def _joined(parts: Sequence[bytes]) -> Bytes:
    return np.frombuffer(bytearray().join(parts), np.uint8)


def _stops(parts: Sequence[bytes]) -> Numbers:
    return np.array([*map(len, parts)], np.int64).cumsum()


def _apart(hashes: Bytes) -> list[bytes]:
    data = hashes.tobytes()
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
