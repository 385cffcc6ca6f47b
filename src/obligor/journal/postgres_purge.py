"""What PostgreSQL can do about the traces of deleted rows, and what it cannot.

A deleted or overwritten row stays in its table until nobody can see it any more and VACUUM takes it out. That
is done here, and an erasure counts as finished only then. A table of up to WHOLE_BYTES is written anew: its
files then hold no trace. In a larger one, the bytes may lie in the free space of a page until new rows take
it: have the operator run VACUUM FULL on it within the term that was promised.

They also lie in the write-ahead log until its segments are reused, in its archive, in replicas and in
backups, each for the term its operator has set. Of an event itself nothing can be read anywhere, once its
keys are gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from obligor.journal.postgres import STATEMENT_MS, Connection

__all__ = ["WHOLE_BYTES", "vacuum"]

WHOLE_BYTES = 16 << 20
# How long commands may have to wait for readers who can still see deleted rows.
PURGE_SECONDS = 0.25
VACUUM_SECONDS = 600
_NOW = "SELECT pg_current_xact_id()::text::bigint"
# Snapshots of others that are older than what was deleted.
_IN_THE_WAY = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
  AND age(backend_xmin) > age(($1::bigint & 4294967295)::text::xid)
"""
_SMALL = """
SELECT name FROM unnest($1::text[]) AS name WHERE pg_relation_size(quote_ident(name)::regclass) <= $2
"""


def vacuum(connection: Connection, tables: Iterable[str]) -> bool:
    """Take deleted rows out of tables; False while a reader is in the way who can still see some."""
    (now,) = connection.execute(_NOW).fetchall()
    until = time.monotonic() + PURGE_SECONDS
    while connection.execute(_IN_THE_WAY, now).fetchone() != (0,):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    every = sorted(tables)
    small = [row[0] for row in connection.execute(_SMALL, (every, WHOLE_BYTES))]
    silence = connection.silence_seconds
    connection.silence_seconds = VACUUM_SECONDS
    connection.execute(f"SET statement_timeout = {1000 * VACUUM_SECONDS}", prepare=False)
    try:
        for how, names in (("(FULL)", small), ("", [name for name in every if name not in small])):
            if names:
                listed = ", ".join(f'"{name}"' for name in names)
                connection.execute(f"VACUUM {how} {listed}", prepare=False)
    finally:
        if not connection.closed:
            connection.execute(f"SET statement_timeout = {STATEMENT_MS}", prepare=False)
        connection.silence_seconds = silence
    return True
