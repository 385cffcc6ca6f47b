"""Keys per person and class, in a file of their own; to destroy one is to erase what it seals.

The file has its own backup term: a key lives on in a backup of it until that expires.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from obligor.events import FieldClass
from obligor.journal.keys import KEY_BYTES, KeyProvider, SystemEntropy
from obligor.journal.sqlite import DirectoryLock, adopt, check_version, connect, fetch, truncate_wal
from obligor.journal.store import StoreFailed
from obligor.kernel import Entropy, Unavailable

__all__ = ["NO_KEYS", "SEALED", "ClassKey", "Ring", "Vault"]

# The classes that are sealed, in the order of their names.
SEALED = (FieldClass.CONDUCT, FieldClass.IDENTITY, FieldClass.MONEY)
VERSION = 1
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
# The owner of the key by which a vault knows the provider that wrapped its keys; no tenant has this name.
_WHOSE = ""
RINGS_CACHED = 20_000
WAL_PAGES = 500
SCHEMA = """
CREATE TABLE person_key(
  tenant TEXT NOT NULL, person TEXT NOT NULL, class TEXT NOT NULL,
  wrapped BLOB,  -- NULL once destroyed
  PRIMARY KEY (tenant, person, class)
) STRICT, WITHOUT ROWID;
CREATE TABLE tenant_key(
  tenant TEXT NOT NULL, purpose TEXT NOT NULL, wrapped BLOB NOT NULL,
  PRIMARY KEY (tenant, purpose)
) STRICT, WITHOUT ROWID;
"""


class _Hmac:
    """HMAC-SHA256 (RFC 2104) under one key, whose two blocks are hashed once.

    It takes half the time of `hmac.digest`, and does not let go of the interpreter's lock in between.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def __call__(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class ClassKey:
    """One key of one person: what seals, and what salts are made with, each derived from it."""

    __slots__ = ("_aead", "_salts", "raw", "salting")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.salting = hmac.digest(raw, b"obligor salts", hashlib.sha256)
        self._aead: AESGCM | None = None
        self._salts: _Hmac | None = None

    @property
    def aead(self) -> AESGCM:
        """AES-256-GCM under the key that seals; making one costs as much as using it."""
        if self._aead is None:
            self._aead = AESGCM(hmac.digest(self.raw, b"obligor seal", hashlib.sha256))
        return self._aead

    def salts_key(self, event_id: str) -> bytes:
        """What `proof.salts_key(self.salting, event_id)` gives, in less time."""
        if self._salts is None:
            self._salts = _Hmac(self.salting)
        return self._salts(event_id.encode())


class Ring:
    """A person's keys by class, and the classes whose key was destroyed."""

    __slots__ = ("erased", "keys")

    def __init__(self, keys: dict[FieldClass, ClassKey], erased: frozenset[FieldClass]) -> None:
        self.keys = keys
        self.erased = erased

    @property
    def complete(self) -> bool:
        """Whether every class has a key, or had one."""
        return len(self.keys) + len(self.erased) == len(SEALED)


# An event about nobody.
NO_KEYS = Ring({}, frozenset())


