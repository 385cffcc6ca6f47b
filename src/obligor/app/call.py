"""What a command is made with: who asks, when, and the means that must not come from the clock itself."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from obligor.app.artifacts import Artifacts
from obligor.app.settings import Settings
from obligor.decision import Reason
from obligor.features import Catalogue
from obligor.kernel import Body, Draft, Entropy, uuid7

__all__ = ["Call", "Means", "tag"]


def tag(key: bytes, kind: str, value: str) -> str:
    """A keyed blind index of a value: equal values meet, nobody without the key can try candidates.

    Spaces are dropped, and letters folded, so that one person is one person however they were typed.
    """
    normal = "".join(unicodedata.normalize("NFKC", value).casefold().split())
    mac = _keyed(key).copy()
    mac.update(f"{kind}|{normal}".encode())
    return mac.hexdigest()[:40]


@lru_cache(maxsize=64)
def _keyed(key: bytes) -> hmac.HMAC:
    """HMAC-SHA256 under a key, before any text: to copy it costs less than to make it."""
    return hmac.new(key, digestmod=hashlib.sha256)


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What every command of a process shares; `texts` are the words of reason codes."""

    settings: Settings
    artifacts: Artifacts
    catalogue: Catalogue
    entropy: Entropy
    texts: Mapping[str, Reason]
    index_key: Callable[[str], bytes]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request on its way to the journal."""

    means: Means
    tenant: str
    actor: str
    received_at: datetime
    at: datetime
    source: str
    source_tag: str | None = None

    def new_id(self) -> str:
        """A fresh id, ordered by the time of the request."""
        return uuid7(self.received_at, self.means.entropy.bytes(10))

    def tag(self, kind: str, value: str) -> str:
        """A blind index of a value under this tenant's key."""
        return tag(self.means.index_key(self.tenant), kind, value)

    def draft(
        self,
        stream: str,
        body: Body,
        subjects: tuple[str, ...] = (),
        *,
        first: bool = False,
        cause: str | None = None,
        replaces: str | None = None,
        event_id: str | None = None,
        at: datetime | None = None,
    ) -> Draft:
        """An event of this request. The one that is `first` carries the sender's reference."""
        return Draft(
            id=event_id or self.new_id(),
            stream=stream,
            subjects=subjects,
            at=at or self.at,
            body=body,
            source=self.source,
            source_ref=self.source_tag if first else None,
            actor=self.actor,
            cause=cause,
            replaces=replaces,
        )
