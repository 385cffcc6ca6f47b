"""What the questions share: a way to the journal, the day the books have reached, pages of rows."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from obligor.app import states
from obligor.app.call import Means
from obligor.app.proposal import fold
from obligor.app.stages import words
from obligor.app.views import EventRow, Reason
from obligor.events import FieldClass, split
from obligor.journal import Reader
from obligor.kernel import Event, InvalidInput, NotFound

__all__ = [
    "PAGE",
    "Books",
    "Where",
    "after_of",
    "cursor_of",
    "event_row",
    "mean",
    "moment",
    "readable",
]

PAGE = 50


@dataclass(frozen=True, slots=True)
class Books:
    """A tenant's books as a question sees them."""

    reader: Reader
    means: Means
    tenant: str

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a statement whose first parameter is the tenant."""
        return self.reader.query(sql, (self.tenant, *values))

    def one(self, sql: str, *values: Any) -> dict[str, Any] | None:
        """The first row, if any."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def as_of(self) -> datetime | None:
        """When the last event was true; None for an empty journal."""
        size = self.reader.size(self.tenant)
        return self.reader.at(self.tenant, size - 1).at if size else None

    def today(self) -> date:
        """The day that the books have reached, in the tenant's zone."""
        at = self.as_of() or datetime.now(UTC)
        return at.astimezone(ZoneInfo(self.means.settings.zone)).date()

    def event(self, event_id: str) -> Event:
        """An event by its id.

        Raises:
            NotFound: there is none.
        """
        return self.reader.event(self.tenant, event_id)

    def stream(self, stream: str) -> list[Event]:
        """A stream's events, oldest first.

        Raises:
            NotFound: it has none.
        """
        events = list(self.reader.events(self.tenant, stream=stream))
        if not events:
            kind, _, name = stream.partition("/")
            raise NotFound(f"there is no {kind} {name!r}")
        return events

    def application(self, application_id: str) -> tuple[states.Application, list[Event]]:
        """An application's state and its events."""
        events = self.stream(f"application/{application_id}")
        return fold(events), events

    def reason(self, code: str, model_sha256: str | None = None, points: int | None = None) -> Reason:
        """A code with its words, from the packs and the model that decided."""
        model = self.means.artifacts.model(model_sha256) if model_sha256 else None
        return Reason(code=code, points=points, **words(self.means.texts, model, code))


def mean(expression: str) -> str:
    """SQL for a mean of integers, cut to an integer: the same on every store, where AVG is not."""
    return f"CAST(SUM({expression}) AS BIGINT) / NULLIF(COUNT({expression}), 0)"


class Where:
    """Conditions that narrow a list, with their values."""

    def __init__(self, tenant: str, table: str = "") -> None:
        self._parts = [f"{table}tenant = ?"]
        self._values: list[Any] = [tenant]

    def add(self, condition: str, value: Any) -> None:
        """Add a condition on one value, unless the value is None."""
        if value is not None:
            self._parts.append(condition)
            self._values.append(value.isoformat() if isinstance(value, date) else value)

    def always(self, condition: str) -> None:
        """Add a condition that has no value."""
        self._parts.append(condition)

    @property
    def sql(self) -> str:
        """The conditions, joined."""
        return " AND ".join(self._parts)

    @property
    def values(self) -> tuple[Any, ...]:
        """Their values, in order; the first is the tenant."""
        return tuple(self._values)

    def copy(self) -> Where:
        """The same conditions, to be narrowed further."""
        other = Where("")
        other._parts, other._values = [*self._parts], [*self._values]
        return other


def cursor_of(where: Any) -> str:
    """An opaque cursor that says where a page ended."""
    return base64.urlsafe_b64encode(msgspec.json.encode(where)).decode().rstrip("=")


def after_of(cursor: str, shape: type[Any]) -> Any:
    """What a cursor says.

    Raises:
        InvalidInput: it is none that we gave.
    """
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(data, type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidInput.field("after", cursor, "the cursor of an earlier page, as it was given") from None


def moment(text: str) -> datetime:
    """A time as the projections keep it."""
    return datetime.fromisoformat(text)


def readable(event: Event) -> dict[str, Any]:
    """The fields of an event's body that can still be read, as plain values."""
    parts = split(event.body)
    return {
        name: value
        for kind, fields in parts.items()
        if kind not in event.erased
        for name, value in fields.items()
    }


def event_row(event: Event) -> EventRow:
    """An event for a timeline: personal identity is left to the event's own page."""
    body = {
        name: value
        for kind, fields in split(event.body).items()
        if kind not in event.erased and kind is not FieldClass.IDENTITY
        for name, value in fields.items()
    }
    return EventRow(
        event_id=event.id,
        known_seq=event.known_seq,
        type=event.type,
        at=event.at,
        recorded_at=event.recorded_at,
        stream=event.stream,
        source=event.source,
        actor=event.actor,
        body=body,
        erased=tuple(sorted(event.erased)),
    )
