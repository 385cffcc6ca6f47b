"""Who may write which tenant: a lease with a fencing token, by the database's clock.

A lease says who may write and until when; it is renewed by a thread of its own, so that a long group does not
lose it. The token is what makes two writers impossible: it rises whenever the role changes hands, and every
group holds the token's row locked from numbering to commit. Whoever was stopped or cut off for longer than
its lease finds another token when it comes back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from psycopg import errors

from obligor.journal.postgres import Connection, storage
from obligor.journal.store import RoleLost
from obligor.kernel import Unavailable
from obligor.kernel.failpoints import reach

__all__ = ["LEASE_SCHEMA", "Leases", "named"]

LEASE_SCHEMA = """
CREATE TABLE lease(
  tenant TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, ends_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE fence(tenant TEXT NOT NULL PRIMARY KEY, token INTEGER NOT NULL);
"""
# Renewed this many times before it ends.
BEATS = 4
# A refusal is not asked for again at once: many commands may wait for the same tenant.
REFUSED_SECONDS = 0.2
# How long to wait for a row that somebody else is about to let go of.
GRACE_MS = 500

_TAKE = """
INSERT INTO lease VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (tenant) DO UPDATE SET holder = excluded.holder, ends_at = excluded.ends_at
WHERE lease.holder = excluded.holder OR lease.ends_at <= clock_timestamp()
RETURNING 1
"""
_HOLDER = """
SELECT holder, round(extract(epoch FROM ends_at - clock_timestamp()), 1) FROM lease WHERE tenant = $1
"""
_RAISE = """
INSERT INTO fence VALUES ($1, 1) ON CONFLICT (tenant) DO UPDATE SET token = fence.token + 1 RETURNING token
"""
_RENEW = """
UPDATE lease SET ends_at = clock_timestamp() + $3 * interval '1 second'
WHERE holder = $2 AND tenant = ANY($1::text[]) RETURNING tenant
"""
_RELEASE = "UPDATE lease SET ends_at = clock_timestamp() WHERE holder = $2 AND tenant = ANY($1::text[])"
# Ends the connections of a writer by its name; those of the same role may do that to each other.
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()
"""

_log = logging.getLogger(__name__)


def named(holder: str) -> str:
    """What a writer's connection is called in `pg_stat_activity`."""
    return f"obligor writer {holder}"[:60]


class Leases:
    """The tenants one process is the writer of. Leases are renewed on a connection that `connect` makes."""

    def __init__(self, connect: Callable[[], Connection], holder: str, seconds: float) -> None:
        self._connect = connect
        self._holder = holder
        self._seconds = seconds
        self._tokens: dict[str, int] = {}
        self._sure_until = 0.0
        self._lost: str | None = None
        self._refused: dict[str, tuple[float, Unavailable]] = {}
        self._changed = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> bool:
        """Whether another process has become the writer of a tenant that was ours."""
        return self._lost is not None

    def leads(self, tenant: str) -> bool:
        """Whether nobody else can be its writer now: counted from before the lease was asked for."""
        return tenant in self._tokens and self._lost is None and time.monotonic() < self._sure_until

    def check(self) -> None:
        """See that the role was not lost.

        Raises:
            RoleLost: it was.
        """
        if self._lost is not None:
            raise RoleLost(f"another process has become the writer of tenant {self._lost}")

    # ---- becoming the writer

    def missing(self, tenants: Iterable[str]) -> list[str]:
        """Those of the tenants that were not taken.

        Raises:
            RoleLost: one that was is lost.
            Unavailable: one was refused a moment ago.
        """
        self.check()
        missing = sorted({*tenants} - self._tokens.keys())
        for tenant in missing:
            until, refusal = self._refused.get(tenant, (0.0, None))
            if refusal is not None and time.monotonic() < until:
                raise Unavailable(refusal.detail)
        return missing

    def take(self, connection: Connection, tenants: list[str]) -> None:
        """Become the writer of all these tenants, or of none.

        Raises:
            Unavailable: another process is the writer of one.
            StoreFailed: the database is out of reach.
        """
        asked = time.monotonic()
        tokens = {}
        with storage():
            connection.execute(f"BEGIN; SET LOCAL lock_timeout = {GRACE_MS}", prepare=False)
            try:
                for tenant in tenants:
                    tokens[tenant] = self._take(connection, tenant)
                connection.execute("COMMIT")
            except BaseException:
                if not connection.closed:
                    connection.execute("ROLLBACK")
                raise
        with self._changed:
            if not self._tokens:
                self._sure_until = asked + self._seconds
            self._tokens |= tokens
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="journal-lease", daemon=True)
            self._thread.start()
        reach("lease.taken")

    def _take(self, connection: Connection, tenant: str) -> int:
        before = connection.execute(_HOLDER, (tenant,)).fetchone()
        values = (tenant, self._holder, self._seconds)
        try:
            if not connection.execute(_TAKE, values).fetchall():
                raise self._refuse(tenant, before)
            if before is not None and before[0] != self._holder:
                # Stopped in the middle of a group, or cut off in it, it would hold the token's row for ever.
                connection.execute(_CUT, (named(before[0]),))
            return int(connection.execute(_RAISE, (tenant,)).fetchall()[0][0])
        except errors.LockNotAvailable:
            raise self._refuse(tenant, before) from None

    def _refuse(self, tenant: str, holder: tuple[object, ...] | None) -> Unavailable:
        left = f" for {holder[1]} s more" if holder is not None else ""
        refusal = Unavailable(f"tenant {tenant} is being written by another process, by its lease{left}")
        self._refused[tenant] = (time.monotonic() + REFUSED_SECONDS, refusal)
        return refusal

    def cut_off(self, connection: Connection) -> None:
        """End what is left of our own earlier connections: a group they were in is decided after this."""
        connection.execute(_CUT, (named(self._holder),))

    # ---- in a transaction

    def check_tokens(self, tenants: Iterable[str], found: Mapping[str, int]) -> None:
        """See that the tokens that a transaction has locked are still ours.

        Raises:
            RoleLost: another process has become the writer of one of the tenants.
        """
        for tenant in tenants:
            if found.get(tenant) != self._tokens[tenant]:
                self._lost = tenant
        self.check()

    @property
    def tenants(self) -> list[str]:
        """All that were taken."""
        return sorted(self._tokens)

    # ---- keeping it

    def _run(self) -> None:
        pause = self._seconds / BEATS
        connection: Connection | None = None
        while not self._closing.wait(pause):
            try:
                if connection is None or connection.closed:
                    connection = self._connect()
                    connection.silence_seconds = self._seconds
                self._renew(connection)
            except Exception as error:  # noqa: BLE001  whatever it is, the next beat may come through
                _log.warning("a lease could not be renewed: %s", type(error).__name__)
                if connection is not None:
                    connection.close()
                    connection = None
            if self._lost is not None:
                break
        if connection is not None:
            connection.close()

    def _renew(self, connection: Connection) -> None:
        asked = time.monotonic()
        with self._changed:
            tenants = sorted(self._tokens)
        renewed = connection.execute(_RENEW, (tenants, self._holder, self._seconds)).fetchall()
        gone = sorted({*tenants} - {row[0] for row in renewed})
        if gone and not self._closing.is_set():
            self._lost = gone[0]
            _log.error("another process has become the writer of tenant %s", gone[0])
            return
        self._sure_until = asked + self._seconds
        reach("lease.renewed")

    def release(self, connected: Callable[[], Connection]) -> None:
        """Give all leases that still name us back at once, and renew them no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._tokens:
            connected().execute(_RELEASE, (sorted(self._tokens), self._holder))
            reach("lease.released")
