"""Keys per person and class, in a place of their own; to destroy one is to erase what it seals.

The place has its own backup term: a key lives on in a backup of it until that expires.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from obligor.events import FieldClass
from obligor.journal.key_rows import KeyRows, PersonRow, SqliteKeyRows, VaultPlace
from obligor.journal.keys import KEY_BYTES, KeyProvider, SystemEntropy
from obligor.kernel import Corrupted, Entropy, Unavailable
from obligor.proof import OPEN_KEY

__all__ = ["NO_KEYS", "OPEN_PADS", "SEALED", "ClassKey", "Ring", "Vault"]

# The classes that are sealed, in the order of their names.
SEALED = (FieldClass.CONDUCT, FieldClass.IDENTITY, FieldClass.MONEY)
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
# The owner of the key by which a vault knows the provider that wrapped its keys; no tenant has this name.
_WHOSE = ""
RINGS_CACHED = 20_000


def _pads(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer block of HMAC-SHA256 under a key of at most 64 bytes (RFC 2104)."""
    block = key.ljust(64, b"\0")
    return block.translate(_INNER), block.translate(_OUTER)


OPEN_PADS = _pads(OPEN_KEY)


def _derived(key: bytes, label: bytes) -> bytes:
    """HMAC-SHA256 of a label, in a tenth of what `hmac.digest` takes to begin."""
    inner, outer = _pads(key)
    return hashlib.sha256(outer + hashlib.sha256(inner + label).digest()).digest()


