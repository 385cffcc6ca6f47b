"""Signed notes (C2SP signed-note): a text, and below it the signatures of whoever vouches for it.

Keys are Ed25519, algorithm 1 of the specification.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from obligor.kernel import Corrupted, InvalidInput

__all__ = ["ED25519", "Note", "Signer", "Verifier", "VerifierKey", "key_id", "open_note", "sign_note"]

ED25519 = 1
KEY_BYTES = 32
ID_BYTES = 4
MOST_BYTES = 1_000_000
MOST_SIGNATURES = 100

# Algorithms whose key id is the hash of name, algorithm and key; others have rules of their own.
_STANDARD = frozenset({1, 4, 6})
_VKEY = "a verifier key <name>+<8 hexadecimal digits>+<base64>, its id matching its key"


def key_id(name: str, algorithm: int, key: bytes) -> bytes:
    """The four bytes by which a signature names its key."""
    return sha256(b"%b\n%c%b" % (name.encode(), algorithm, key)).digest()[:ID_BYTES]


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def _unbase64(text: str) -> bytes:
    """Bytes from base64 that has exactly one writing.

    Raises:
        ValueError: no base64, or with bits that nothing stands for.
    """
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError(text)
    return data


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key as it is published: whose it is, its id, its algorithm and the key itself."""

    name: str
    id: bytes
    algorithm: int
    key: bytes

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read `<name>+<id>+<base64(algorithm, key)>`.

        Raises:
            InvalidInput: not of this form, or the id is not that of the key.
        """
        try:
            name, id_text, data_text = vkey.split("+", 2)
            data = _unbase64(data_text)
            id_ = bytes.fromhex(id_text)
        except (ValueError, binascii.Error):
            raise InvalidInput.field("vkey", vkey, _VKEY) from None
        found = cls(name, id_, data[0] if data else 0, data[1:])
        known = found.algorithm in _STANDARD and found.key
        if not known or not _is_name(name) or key_id(name, found.algorithm, found.key).hex() != id_text:
            raise InvalidInput.field("vkey", vkey, _VKEY)
        return found

    def __str__(self) -> str:
        data = base64.b64encode(bytes([self.algorithm]) + self.key).decode()
        return f"{self.name}+{self.id.hex()}+{data}"


class Verifier:
    """Checks the signatures of one Ed25519 key."""

    def __init__(self, vkey: str) -> None:
        """Take a verifier key.

        Raises:
            InvalidInput: no verifier key, or one of another algorithm.
        """
        self.key = VerifierKey.parse(vkey)
        if self.key.algorithm != ED25519 or len(self.key.key) != KEY_BYTES:
            raise InvalidInput.field("vkey", vkey, "an Ed25519 key (algorithm 1, 32 bytes)")
        self._public = Ed25519PublicKey.from_public_bytes(self.key.key)

    @property
    def name(self) -> str:
        """Whose key it is."""
        return self.key.name

    def __str__(self) -> str:
        return str(self.key)

    def holds(self, text: str, signature: bytes) -> bool:
        """Whether this key signed the text."""
        try:
            self._public.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """Signs with one Ed25519 key of 32 private bytes."""

    def __init__(self, name: str, private_key: bytes) -> None:
        """Take a name and a private key.

        Raises:
            InvalidInput: the name is empty or has a space or plus, or the key is of another length.
        """
        if not _is_name(name):
            raise InvalidInput.field("name", name, "a name without spaces and plus signs")
        if len(private_key) != KEY_BYTES:
            raise InvalidInput.field("private_key", len(private_key), f"{KEY_BYTES} bytes")
        self._private = Ed25519PrivateKey.from_private_bytes(private_key)
        public = self._private.public_key().public_bytes_raw()
        self._key = VerifierKey(name, key_id(name, ED25519, public), ED25519, public)

    @property
    def name(self) -> str:
        """Whose key it is."""
        return self._key.name

    @property
    def vkey(self) -> str:
        """The key that others verify with."""
        return str(self._key)

    @property
    def verifier(self) -> Verifier:
        """The other half of this key."""
        return Verifier(self.vkey)

    def line(self, text: str) -> str:
        """The signature line of a text."""
        data = base64.b64encode(self._key.id + self._private.sign(text.encode())).decode()
        return f"\u2014 {self.name} {data}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that at least one trusted key signed, and the names of those keys."""

    text: str
    signed_by: tuple[str, ...]


def sign_note(text: str, signers: Iterable[Signer]) -> str:
    """A note: the text, an empty line, and a line for each signer.

    Raises:
        InvalidInput: the text does not end with a newline, or has other control characters.
    """
    if not _is_text(text):
        raise InvalidInput.field("text", text, "text of whole lines without control characters")
    return text + "\n" + "".join(signer.line(text) for signer in signers)


def open_note(note: str, verifiers: Sequence[Verifier]) -> Note:
    """The text of a note that one of these keys signed; signatures of unknown keys are passed over.

    Raises:
        Corrupted: it is no note, a signature in the name of a known key is false, or no known key signed it.
    """
    text, lines = _parts(note)
    known = {(verifier.name, verifier.key.id): verifier for verifier in verifiers}
    signed_by = []
    for name, id_, signature in (_signature(line) for line in lines):
        verifier = known.pop((name, id_), None)
        if verifier is None:
            continue
        if not verifier.holds(text, signature):
            raise Corrupted(f"the signature of {name} does not hold")
        signed_by.append(name)
    if not signed_by:
        raise Corrupted("no key that is trusted signed the note")
    return Note(text, tuple(signed_by))


def _is_text(text: str) -> bool:
    whole = text.endswith("\n") and all(character >= " " or character == "\n" for character in text)
    return whole and not any("\ud800" <= character <= "\udfff" for character in text)


def _parts(note: str) -> tuple[str, list[str]]:
    before, blank, block = note.rpartition("\n\n")
    lines = block.split("\n")
    whole = bool(blank) and lines[-1] == "" and _is_text(note) and len(note) <= MOST_BYTES
    if not whole or not 1 <= len(lines) - 1 <= MOST_SIGNATURES:
        raise Corrupted("not a signed note")
    return before + "\n", lines[:-1]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    try:
        dash, name, data_text = line.split(" ")
        data = _unbase64(data_text)
    except (ValueError, binascii.Error):
        raise Corrupted("not the signature line of a note") from None
    if dash != "\u2014" or not _is_name(name) or len(data) <= ID_BYTES:
        raise Corrupted("not the signature line of a note")
    return name, data[:ID_BYTES], data[ID_BYTES:]
