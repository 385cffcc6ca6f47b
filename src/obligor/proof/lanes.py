"""SHA-256 (FIPS 180-4) of many messages side by side, one in each lane of a vector.

LLVM turns vectors of words into whatever instructions the processor has. A call of hashlib costs more than
the two blocks that a leaf or a node has; it stays what this is tested against.

This imports numba. Nothing that only verifies may import it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from obligor.proof.merkle import HASH_BYTES

__all__ = ["BYTES", "LANES", "NUMBERS", "compiled", "hash_each"]

LANES = 8


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _fraction(prime: int, root: int) -> int:
    """The first 32 bits of the fraction of a prime's square or cube root."""
    scaled = prime << 32 * root
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**root <= scaled else (low, middle)
    return low & 0xFFFFFFFF


START = np.array([_fraction(prime, 2) for prime in _primes(8)], np.uint32)
ROUNDS = [_fraction(prime, 3) for prime in _primes(64)]

# ---- SHA-256, a block for each lane

_VECTOR = ir.VectorType(ir.IntType(32), LANES)


def _all(number: int) -> Any:
    return ir.Constant(_VECTOR, [ir.Constant(ir.IntType(32), number)] * LANES)


class _Words:
    """Vectors of words, as FIPS 180-4 writes with them (section 4.1.2)."""

    def __init__(self, builder: Any) -> None:
        self.b = builder

    def add(self, *words: Any) -> Any:
        total = words[0]
        for word in words[1:]:
            total = self.b.add(total, word)
        return total

    def turned(self, word: Any, *by: int, shifted: int = 0) -> Any:
        """The exclusive or of a word rotated right by so many places, and of it shifted."""
        parts = [self.b.or_(self.b.lshr(word, _all(n)), self.b.shl(word, _all(32 - n))) for n in by]
        if shifted:
            parts.append(self.b.lshr(word, _all(shifted)))
        total = parts[0]
        for part in parts[1:]:
            total = self.b.xor(total, part)
        return total

    def choose(self, x: Any, y: Any, z: Any) -> Any:
        return self.b.xor(z, self.b.and_(x, self.b.xor(y, z)))

    def majority(self, x: Any, y: Any, z: Any) -> Any:
        return self.b.or_(self.b.and_(x, y), self.b.and_(z, self.b.or_(x, y)))


def _compress_code(_typing: Any, _state: Any, _block: Any) -> Any:
    """Take a block into each lane's state: (8, LANES) and (16, LANES) words, both contiguous."""
    array = types.Array(types.uint32, 2, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = [
            builder.bitcast(context.make_array(kind)(context, builder, value).data, _VECTOR.as_pointer())
            for kind, value in zip(signature.args, args, strict=True)
        ]

        def place(pointer: Any, index: int) -> Any:
            return builder.gep(pointer, [ir.Constant(ir.IntType(64), index)])

        # Arrays are aligned to 4 bytes for sure, and not to a vector's.
        before = [builder.load(place(data[0], index), align=4) for index in range(8)]
        w = [builder.load(place(data[1], index), align=4) for index in range(16)]
        do = _Words(builder)
        a, b, c, d, e, f, g, h = before
        for t, constant in enumerate(ROUNDS):
            if t >= 16:
                early, late = w[(t - 15) % 16], w[(t - 2) % 16]
                w[t % 16] = do.add(
                    w[t % 16],
                    do.turned(early, 7, 18, shifted=3),
                    w[(t - 7) % 16],
                    do.turned(late, 17, 19, shifted=10),
                )
            first = do.add(h, do.turned(e, 6, 11, 25), do.choose(e, f, g), _all(constant), w[t % 16])
            second = do.add(do.turned(a, 2, 13, 22), do.majority(a, b, c))
            a, b, c, d, e, f, g, h = do.add(first, second), a, b, c, do.add(d, first), e, f, g
        for index, (old, new) in enumerate(zip(before, (a, b, c, d, e, f, g, h), strict=True)):
            builder.store(builder.add(old, new), place(data[0], index), align=4)
        return context.get_dummy_value()

    return types.void(array, array), codegen


_compress: Any = intrinsic(_compress_code)


def compiled(signature: Any) -> Callable[[Any], Any]:
    """Compile now, and keep the machine code where there is a place for it."""

    def compiled(function: Any) -> Any:
        try:
            return njit(signature, cache=True)(function)
        except RuntimeError:  # no directory to keep it in can be written to
            return njit(signature)(function)

    return compiled


BYTES = types.Array(types.uint8, 1, "C")
NUMBERS = types.Array(types.int64, 1, "C")


def _word_code(_typing: Any, _data: Any, _at: Any) -> Any:
    """The four bytes at a place as a number, the first of them its highest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(start, [args[1]]), ir.IntType(32).as_pointer())
        return builder.bswap(builder.load(place, align=1))

    return types.uint32(BYTES, types.int64), codegen


_word: Any = intrinsic(_word_code)


@njit(inline="always")
def _fill(data, start, stop, block, words, lane):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """A block of the message from start to stop, padded (section 5.1.1), into a lane."""
    at = start + 64 * block
    if at + 64 <= stop:
        for word in range(16):
            words[word, lane] = _word(data, at + 4 * word)
    else:
        for word in range(16):
            place = at + 4 * word
            value = np.uint32(0)
            if place + 4 <= stop:
                value = _word(data, place)
            elif place <= stop:
                for _ in range(stop - place):
                    value = value << np.uint32(8) | np.uint32(data[place])
                    place += 1
                value = (value << np.uint32(8) | np.uint32(0x80)) << np.uint32(8 * (at + 4 * word + 3 - stop))
            words[word, lane] = value
        if at + 64 >= stop + 9:
            bits = np.uint64(stop - start) << np.uint64(3)
            words[14, lane] = np.uint32(bits >> np.uint64(32))
            words[15, lane] = np.uint32(bits & np.uint64(0xFFFFFFFF))


@compiled(types.void(BYTES, NUMBERS, types.int64, BYTES))
def hash_each(data, stops, count, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The hash of each of `count` messages, which follow each other: each lane works through its own."""
    state = np.zeros((8, LANES), np.uint32)
    words = np.zeros((16, LANES), np.uint32)
    # What a lane is at: the message, -1 for none, and how many of its blocks are done.
    message = np.full(LANES, -1, np.int64)
    done = np.zeros(LANES, np.int64)
    following = 0
    busy = 0
    while following < count or busy:
        for lane in range(LANES):
            if message[lane] < 0 and following < count:
                message[lane] = following
                done[lane] = 0
                following += 1
                busy += 1
                for word in range(8):
                    state[word, lane] = START[word]
            index = message[lane]
            if index >= 0:
                start = stops[index - 1] if index else 0
                _fill(data, start, stops[index], done[lane], words, lane)
        _compress(state, words)
        for lane in range(LANES):
            index = message[lane]
            if index < 0:
                continue
            done[lane] += 1
            start = stops[index - 1] if index else 0
            if 64 * done[lane] < stops[index] - start + 9:
                continue
            for word in range(8):
                value = state[word, lane]
                at = HASH_BYTES * index + 4 * word
                out[at] = np.uint8(value >> np.uint32(24))
                out[at + 1] = np.uint8(value >> np.uint32(16) & np.uint32(255))
                out[at + 2] = np.uint8(value >> np.uint32(8) & np.uint32(255))
                out[at + 3] = np.uint8(value & np.uint32(255))
            message[lane] = -1
            busy -= 1