class _Hmac:
    """HMAC-SHA256 (RFC 2104) under one key, whose two blocks are hashed once.

    It takes half the time of `hmac.digest`, and does not let go of the interpreter's lock in between.
    """

    __slots__ = ("_inner", "_outer", "pads")

    def __init__(self, key: bytes) -> None:
        self.pads = _pads(key)
        self._inner, self._outer = map(hashlib.sha256, self.pads)

    def __call__(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class ClassKey:
    """One key of one person: what seals, and what salts are made with, each derived from it."""

    __slots__ = ("_aead", "_pads", "raw", "salting")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.salting = _derived(raw, b"obligor salts")
        self._aead: AESGCM | None = None
        self._pads: tuple[bytes, bytes] | None = None

    @property
    def aead(self) -> AESGCM:
        """AES-256-GCM under the key that seals; making one costs as much as using it."""
        if self._aead is None:
            self._aead = AESGCM(_derived(self.raw, b"obligor seal"))
        return self._aead

    @property
    def pads(self) -> tuple[bytes, bytes]:
        """The two blocks of HMAC-SHA256 under `salting`, for `proof.batch.hmac_each`."""
        if self._pads is None:
            self._pads = _pads(self.salting)
        return self._pads


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

    def __init__(self, rows: KeyRows, keys: KeyProvider, entropy: Entropy) -> None:
        """See `open` and `open_read_only`."""
        self._rows = rows
        self._provider = keys
        self._entropy = entropy
        self._mutex = threading.RLock()
        self._rings: OrderedDict[tuple[str, str], Ring] = OrderedDict()
        self._index_keys: dict[str, bytes] = {}
        self._hiding: dict[str, _Hmac] = {}
        self._leads: Callable[[str], bool] | None = None
        self._seen = 0
        self.loads = 0

    @classmethod
    def open(
        cls,
        at: Path | VaultPlace,
        keys: KeyProvider,
        entropy: Entropy | None = None,
        *,
        synchronous: str = "FULL",
        vfs: str | None = None,
    ) -> Vault:
        """Open a vault to write, make it if there is none. The settings are those of a file.

        Raises:
            Unavailable: another process has the file open to write.
            Conflict: it was written by another release.
            Corrupted: its keys were wrapped by another provider.
        """
        rows = SqliteKeyRows.open(at, synchronous=synchronous, vfs=vfs) if isinstance(at, Path) else at.open()
        vault = cls(rows, keys, entropy or SystemEntropy())
        try:
            vault._tenant_key(_WHOSE, "check")
        except BaseException:
            vault.close()
            raise
        return vault

    @classmethod
    def open_read_only(cls, at: Path | VaultPlace, keys: KeyProvider, *, vfs: str | None = None) -> Vault:
        """Open a vault to read, beside processes that write it.

        Raises:
            NotFound: there is none.
            Conflict: it was written by another release.
        """
        rows = SqliteKeyRows.open_read_only(at, vfs=vfs) if isinstance(at, Path) else at.open_read_only()
        return cls(rows, keys, SystemEntropy())

    @property
    def read_only(self) -> bool:
        """Whether keys can be made and destroyed here."""
        return self._rows.read_only

    @property
    def cached(self) -> int:
        """How many persons' keys are in memory; `loads` is how often some had to be read."""
        return len(self._rings)

    def rely_on(self, leads: Callable[[str], bool] | None) -> None:
        """Take it that nobody else destroys keys of the tenants of which this says so, at that moment."""
        with self._mutex:
            self._leads = leads

    def refresh(self) -> None:
        """Let go of keys that another process may have destroyed.

        Raises:
            StoreFailed: that cannot be found out.
        """
        with self._mutex:
            if self._rows.shared:
                changes = self._rows.changes()
                if changes != self._seen:
                    self._rings.clear()
                    self._seen = changes

    def close(self) -> None:
        """Let go of the rows; keys in memory are dropped."""
        with self._mutex:
            self._rings.clear()
            self._index_keys.clear()
            self._hiding.clear()
            self._rows.close()

    def ring(self, tenant: str, person: str) -> Ring:
        """What there is of a person's keys.

        Raises:
            StoreFailed: the rows could not be read.
            Corrupted: a stored key does not open.
        """
        with self._mutex:
            self._refresh_unless_sure(tenant)
            return self._ring(tenant, person)

    def rings(self, tenant: str, persons: Iterable[str]) -> dict[str, Ring]:
        """What there is of the keys of each person.

        Raises:
            StoreFailed: as for `ring`.
            Corrupted: as for `ring`.
        """
        with self._mutex:
            self._refresh_unless_sure(tenant)
            return {person: self._ring(tenant, person) for person in persons}

    def _refresh_unless_sure(self, tenant: str) -> None:
        if self._leads is None or not self._leads(tenant):
            self.refresh()

    def _ring(self, tenant: str, person: str) -> Ring:
        place = (tenant, person)
        ring = self._rings.get(place)
        if ring is None:
            ring = self._load(tenant, person)
            self.loads += 1
            if ring.complete:
                self._remember(tenant, person, ring)
        else:
            self._rings.move_to_end(place)
        return ring

    def key(self, tenant: str, person: str, kind: str) -> bytes | None:
        """A person's key for a class, 32 bytes; None if it was destroyed or never made."""
        found = self.ring(tenant, person).keys.get(FieldClass(kind))
        return found.raw if found else None

    def ensure(self, tenant: str, persons: Iterable[str], fresh: Collection[str] = ()) -> None:
        """Make the keys that these persons lack; on return they are durable. A destroyed key stays so.

        Of those who are `fresh` none are looked for. Should there be some, they stay what they are.

        Raises:
            StoreFailed: they could not be written, and none of them was made.
        """
        with self._mutex:
            self._refresh_unless_sure(tenant)
            made: dict[str, Ring] = {}
            rows: list[PersonRow] = []
            for person in dict.fromkeys(persons):
                new = person in fresh and (tenant, person) not in self._rings
                ring = NO_KEYS if new else self._ring(tenant, person)
                if not ring.complete:
                    missing = [kind for kind in SEALED if kind not in ring.keys and kind not in ring.erased]
                    drawn = {kind: self._entropy.bytes(KEY_BYTES) for kind in missing}
                    for kind, raw in drawn.items():
                        wrapped = self._provider.wrap(tenant, raw, _context(tenant, person, kind))
                        rows.append((tenant, person, kind.value, wrapped))
                    keys = ring.keys | {kind: ClassKey(raw) for kind, raw in drawn.items()}
                    made[person] = Ring(keys, ring.erased)
            if rows and self._rows.add(rows):
                for person, ring in made.items():
                    self._remember(tenant, person, ring)

    def erase(self, tenant: str, person: str, classes: Iterable[str]) -> None:
        """Destroy a person's keys of these classes, for good. See `purge`.

        Raises:
            StoreFailed: they may still exist; it has to be done again.
        """
        kinds = [FieldClass(name).value for name in classes]
        with self._mutex:
            self._rings.pop((tenant, person), None)
            self._rows.destroy(tenant, person, kinds)

    def purge(self) -> bool:
        """Leave no trace of destroyed keys in any file; False when a reader is still in the way.

        Raises:
            StoreFailed: it could not be done now.
        """
        with self._mutex:
            return self._rows.purge()

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
        return self._hider(tenant)(f"{kind}|{text}".encode()).hex()

    def hidden_each(self, tenant: str, texts: Sequence[tuple[str, str]]) -> list[str]:
        """What `hidden` gives for each (kind, text), for many in less time."""
        from obligor.proof.batch import hmac_each

        messages = [f"{kind}|{text}".encode() for kind, text in texts]
        pads = self._hider(tenant).pads
        return [digest.hex() for digest in hmac_each([pads] * len(messages), messages)]

    def _hider(self, tenant: str) -> _Hmac:
        with self._mutex:
            hider = self._hiding.get(tenant)
            if hider is None:
                hider = self._hiding[tenant] = _Hmac(self.index_key(tenant))
        return hider

    def _tenant_key(self, tenant: str, purpose: str) -> bytes:
        context = f"{purpose}\0{tenant}".encode()
        wrapped = self._rows.tenant_key(tenant, purpose)
        if wrapped is None:
            if self._rows.read_only:
                raise Unavailable(f"tenant {tenant} has no {purpose} key yet")
            # A damaged name must not pass for a key that was never made: all that it hides would be lost.
            for owner, use, other in self._rows.tenant_keys():
                self._provider.unwrap(owner, other, f"{use}\0{owner}".encode())
            fresh = self._provider.wrap(tenant, self._entropy.bytes(KEY_BYTES), context)
            self._rows.add_tenant_key(tenant, purpose, fresh)
            # Another process may have been first.
            wrapped = self._rows.tenant_key(tenant, purpose) or fresh
        return self._provider.unwrap(tenant, wrapped, context)

    def _load(self, tenant: str, person: str) -> Ring:
        keys: dict[FieldClass, ClassKey] = {}
        erased = set()
        for name, wrapped in self._rows.person(tenant, person):
            if name not in SEALED:
                raise Corrupted(f"the vault has a key for {name!r}, which is no class that is sealed")
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


def _context(tenant: str, person: str, kind: FieldClass) -> bytes:
    return f"{tenant}\0{person}\0{kind.value}".encode()
