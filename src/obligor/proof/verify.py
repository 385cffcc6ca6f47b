"""Verify a receipt, offline: `python verify.py RECEIPT [--key VERIFIER_KEY]`.

This file needs Python and `cryptography`, and nothing else of Obligor: take it away and run it elsewhere. It
shares no code with the program that writes receipts. What it relies on: RFC 6962 (2.1, Merkle tree), RFC 8785
(canonical JSON, here of objects with ASCII keys, integers, strings, booleans, null and arrays), C2SP
signed-note and tlog-checkpoint, Ed25519.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["Report", "Step", "main", "verify_receipt"]

MOST_BYTES = 4_000_000
MOST_DEPTH = 40
MAX_INTEGER = 2**53
HASH_BYTES = 32
SALT_BYTES = 16

RECEIPT = {"v": int, "entry": dict, "index": int, "size": int, "proof": list, "checkpoint": str, "vkey": str}
ENTRY = {"v": int, "envelope": dict, "body_root": str, "sealed_sha256": str}
OPENING = {"class": str, "path": str, "value": object, "salt": str, "index": int, "size": int, "proof": list}

READ = "The receipt can be read"
LEAF = "Entry hashes to its leaf"
PATH = "Inclusion proof leads to a root"
ROOT = "Root is the checkpoint's"
SIGNED = "Log key signed the checkpoint"
OPENED = "Opened fields are the entry's"


class Fault(ValueError):
    """Why a step does not hold."""


@dataclass(frozen=True)
class Step:
    """One step: `ok` is None where an earlier one left nothing to try."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Report:
    """The steps in order, and what the receipt says; trust what it says only if `ok`."""

    steps: tuple[Step, ...]
    origin: str = ""
    index: int = 0
    size: int = 0
    root: bytes = b""
    envelope: dict[str, Any] | None = None
    fields: tuple[tuple[str, str, Any], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every step holds."""
        return all(step.ok is True for step in self.steps)


# ---- JSON and base64 with one writing each


def canonical(value: Any) -> bytes:
    """The canonical bytes of a value that `read_json` returned."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def read_json(data: bytes) -> Any:
    """JSON that is written canonically: any other writing of it is refused."""

    def fraction(text: str) -> Any:
        raise Fault(f"{text} is no integer")

    try:
        value = json.loads(data.decode(), parse_float=fraction, parse_constant=fraction)
        check_profile(value, MOST_DEPTH)
        same = canonical(value) == data
    except (ValueError, RecursionError) as error:
        raise Fault(f"not the JSON of a receipt: {error}") from None
    if not same:
        raise Fault("the JSON is not in canonical form: it was changed or written anew")
    return value


def check_profile(value: Any, depth: int) -> None:
    """Refuse keys and numbers that the canonical form is not defined for here."""
    if depth == 0:
        raise Fault("nested too deep")
    if isinstance(value, dict):
        if not all(key.isascii() for key in value):
            raise Fault("a key is not ASCII")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            check_profile(item, depth - 1)
    elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise Fault("an integer is out of range")


def shaped(value: Any, shape: dict[str, type], what: str) -> dict[str, Any]:
    """An object with exactly these keys and types."""
    if not isinstance(value, dict) or set(value) != set(shape):
        raise Fault(f"{what} should have exactly {', '.join(sorted(shape))}")
    for key, kind in shape.items():
        if not isinstance(value[key], kind) or (kind is int and isinstance(value[key], bool)):
            raise Fault(f"{what}: {key} is of the wrong kind")
    return value


def unbase64(text: Any, length: int, what: str) -> bytes:
    """Bytes of a length; unused bits of the last character have to be zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise Fault(f"{what} is not base64") from None
    if len(data) != length or base64.b64encode(data).decode() != text:
        raise Fault(f"{what} is not {length} bytes of base64")
    return data


def unhex(text: str, what: str) -> bytes:
    """A hash in lower-case hexadecimal."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise Fault(f"{what} is not hexadecimal") from None
    if len(data) != HASH_BYTES or data.hex() != text:
        raise Fault(f"{what} is not a hash in hexadecimal")
    return data


# ---- the Merkle tree


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962, 2.1: a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def root_from(index: int, size: int, leaf: bytes, proof: list[Any]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise Fault(f"a tree of {size} leaves has none at {index}")
    first, last, found = index, size - 1, leaf
    for text in proof:
        other = unbase64(text, HASH_BYTES, "a hash of the proof")
        if last == 0:
            raise Fault("the proof is too long")
        if first & 1 or first == last:
            found = hashlib.sha256(b"\x01" + other + found).digest()
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + other).digest()
        first, last = first >> 1, last >> 1
    if last:
        raise Fault("the proof is too short")
    return found


# ---- the checkpoint


def read_key(vkey: str) -> tuple[str, bytes, bytes]:
    """Name, id and Ed25519 key of a verifier key."""
    name, plus, rest = vkey.partition("+")
    id_text, second, key_text = rest.partition("+")
    data = unbase64(key_text, 1 + HASH_BYTES, "the key of the log")
    id_ = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if not (name and plus and second) or data[0] != 1 or id_.hex() != id_text:
        raise Fault("the key of the log is no Ed25519 verifier key, or its id is another key's")
    return name, id_, data[1:]


def read_checkpoint(note: str) -> tuple[str, int, bytes, str, list[str]]:
    """Origin, size and root, then the text that is signed and the lines that sign it."""
    text, blank, block = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or not all(lines) or not block.endswith("\n"):
        raise Fault("not a signed checkpoint")
    if not lines[1].isdecimal() or len(lines[1]) > 19 or str(int(lines[1])) != lines[1]:
        raise Fault("the checkpoint's size is no number")
    root = unbase64(lines[2], HASH_BYTES, "the checkpoint's root")
    return lines[0], int(lines[1]), root, text + "\n", block[:-1].split("\n")


def signed_by(text: str, lines: list[str], vkey: str) -> str:
    """Check the key's signature; says whose it is."""
    name, id_, key = read_key(vkey)
    start = f"\u2014 {name} "
    found = 0
    for line in lines:
        if line.count(" ") != 2 or not line.startswith("\u2014 "):
            raise Fault("not the signature line of a note")
        if not line.startswith(start):
            continue
        data = unbase64(line[len(start) :], 4 + 64, "the signature")
        if data[:4] != id_:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(data[4:], text.encode())
        except InvalidSignature:
            raise Fault(f"the signature of {name} does not hold") from None
        found += 1
    if found != 1:
        raise Fault(f"{name} (key {id_.hex()}) has not signed it, or more than once")
    return f"{name}, key {id_.hex()}"


# ---- the receipt


def read_receipt(data: bytes) -> dict[str, Any]:
    """A receipt of the right form."""
    if len(data) > MOST_BYTES:
        raise Fault(f"larger than {MOST_BYTES} bytes")
    receipt = shaped(read_json(data), RECEIPT | {"openings": list}, "the receipt")
    entry = shaped(receipt["entry"], ENTRY, "the entry")
    for number, opening in enumerate(receipt["openings"], 1):
        shaped(opening, OPENING, f"opening {number}")
    if receipt["v"] != 1 or entry["v"] != 1:
        raise Fault("a version that this program does not know")
    unhex(entry["body_root"], "the body's commitment")
    unhex(entry["sealed_sha256"], "the hash of the ciphertext")
    return receipt


def check_leaf(receipt: dict[str, Any]) -> tuple[bytes, str]:
    """The leaf hash of the entry, which has to say the same place as the receipt."""
    place = receipt["entry"]["envelope"].get("known_seq")
    if place != receipt["index"] or isinstance(place, bool):
        raise Fault(f"the entry says that it is {place}, the receipt {receipt['index']}")
    leaf = leaf_hash(canonical(receipt["entry"]))
    return leaf, f"leaf {receipt['index']:,}, {leaf.hex()[:16]}…"


def check_openings(receipt: dict[str, Any]) -> tuple[tuple[tuple[str, str, Any], ...], str]:
    """The opened fields, each of which has to lead to the body's commitment."""
    root = unhex(receipt["entry"]["body_root"], "the body's commitment")
    fields = []
    for opening in receipt["openings"]:
        name = f"{opening['class']}/{opening['path']}"
        salt = unbase64(opening["salt"], SALT_BYTES, f"the salt of {name}")
        field = (opening["class"], opening["path"], opening["value"])
        leaf = leaf_hash(salt + canonical([*field, opening["size"]]))
        if root_from(opening["index"], opening["size"], leaf, opening["proof"]) != root:
            raise Fault(f"{name} is not what was committed to")
        fields.append(field)
    return tuple(fields), f"{len(fields)} opened" if fields else "none opened"


class Steps:
    """Takes steps one by one; a step whose needs did not hold is not tried."""

    def __init__(self) -> None:
        self.taken: list[Step] = []

    def take(self, name: str, attempt: Callable[[], tuple[Any, str]], needs: bool = True) -> Any:
        """The attempt's value, or None."""
        if not needs:
            self.taken.append(Step(name, None, "not tried"))
            return None
        try:
            value, detail = attempt()
        except Fault as fault:
            self.taken.append(Step(name, False, str(fault)))
            return None
        self.taken.append(Step(name, True, detail))
        return value


def verify_receipt(data: bytes, *, vkey: str | None = None) -> Report:
    """Verify the bytes of a receipt, against the log's key as you know it.

    Without `vkey` the key in the receipt is used: that shows that the receipt is consistent, and not whose
    log it is of. Nothing is raised for a receipt that is bad: the report says which step does not hold.
    """
    steps = Steps()
    receipt = steps.take(READ, lambda: (read_receipt(data), f"{len(data):,} bytes"))
    if receipt is None:
        for name in (LEAF, PATH, ROOT, SIGNED, OPENED):
            steps.take(name, lambda: (None, ""), needs=False)
        return Report(tuple(steps.taken))
    index, size, proof = receipt["index"], receipt["size"], receipt["proof"]
    origin, signed_root, envelope = "", b"", receipt["entry"]["envelope"]

    def check_path() -> tuple[bytes, str]:
        return root_from(index, size, leaf, proof), f"{len(proof)} hashes"

    def check_root() -> tuple[Any, str]:
        found = read_checkpoint(receipt["checkpoint"])
        if found[1] != size:
            raise Fault(f"the checkpoint is of size {found[1]:,}, the receipt of {size:,}")
        if found[2] != root:
            raise Fault("the checkpoint has another root: the entry is not in this log, or was changed")
        return found, f"size {size:,}"

    def check_signed() -> tuple[bool, str]:
        _, _, _, text, lines = read_checkpoint(receipt["checkpoint"])
        whose = signed_by(text, lines, vkey or receipt["vkey"])
        if vkey and vkey != receipt["vkey"]:
            raise Fault("the receipt names another key than the one you gave")
        return (
            True,
            whose if vkey else f"{whose}; the key is the receipt's own, compare it with the one you know",
        )

    leaf = steps.take(LEAF, lambda: check_leaf(receipt))
    root = steps.take(PATH, check_path, needs=leaf is not None)
    checkpoint = steps.take(ROOT, check_root, needs=root is not None)
    steps.take(SIGNED, check_signed)
    fields = steps.take(OPENED, lambda: check_openings(receipt)) or ()
    if checkpoint is not None:
        origin, _, signed_root, _, _ = checkpoint
    return Report(tuple(steps.taken), origin, index, size, signed_root, envelope, fields)


def main(arguments: list[str] | None = None) -> int:
    """Print each step; 0 if all hold, 1 if one does not, 2 if there is no file."""
    parser = argparse.ArgumentParser(description="Verify a receipt, offline.")
    parser.add_argument("receipt", help="the receipt file, or - for standard input")
    parser.add_argument("--key", help="the log's verifier key, as you know it from elsewhere")
    asked = parser.parse_args(arguments)
    try:
        data = sys.stdin.buffer.read() if asked.receipt == "-" else Path(asked.receipt).read_bytes()
    except OSError as error:
        sys.stderr.write(f"{asked.receipt}: {error.strerror}\n")
        return 2
    report = verify_receipt(data, vkey=asked.key)
    marks = {True: "ok  ", False: "FAIL", None: "-   "}
    lines = [f"{marks[step.ok]} {step.name}: {step.detail}" for step in report.steps]
    lines += [f"     {kind}/{path} = {json.dumps(value)}" for kind, path, value in report.fields if report.ok]
    lines.append("The receipt holds." if report.ok else "The receipt does NOT hold.")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
