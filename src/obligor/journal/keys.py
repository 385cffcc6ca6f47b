"""Where keys are that nothing else protects: files only their owner can read, or a service that wraps."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from obligor.journal.directories import make_directory, sync_directory
from obligor.kernel import Corrupted, Entropy, Forbidden, NotFound
from obligor.proof import Signer

__all__ = ["FileKeys", "KeyProvider", "SystemEntropy", "load_signer"]

KEY_BYTES = 32
NONCE_BYTES = 12
_KEK = "obligor-key-encryption-key-1"
_SIGNING = "obligor-signing-key-1"


class SystemEntropy:
    """The operating system's randomness."""

    def bytes(self, n: int) -> builtins.bytes:
        """N random bytes."""
        return secrets.token_bytes(n)


class KeyProvider(Protocol):
    """Wraps and unwraps keys with a key-encryption key per tenant that never leaves it."""

    def wrap(self, tenant: str, key: bytes, context: bytes) -> bytes:
        """A key as it may be stored; it opens only under the same tenant and context."""
        ...

    def unwrap(self, tenant: str, wrapped: bytes, context: bytes) -> bytes:
        """The key that was wrapped.

        Raises:
            Corrupted: these bytes were not wrapped by this provider for this tenant and context.
        """
        ...


class FileKeys:
    """Key-encryption keys derived per tenant from one secret in a file of mode 0600.

    Keys are wrapped with AES-256-GCM under HMAC-SHA256(secret, tenant), the context as associated data.
    """

    def __init__(self, path: Path, entropy: Entropy | None = None, *, create: bool = True) -> None:
        """Read the secret; make the file if there is none, unless told not to.

        A file that was lost is not missed here, but by the vault: it knows what its keys were wrapped with.

        Raises:
            NotFound: there is no such file.
            Forbidden: others than its owner may read it.
            Corrupted: it does not hold a secret.
        """
        self._entropy = entropy or SystemEntropy()
        self._secret = _read_or_make(path, _KEK, self._entropy if create else None)
        self._tenants: dict[str, AESGCM] = {}

    def wrap(self, tenant: str, key: bytes, context: bytes) -> bytes:
        """Nonce and ciphertext: 28 bytes longer than the key."""
        nonce = self._entropy.bytes(NONCE_BYTES)
        return nonce + self._aead(tenant).encrypt(nonce, key, context)

    def unwrap(self, tenant: str, wrapped: bytes, context: bytes) -> bytes:
        """The key that was wrapped.

        Raises:
            Corrupted: the file's secret is another one, or the bytes were changed or moved.
        """
        try:
            return self._aead(tenant).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise Corrupted("a stored key does not open: another key file, or changed bytes") from None

    def _aead(self, tenant: str) -> AESGCM:
        aead = self._tenants.get(tenant)
        if aead is None:
            derived = hmac.digest(self._secret, b"obligor tenant key\0" + tenant.encode(), hashlib.sha256)
            aead = self._tenants[tenant] = AESGCM(derived)
        return aead


def load_signer(path: Path, name: str, entropy: Entropy | None = None, *, create: bool = True) -> Signer:
    """The Ed25519 key that signs checkpoints, in a file of mode 0600.

    It is made if there is none, unless told not to.

    Raises:
        NotFound: there is no such file.
        Forbidden: others than its owner may read it.
        Corrupted: it does not hold a key.
    """
    chance = (entropy or SystemEntropy()) if create else None
    return Signer(name, _read_or_make(path, _SIGNING, chance))


def _read_or_make(path: Path, header: str, entropy: Entropy | None) -> bytes:
    if entropy is not None and not path.exists():
        _create(path, f"{header} {entropy.bytes(KEY_BYTES).hex()}\n")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"there is no key file {path}") from None
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & 0o077:
            raise Forbidden(f"{path} has mode {mode:04o}: a key file must be 0600, its owner's alone")
        first, _, text = file.read(256).strip().partition(" ")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if first != header or len(secret) != KEY_BYTES:
        raise Corrupted(f"{path} does not hold what it should: {header} and {KEY_BYTES} bytes")
    return secret


def _create(path: Path, text: str) -> None:
    """Write the file so that it is there whole or not at all."""
    make_directory(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
