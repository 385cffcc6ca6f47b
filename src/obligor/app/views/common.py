"""What every answer says: whose books, known up to where; and the parts that several answers share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

__all__ = [
    "Checkpoint",
    "Choices",
    "Context",
    "EventRow",
    "EventView",
    "Reason",
    "View",
]


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer; its JSON is the page's twin."""


class Context(View, frozen=True, kw_only=True):
    """Whose books, known up to where. `as_of` is the latest `at` of any event, `size` the journal's entries.

    `label` is what the data are called on every page ("simulated", empty for real ones); `note` says more of
    it. The counts stand in the menu.
    """

    tenant: str
    lender: str
    currency: str
    zone: str
    as_of: datetime | None
    size: int
    label: str = ""
    note: str = ""
    decisions: int = 0
    loans: int = 0
    alerts_open: int = 0


class Reason(View, frozen=True, kw_only=True):
    """Why: a stable code with its texts. `points` are what it cost in the score, if it did."""

    code: str
    en: str
    zh: str
    points: int | None = None


class EventRow(View, frozen=True, kw_only=True):
    """An event with what of its body can be read: `body` as plain JSON values, erased fields left out."""

    event_id: str
    known_seq: int
    type: str
    at: datetime
    recorded_at: datetime
    stream: str
    source: str
    actor: str
    body: dict[str, Any] = {}
    erased: tuple[str, ...] = ()


class EventView(EventRow, frozen=True, kw_only=True):
    """One entry of the journal. `classes` gives the class of each field; `leaf` is its leaf hash, hex."""

    stream_version: int
    schema: int
    subjects: tuple[str, ...]
    cause: str | None
    replaces: str | None
    classes: dict[str, str]
    leaf: str


class Checkpoint(View, frozen=True, kw_only=True):
    """The last signed checkpoint: `root` in base64, `key` the signer's name."""

    origin: str
    size: int
    root: str
    key: str
    signed_at: datetime | None = None


class Choices(View, frozen=True, kw_only=True):
    """What the filters can be set to."""

    stages: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    strategies: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
