"""The journal's statements, written once for both stores, their writers and their readers.

They keep to what SQLite and PostgreSQL both understand; `?` is translated for the latter. What is not
portable stands at the end, once for each.
"""

from __future__ import annotations

PAGE = 500

_EVENT = "tenant, known_seq, id, stream, stream_version, type, envelope, sealed, body_root, leaf"

EVENT_COLUMNS = _EVENT
INSERT_EVENT = f"INSERT INTO event({_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_SUBJECT = "INSERT INTO subject_event VALUES (?, ?, ?)"
INSERT_ANSWER = "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?)"

REPLACE_LOOKUP = (
    "ON CONFLICT (tenant, kind, key) DO UPDATE SET value = excluded.value, person = excluded.person"
)
REPLACE_CURSOR = "ON CONFLICT (tenant, name) DO UPDATE SET known_seq = excluded.known_seq"
REPLACE_TILE = "ON CONFLICT (tenant, level, position) DO UPDATE SET hashes = excluded.hashes"
REPLACE_HEAD = "ON CONFLICT (tenant) DO UPDATE SET size = excluded.size, root = excluded.root"
REPLACE_CHECKPOINT = "ON CONFLICT (tenant, size) DO UPDATE SET note = excluded.note"
UPSERT_LOOKUP = f"INSERT INTO lookup VALUES (?, ?, ?, ?, ?) {REPLACE_LOOKUP}"
UPSERT_CURSOR = f"INSERT INTO cursor VALUES (?, ?, ?) {REPLACE_CURSOR}"
UPSERT_TILE = f"INSERT INTO tile VALUES (?, ?, ?, ?) {REPLACE_TILE}"
UPSERT_HEAD = f"INSERT INTO head VALUES (?, ?, ?) {REPLACE_HEAD}"
UPSERT_CHECKPOINT = f"INSERT INTO checkpoint VALUES (?, ?, ?) {REPLACE_CHECKPOINT}"
INSERT_ERASURE = "INSERT INTO erasure VALUES (?, ?, ?, ?)"
PURGE_LOOKUPS = "DELETE FROM lookup WHERE tenant = ? AND person = ?"
PURGE_ANSWERS = "UPDATE idempotency SET answer = NULL WHERE tenant = ? AND person = ?"
ERASURE_DONE = "DELETE FROM erasure WHERE tenant = ? AND known_seq = ?"
PENDING_ERASURES = "SELECT tenant, person, known_seq, classes FROM erasure ORDER BY tenant, known_seq"

HEAD = "SELECT tenant, size, root FROM head WHERE tenant = ?"
HEADS = "SELECT tenant, size, root FROM head ORDER BY tenant"
EVENTS = (
    f"SELECT {_EVENT} FROM event WHERE tenant = ? AND known_seq >= ? AND known_seq < ? "
    "ORDER BY known_seq LIMIT ?"
)
EVENT_BY_ID = f"SELECT {_EVENT} FROM event WHERE tenant = ? AND id = ?"
STREAM = (
    f"SELECT {_EVENT} FROM event WHERE tenant = ? AND stream = ? AND stream_version > ? "
    "ORDER BY stream_version LIMIT ?"
)
STREAM_VERSION = "SELECT max(stream_version) FROM event WHERE tenant = ? AND stream = ?"
FIND = "SELECT value FROM lookup WHERE tenant = ? AND kind = ? AND key = ?"
CURSOR = "SELECT known_seq FROM cursor WHERE tenant = ? AND name = ?"
TILE = "SELECT hashes FROM tile WHERE tenant = ? AND level = ? AND position = ?"
LEAVES = "SELECT leaf FROM event WHERE tenant = ? AND known_seq >= ? AND known_seq < ? ORDER BY known_seq"
LAST_CHECKPOINT = "SELECT tenant, size, note FROM checkpoint WHERE tenant = ? ORDER BY size DESC LIMIT 1"
# Without a last one, `MOST` stands for the number of rows.
MOST = 1 << 62
CHECKPOINTS = "SELECT tenant, size, note FROM checkpoint WHERE tenant = ? ORDER BY size DESC LIMIT ?"

PROJECTIONS = "SELECT name, digest FROM projection ORDER BY name"
PROJECTION_TABLES = "SELECT tables FROM projection WHERE name = ?"
INSERT_PROJECTION = "INSERT INTO projection VALUES (?, ?, ?)"
DELETE_PROJECTION = "DELETE FROM projection WHERE name = ?"

# ---- SQLite: many values come as one JSON text, and lead, so that each is looked for in the index

TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
TAKEN = "SELECT value FROM json_each(?) CROSS JOIN event ON event.tenant = ? AND event.id = value"
FIND_MANY = (
    "SELECT DISTINCT lookup.key, lookup.value FROM json_each(?) AS wanted CROSS JOIN lookup "
    "ON lookup.tenant = ? AND lookup.kind = ? AND lookup.key = wanted.value"
)
ANSWERS = (
    "SELECT DISTINCT i.tenant, i.key, i.body, i.person, i.answer "
    "FROM json_each(?) AS wanted CROSS JOIN idempotency AS i ON i.tenant = ? AND i.key = wanted.value"
)

# ---- PostgreSQL: many values come as an array

PG_TAKEN = "SELECT id FROM event WHERE tenant = ? AND id = ANY(?::text[])"
PG_FIND_MANY = "SELECT key, value FROM lookup WHERE tenant = ? AND kind = ? AND key = ANY(?::text[])"
EVERY_ANSWER = "SELECT tenant, key, body, person, answer FROM idempotency"
PG_ANSWERS = f"{EVERY_ANSWER} WHERE tenant = ? AND key = ANY(?::text[])"


def select_events(
    tenant: str, stream: str | None = None, subject: str | None = None, types: list[str] | None = None
) -> tuple[str, tuple[str, ...]]:
    """A statement for events that meet every condition given, and its first values.

    The others are `after`, `stop` and the most rows wanted.
    """
    tables, values = "event", [tenant]
    conditions = ["event.tenant = ?"]
    order = "event.known_seq"
    if subject is not None:
        # The subject's own index leads, so that its few events are not looked for among all.
        tables = (
            "subject_event JOIN event "
            "ON event.tenant = subject_event.tenant AND event.known_seq = subject_event.known_seq"
        )
        conditions = ["subject_event.tenant = ?", "subject_event.subject = ?"]
        order = "subject_event.known_seq"
        values.append(subject)
    elif stream is not None:
        # Versions rise with `known_seq`; asked for in their order, the stream's own index serves them.
        order = "event.stream_version"
    if stream is not None:
        conditions.append("event.stream = ?")
        values.append(stream)
    if types is not None:
        conditions.append(f"event.type IN ({', '.join('?' * len(types))})" if types else "1 = 0")
        values += types
    place = "subject_event.known_seq" if subject is not None else "event.known_seq"
    where = " AND ".join([*conditions, f"{place} > ?", f"{place} < ?"])
    columns = ", ".join(f"event.{column}" for column in _EVENT.split(", "))
    return f"SELECT {columns} FROM {tables} WHERE {where} ORDER BY {order} LIMIT ?", tuple(values)
