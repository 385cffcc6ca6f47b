"""What a log says of itself (C2SP tlog-checkpoint): its name, its size and its root."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from obligor.kernel import Corrupted, InvalidInput
from obligor.proof.merkle import HASH_BYTES

__all__ = ["Checkpoint"]

_SIZE = re.compile("0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's origin, how many entries it has, and the root over them; extensions are lines of others."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if not all(lines) or any("\n" in line for line in lines):
            raise InvalidInput.field("origin", self.origin, "single lines that are not empty")
        if self.size < 0 or len(self.root) != HASH_BYTES:
            raise InvalidInput.field(
                "size", self.size, f"a size of at least 0 and a root of {HASH_BYTES} bytes"
            )

    def text(self) -> str:
        """The lines that are signed."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note that was opened.

        Raises:
            Corrupted: it is no checkpoint, or is written otherwise than `text` writes it.
        """
        try:
            origin, size, root, *extensions, end = text.split("\n")
            if end or not _SIZE.fullmatch(size):
                raise ValueError(size)
            found = cls(origin, int(size), base64.b64decode(root, validate=True), tuple(extensions))
        except (ValueError, binascii.Error, InvalidInput):
            raise Corrupted("not a checkpoint") from None
        if found.text() != text:
            raise Corrupted("not a checkpoint in its one form")
        return found