class Vault:
    """The keys of all tenants' persons; safe from any thread."""

    def __init__(self, connection: apsw.Connection, keys: KeyProvider, entropy: Entropy, path: Path) -> None:
        """See `open` and `open_read_only`."""
        self._connection = connection
        self._provider = keys
        self._entropy = entropy
        self._path = path
        self._mutex = threading.RLock()
        self._rings: OrderedDict[tuple[str, str], Ring] = OrderedDict()
        self._index_keys: dict[str, bytes] = {}
        self._hiding: dict[str, _Hmac] = {}
        self._lock: DirectoryLock | None = None
        self._data_version = 0

    @classmethod
    def open(
        cls,
        path: Path,
        keys: KeyProvider,
        entropy: Entropy | None = None,
        *,
        synchronous: str = "FULL",
        vfs: str | None = None,
    ) -> Vault:
        """Open a vault to write, make it if there is none.

        Raises:
            Unavailable: another process has it open to write.
            Conflict: it was written by another release.
            Corrupted: its keys were wrapped by another provider.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock(path.with_name(path.name + ".lock"))
        try:
            connection = connect(path, synchronous=synchronous, wal_pages=WAL_PAGES, vfs=vfs)
            adopt(connection, SCHEMA, VERSION)
        except BaseException:
            lock.release()
            raise
        vault = cls(connection, keys, entropy or SystemEntropy(), path)
        vault._lock = lock
        try:
            vault._tenant_key(_WHOSE, "check")
        except BaseException:
            vault.close()
            raise
        return vault

    @classmethod
    def open_read_only(cls, path: Path, keys: KeyProvider, *, vfs: str | None = None) -> Vault:
        """Open a vault to read, beside a process that writes it.

        Raises:
            NotFound: there is none.
            Conflict: it was written by another release.
        """
        connection = connect(path, read_only=True, vfs=vfs)
        check_version(connection, VERSION)
        return cls(connection, keys, SystemEntropy(), path)

    @property
    def read_only(self) -> bool:
        """Whether keys can be made and destroyed here."""
        return self._lock is None

    def close(self) -> None:
        """Let go of the file; keys in memory are dropped."""
        with self._mutex:
            self._rings.clear()
            self._index_keys.clear()
            self._hiding.clear()
            self._connection.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def ring(self, tenant: str, person: str) -> Ring:
        """What there is of a person's keys.

        Raises:
            StoreFailed: the file could not be read.
            Corrupted: a stored key does not open.
        """
        with self._mutex:
            if self._lock is None:
                self._notice_changes()
            ring = self._rings.get((tenant, person))
            if ring is None:
                ring = self._load(tenant, person)
                if ring.complete:
                    self._remember(tenant, person, ring)
            else:
                self._rings.move_to_end((tenant, person))
            return ring

    def key(self, tenant: str, person: str, kind: str) -> bytes | None:
        """A person's key for a class, 32 bytes; None if it was destroyed or never made."""
        found = self.ring(tenant, person).keys.get(FieldClass(kind))
        return found.raw if found else None

    def ensure(self, tenant: str, persons: Iterable[str]) -> None:
        """Make the keys that these persons lack; on return they are durable. A destroyed key stays so.

        Raises:
            StoreFailed: they could not be written, and none of them was made.
        """
        with self._mutex:
            made: dict[str, Ring] = {}
            rows: list[tuple[Any, ...]] = []
            for person in persons:
                ring = made.get(person) or self.ring(tenant, person)
                missing = [kind for kind in SEALED if kind not in ring.keys and kind not in ring.erased]
                if missing:
                    fresh = {kind: self._entropy.bytes(KEY_BYTES) for kind in missing}
                    for kind, raw in fresh.items():
                        wrapped = self._provider.wrap(tenant, raw, _context(tenant, person, kind))
                        rows.append((tenant, person, kind.value, wrapped))
                    new = {kind: ClassKey(raw) for kind, raw in fresh.items()}
                    made[person] = Ring(ring.keys | new, ring.erased)
            if rows:
                self._write("INSERT INTO person_key VALUES (?, ?, ?, ?)", rows)
                for person, ring in made.items():
                    self._remember(tenant, person, ring)

    def erase(self, tenant: str, person: str, classes: Iterable[str]) -> None:
        """Destroy a person's keys of these classes, for good: on return no file holds them.

        Raises:
            StoreFailed: they may still be in a file; it has to be done again.
        """
        kinds = [FieldClass(name) for name in classes]
        with self._mutex:
            self._rings.pop((tenant, person), None)
            self._write(
                "INSERT INTO person_key VALUES (?, ?, ?, NULL) "
                "ON CONFLICT (tenant, person, class) DO UPDATE SET wrapped = NULL",
                [(tenant, person, kind.value) for kind in kinds],
            )
            if not self._truncate():
                raise StoreFailed("a reader of the vault keeps its write-ahead log in use")

    def index_key(self, tenant: str) -> bytes:
        """The tenant's key for blind indexes: HMAC-SHA256(index_key, kind | normalised value). 32 bytes.

        Raises:
            Unavailable: the vault is open to read, and the tenant has none yet.
        """
        with self._mutex:
            key = self._index_keys.get(tenant)
            if key is None:
                key = self._index_keys[tenant] = self._tenant_key(tenant, "index")
            return key

    def hidden(self, tenant: str, kind: str, text: str) -> str:
        """HMAC-SHA256(index_key, kind | text) in hexadecimal: what text that can be personal is stored as."""
        with self._mutex:
            digest = self._hiding.get(tenant)
            if digest is None:
                digest = self._hiding[tenant] = _Hmac(self.index_key(tenant))
        return digest(f"{kind}|{text}".encode()).hex()

    def _tenant_key(self, tenant: str, purpose: str) -> bytes:
        context = f"{purpose}\0{tenant}".encode()
        query = "SELECT wrapped FROM tenant_key WHERE tenant = ? AND purpose = ?"
        found = self._select(query, tenant, purpose)
        if found:
            return self._provider.unwrap(tenant, found[0][0], context)
        if self._lock is None:
            raise Unavailable(f"tenant {tenant} has no {purpose} key yet")
        key = self._entropy.bytes(KEY_BYTES)
        row = (tenant, purpose, self._provider.wrap(tenant, key, context))
        self._write("INSERT INTO tenant_key VALUES (?, ?, ?)", [row])
        return key

    def _load(self, tenant: str, person: str) -> Ring:
        keys: dict[FieldClass, ClassKey] = {}
        erased = set()
        query = "SELECT class, wrapped FROM person_key WHERE tenant = ? AND person = ?"
        for name, wrapped in self._select(query, tenant, person):
            kind = FieldClass(name)
            if wrapped is None:
                erased.add(kind)
            else:
                raw = self._provider.unwrap(tenant, wrapped, _context(tenant, person, kind))
                keys[kind] = ClassKey(raw)
        return Ring(keys, frozenset(erased))

    def _remember(self, tenant: str, person: str, ring: Ring) -> None:
        self._rings[tenant, person] = ring
        if len(self._rings) > RINGS_CACHED:
            self._rings.popitem(last=False)

    @fetch
    def _notice_changes(self) -> None:
        """Another process may have destroyed keys that we hold."""
        version = int(self._connection.pragma("data_version"))
        if version != self._data_version:
            self._data_version = version
            self._rings.clear()

    @fetch
    def _select(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    @fetch
    def _write(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if self._lock is None:
            raise Unavailable("the vault is open to read only")
        with self._connection:
            self._connection.executemany(sql, rows).fetchall()

    @fetch
    def _truncate(self) -> bool:
        return truncate_wal(self._connection)


def _context(tenant: str, person: str, kind: FieldClass) -> bytes:
    return f"{tenant}\0{person}\0{kind.value}".encode()
