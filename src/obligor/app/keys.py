"""API keys and sign-in tickets: who may ask, and for what. Only digests are kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from obligor.app.service_protocol import SCOPES, Principal
from obligor.kernel import Conflict, InvalidInput, NotFound, decode

__all__ = ["Admits", "KeyRecord", "Keys"]

TICKET_SECONDS = 3600
# For so long a look at the file is good for other requests: each would have to wait for the interpreter.
LOOK_SECONDS = 0.02
PREFIX = "obl_"


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept: `sha256` is of the token, which has 256 random bits and is shown once.

    `quota` is how many requests that read, and as many that write, it may send in a minute; None is the
    server's own quota, 0 is no limit.
    """

    name: str
    tenant: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: datetime
    revoked_at: datetime | None = None
    quota: int | None = None


class Keys:
    """The keys of a data directory, in one file that only its owner may read.

    Several servers may share the file: what another one has written is noticed `LOOK_SECONDS` later at most.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._records: dict[str, KeyRecord] = {}
        self._by_digest: dict[str, KeyRecord] = {}
        self._tickets: dict[str, tuple[Principal, float]] = {}
        self._read_at = (0, 0)
        self._looked = 0.0
        self._look()

    def create(self, name: str, tenant: str, scopes: Iterable[str], quota: int | None = None) -> str:
        """Make a key and return its token, which is shown this once.

        Raises:
            Conflict: the name is taken. InvalidInput: an unknown scope, or none; a quota below 0.
        """
        if quota is not None and quota < 0:
            raise InvalidInput.field("quota", quota, "0 for none, or so many requests a minute")
        wanted = tuple(sorted(set(scopes)))
        unknown = [scope for scope in wanted if scope not in SCOPES]
        if unknown or not wanted:
            raise InvalidInput.field("scopes", list(unknown or wanted), f"some of {', '.join(SCOPES)}")
        token = PREFIX + secrets.token_urlsafe(32)
        record = KeyRecord(
            name=name,
            tenant=tenant,
            scopes=wanted,
            sha256=_digest(token),
            created_at=datetime.now(UTC),
            quota=quota,
        )
        with self._lock, self._alone():
            if name in self._records:
                raise Conflict(f"there is a key called {name!r} already; revoke it or take another name")
            self._keep({**self._records, name: record})
        return token

    def revoke(self, name: str) -> None:
        """End a key; its name stays taken.

        Raises:
            NotFound: there is no key of that name. Conflict: it is revoked already.
        """
        with self._lock, self._alone():
            record = self._records.get(name)
            if record is None:
                raise NotFound(f"there is no key called {name!r}")
            if record.revoked_at:
                raise Conflict(f"the key {name!r} is revoked already")
            ended = msgspec.structs.replace(record, revoked_at=datetime.now(UTC))
            self._keep({**self._records, name: ended})

    def list(self) -> list[KeyRecord]:
        """All keys, by name, revoked ones too."""
        self._look()
        return [self._records[name] for name in sorted(self._records)]

    def authenticate(self, token: str) -> Principal | None:
        """Whose token this is; None for an unknown or revoked one."""
        self._look(seldom=True)
        digest = _digest(token)
        record = self._by_digest.get(digest)
        if record is None:
            self._look()
            record = self._by_digest.get(digest)
        return None if record is None or record.revoked_at else _principal(record)

    def still_valid(self, principal: Principal) -> bool:
        """Whether a principal's key stands as it was when they signed in."""
        self._look()
        record = self._records.get(principal.name)
        if record is None:
            return principal.name == CONSOLE
        return record.revoked_at is None and _principal(record) == principal

    def ticket(self, tenant: str) -> str:
        """A one-time ticket to the console, good for an hour, for whoever started the server."""
        ticket = secrets.token_urlsafe(24)
        principal = Principal(tenant=tenant, name=CONSOLE, scopes=frozenset({"read"}))
        with self._lock:
            self._tickets[_digest(ticket)] = (principal, time.monotonic() + TICKET_SECONDS)
        return ticket

    def redeem(self, ticket: str) -> Principal | None:
        """Whose ticket this is; it works once."""
        with self._lock:
            principal, until = self._tickets.pop(_digest(ticket), (None, 0.0))
        return principal if time.monotonic() < until else None

    def _look(self, *, seldom: bool = False) -> None:
        """Read the file again when it is another one than it was; `seldom` is content with a recent look."""
        now = time.monotonic()
        if seldom and now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return
        if (found.st_ino, found.st_mtime_ns) != self._read_at:
            records = decode(self._path.read_bytes(), list[KeyRecord])
            self._take({record.name: record for record in records}, found)

    def _take(self, records: dict[str, KeyRecord], written: os.stat_result) -> None:
        self._records = records
        self._by_digest = {record.sha256: record for record in records.values()}
        self._read_at = (written.st_ino, written.st_mtime_ns)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile."""
        handle = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._look()
            yield
        finally:
            os.close(handle)

    def _keep(self, records: dict[str, KeyRecord]) -> None:
        """Write the file whole, then take the new keys into use."""
        data = msgspec.json.format(msgspec.json.encode(list(records.values())), indent=1)
        staging = self._path.with_suffix(".new")
        handle = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        staging.rename(self._path)
        self._take(records, self._path.stat())


class Admits:
    """What every kind of server does alike: it asks its keys who somebody is."""

    keys: Keys

    def authenticate(self, token: str) -> Principal | None:
        """Whose API key this is."""
        return self.keys.authenticate(token)

    def redeem_ticket(self, ticket: str) -> Principal | None:
        """Whose ticket this is; it works once."""
        return self.keys.redeem(ticket)

    def still_valid(self, principal: Principal) -> bool:
        """Whether who signed in earlier may go on."""
        return self.keys.still_valid(principal)


CONSOLE = "console"


def _principal(record: KeyRecord) -> Principal:
    scopes = frozenset(record.scopes)
    return Principal(tenant=record.tenant, name=record.name, scopes=scopes, quota=record.quota)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
