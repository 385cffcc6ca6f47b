"""Names for things: ordered by time, derived from what they are about, or short for people."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

from obligor.kernel.canonical import encode
from obligor.kernel.errors import InvalidInput

__all__ = ["derived_id", "short", "uuid7"]

ENTROPY_BYTES = 10

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_UUID = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def uuid7(at: datetime, entropy: bytes) -> str:
    """A UUID of version 7 (RFC 9562, 5.7): 48 bits of milliseconds since 1970, then 74 of 80 random bits.

    Raises:
        InvalidInput: entropy of another length than 10 bytes, or a time before 1970 or without its zone.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise InvalidInput.field("entropy", len(entropy), f"{ENTROPY_BYTES} bytes")
    if at.tzinfo is None or at < _EPOCH:
        raise InvalidInput.field("at", str(at), "a time from 1970 on, with its zone")
    random = int.from_bytes(entropy)
    return _written((at - _EPOCH) // _MILLISECOND << 80 | random, version=7)


def derived_id(*parts: str | int) -> str:
    """A UUID of version 8 (RFC 9562, 5.8): 122 bits of SHA-256 over the parts' canonical bytes.

    The same parts in the same order always give the same id; ("ab", "c") and ("a", "bc") give two.
    """
    return _written(int.from_bytes(hashlib.sha256(encode(parts)).digest()[:16]), version=8)


def short(identity: str) -> str:
    """An id for people: the last 40 bits of a UUID as 8 characters (Crockford's base 32), any other as it is.

    It is for showing and not for looking up: two ids may share it.
    """
    if not _UUID.fullmatch(identity):
        return identity
    low = int(identity[-10:], 16)
    return "".join(_CROCKFORD[low >> shift & 31] for shift in range(35, -1, -5))


def _written(number: int, version: int) -> str:
    number = number & ~(0xF << 76 | 0x3 << 62) | version << 76 | 0x2 << 62
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
