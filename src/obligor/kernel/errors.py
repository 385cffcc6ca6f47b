"""What can go wrong, as a tree.

ObligorError
├── Refusal                a request that is answered with no; nothing has changed
│   ├── InvalidInput       the request itself is wrong; every violation is listed
│   │   ├── Malformed      it is not even readable
│   │   └── TooLarge       it is over a limit of size or depth
│   ├── Unauthorised       nobody we know sent it
│   ├── Forbidden          the sender may not do this
│   ├── NotFound           it speaks of something that is not there
│   ├── Conflict           it does not fit what has happened so far
│   │   └── KeyReused      an idempotency key came again with another body
│   ├── Gone               what it asks for was erased
│   ├── Corrupted          a stored artifact or file is not what its digest says
│   └── Unavailable        not now: the store, a source or a limit is out of reach
└── InvariantBroken        a promise of the system does not hold; the program stops

An outcome is no error: a declined application or a missing fact is a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

__all__ = [
    "Conflict",
    "Corrupted",
    "Forbidden",
    "Gone",
    "InvalidInput",
    "InvariantBroken",
    "KeyReused",
    "Malformed",
    "NotFound",
    "ObligorError",
    "Refusal",
    "TooLarge",
    "Unauthorised",
    "Unavailable",
    "Violation",
]

SHOWN_CHARACTERS = 80
# Of a field's path: a sender's own names for fields may be as long as a request.
PATH_CHARACTERS = 200


class Violation(msgspec.Struct, frozen=True):
    """One thing wrong with a request: the field's path, the value as it was shown to us, what would do."""

    field: str
    value: str
    accepted: str

    @classmethod
    def of(cls, field: str, value: object, accepted: str) -> Violation:
        """Show `value` as JSON would, cut to a length that fits a line."""
        try:
            text = msgspec.json.encode(value).decode()
        except (TypeError, ValueError, msgspec.MsgspecError):
            text = str(value)
        return cls(_cut(field, PATH_CHARACTERS), _cut(text, SHOWN_CHARACTERS), accepted)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


class ObligorError(Exception):
    """Everything that obligor raises on purpose."""


class Refusal(ObligorError):
    """A request answered with no. `code` is stable; the detail is for people and holds no personal data.

    The violations may hold what the sender sent: they go back to the sender and into no log.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str, violations: Iterable[Violation] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.violations = tuple(violations)


class InvalidInput(Refusal):
    """The request itself is wrong, whatever the state of the system."""

    code = "invalid"

    @classmethod
    def field(cls, field: str, value: object, accepted: str) -> InvalidInput:
        """A refusal over one field."""
        named = _cut(field, PATH_CHARACTERS)
        return cls(f"{named} is not acceptable: {accepted}", (Violation.of(field, value, accepted),))


class Malformed(InvalidInput):
    """The bytes are not the JSON that was expected."""

    code = "malformed"


class TooLarge(InvalidInput):
    """Over a limit of size, depth or count."""

    code = "too-large"


class Unauthorised(Refusal):
    """The sender showed no credential that we know."""

    code = "unauthorised"


class Forbidden(Refusal):
    """The sender is known and may not do this."""

    code = "forbidden"


class NotFound(Refusal):
    """What the request names does not exist for this tenant."""

    code = "not-found"


class Conflict(Refusal):
    """The request does not fit what has happened so far."""

    code = "conflict"


class KeyReused(Conflict):
    """The same idempotency key came with another body."""

    code = "idempotency-key-reused"


class Gone(Refusal):
    """The answer was personal and its subject has been erased."""

    code = "erased"


class Corrupted(Refusal):
    """A stored artifact is not what its digest says."""

    code = "corrupted"


class Unavailable(Refusal):
    """Not now; try again later."""

    code = "unavailable"


class InvariantBroken(ObligorError):
    """A promise of the system does not hold. Nothing may go on as if it did."""
