"""A client's attempt to have something done once, however often it has to be sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from obligor.kernel import encode

__all__ = ["Attempt"]


@dataclass
class Attempt:
    """What is sent under one name. `bodies` are the one that is meant and others sent under the same key.

    `after` is the largest place that was acknowledged to anybody when it was first sent. `answers` are the
    bytes received, by the body they answer; `ended` says how it came out: "answered", "refused", "erased".
    """

    client: str
    name: str
    kind: str
    bodies: list[Mapping[str, Any]]
    key: str | None
    after: int | None = None
    sending: int = 0
    sent: set[int] = field(default_factory=set)
    answers: dict[int, bytes] = field(default_factory=dict)
    ended: str | None = None
    refusal: str | None = None

    @property
    def idempotency(self) -> tuple[str, str] | None:
        if self.key is None:
            return None
        return self.key, hashlib.sha256(encode(self.bodies[self.sending])).hexdigest()
