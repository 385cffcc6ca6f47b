"""The cap book as rows: what the writer loads it from when it starts, and what pages show."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from obligor.app.projections.gathering import Gathering, last
from obligor.journal import Projecting, Projection, Reader
from obligor.kernel import Event, ready
from obligor.limits import CapBook, Exposure, Limit, Reservation, Row, Usage

__all__ = ["load_caps", "projection"]

ready(Row)
Statement = tuple[str, tuple[object, ...]]

SCHEMA = """
CREATE TABLE p_cap (
  tenant TEXT NOT NULL, cap TEXT NOT NULL, currency TEXT NOT NULL, limit_minor INTEGER,
  reserved_minor INTEGER NOT NULL, committed_minor INTEGER NOT NULL,
  PRIMARY KEY (tenant, cap, currency)
) WITHOUT ROWID;
CREATE TABLE p_cap_row (
  tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, packed BLOB NOT NULL,
  PRIMARY KEY (tenant, kind, name)
) WITHOUT ROWID;
"""

USED = (
    "INSERT INTO p_cap VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, cap, currency) DO UPDATE SET"
    " limit_minor = excluded.limit_minor, reserved_minor = excluded.reserved_minor,"
    " committed_minor = excluded.committed_minor"
)
KEPT = (
    "INSERT INTO p_cap_row VALUES (?, ?, ?, ?)"
    " ON CONFLICT (tenant, kind, name) DO UPDATE SET packed = excluded.packed"
)
GONE = "DELETE FROM p_cap_row WHERE tenant = ? AND kind = ? AND name = ?"

_ROW = last("row", slice(0, 3))
_GATHER = Gathering({USED: last("cap", slice(0, 3)), KEPT: _ROW, GONE: _ROW})


def projection() -> Projection:
    """The tables `p_cap` and `p_cap_row`."""

    def project(event: Event, states: Projecting) -> Iterable[Statement]:
        book: CapBook = states.memory("caps")
        for row in book.changed(event):
            yield from _statements(event.tenant, row)

    return Projection(name="cap", schema=SCHEMA, project=project, gather=_GATHER, types=CapBook.TYPES)


def load_caps(reader: Reader, tenant: str) -> CapBook:
    """The cap book that the projection holds."""
    kept = reader.query("SELECT packed FROM p_cap_row WHERE tenant = ? ORDER BY kind, name", (tenant,))
    return CapBook.load(msgspec.json.decode(found["packed"], type=Row) for found in kept)


def _statements(tenant: str, row: Row) -> Iterable[Statement]:
    match row:
        case Usage():
            used = (row.limit_minor, row.reserved_minor, row.committed_minor)
            yield USED, (tenant, row.cap, row.currency, *used)
            kind, name, gone = "usage", f"{row.cap}|{row.currency}", False
        case Limit():
            kind, name, gone = "limit", row.cap, False
        case Reservation():
            kind, name, gone = "reservation", row.reservation_id, row.left_minor == 0
        case Exposure():
            kind, name, gone = "exposure", row.loan_id, False
    if gone:
        yield GONE, (tenant, kind, name)
    else:
        yield KEPT, (tenant, kind, name, msgspec.json.encode(row))
