"""The tables of both stores; `dialect` translates them for PostgreSQL. Tenants stand first in every key."""

from __future__ import annotations

__all__ = ["FILE", "FORMAT_LOCK", "GROUPS_LOCK", "SCHEMA", "VERSION"]

FILE = "journal.db"
# PostgreSQL's advisory locks. Every group holds the first shared, and whoever changes what all tenants share
# holds it alone; the second is held by whoever makes or changes the tables.
GROUPS_LOCK = 0x0B11_60_01
FORMAT_LOCK = 0x0B11_60_02
# The format of the tables: also the name of the last of `migrations`.
VERSION = 2

# `event` keeps its rowid: its rows are too wide for the pages of an index. `subject_event`, `lookup` and the
# projections (tables p_*) follow from the events; the rest does not.
SCHEMA = """
CREATE TABLE event(
  tenant TEXT NOT NULL,
  known_seq INTEGER NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  stream_version INTEGER NOT NULL,
  type TEXT NOT NULL,
  envelope BLOB NOT NULL,
  sealed BLOB NOT NULL,
  body_root BLOB NOT NULL,
  leaf BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_known_seq ON event(tenant, known_seq);
CREATE UNIQUE INDEX event_id ON event(tenant, id);
CREATE UNIQUE INDEX event_stream ON event(tenant, stream, stream_version);

CREATE TABLE subject_event(
  tenant TEXT NOT NULL, subject TEXT NOT NULL, known_seq INTEGER NOT NULL,
  PRIMARY KEY (tenant, subject, known_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE lookup(
  tenant TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, person TEXT,
  PRIMARY KEY (tenant, kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookup_person ON lookup(tenant, person) WHERE person IS NOT NULL;

CREATE TABLE idempotency(
  tenant TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, person TEXT, answer BLOB,
  PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_person ON idempotency(tenant, person) WHERE person IS NOT NULL;

CREATE TABLE cursor(
  tenant TEXT NOT NULL, name TEXT NOT NULL, known_seq INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE tile(
  tenant TEXT NOT NULL, level INTEGER NOT NULL, position INTEGER NOT NULL, hashes BLOB NOT NULL,
  PRIMARY KEY (tenant, level, position)
) STRICT;

CREATE TABLE head(
  tenant TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint(
  tenant TEXT NOT NULL, size INTEGER NOT NULL, note TEXT NOT NULL,
  PRIMARY KEY (tenant, size)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasure(
  tenant TEXT NOT NULL, person TEXT NOT NULL, known_seq INTEGER NOT NULL, classes TEXT NOT NULL,
  PRIMARY KEY (tenant, known_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE projection(
  name TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, tables TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alembic_version(version_num TEXT NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0002');
"""
