"""What an archive holds, said in one signed file that is replaced last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from obligor.app.backup_files import Damaged, FileOf, place_file, read_rows, sync_tree
from obligor.kernel import Conflict, Corrupted, NotFound, encode, sha256_hex
from obligor.proof import Signer, Verifier, open_note, sign_note

__all__ = [
    "FORMAT",
    "MANIFEST",
    "TABLES",
    "VAULT_MANIFEST",
    "Log",
    "Manifest",
    "Segment",
    "VaultManifest",
    "archived_tables",
    "load_manifest",
    "need_manifest",
    "write_manifest",
]

FORMAT = 1
MANIFEST = "MANIFEST.json"
VAULT_MANIFEST = "VAULT.json"
# The rows that change beside the log, and the keys that are no more.
TABLES = {
    "answer": ("tenant", "key", "body", "person", "answer"),
    "cursor": ("tenant", "name", "known_seq"),
    "erasure": ("tenant", "person", "known_seq", "classes"),
    "destroyed": ("tenant", "person", "class"),
}


class Segment(msgspec.Struct, frozen=True):
    """Entries with first <= known_seq < stop, and the checkpoints with first < size <= stop."""

    first: int
    stop: int
    entries: FileOf
    checkpoints: FileOf


class Log(msgspec.Struct, frozen=True):
    """A tenant's log as of the backup: how many entries, and the root over them in hexadecimal.

    Segments below `closed` are full, have all their checkpoints, and stay as they are.
    """

    tenant: str
    size: int
    root: str
    closed: int
    segments: tuple[Segment, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive of a journal holds: `tables` are the rows that change, `files` are kept as they are."""

    format: int
    release: str
    deployment: str
    taken_at: datetime
    log_key: str
    logs: tuple[Log, ...]
    tables: FileOf
    files: tuple[FileOf, ...]

    @property
    def named(self) -> Iterator[FileOf]:
        """Every file but the manifest itself."""
        for log in self.logs:
            for segment in log.segments:
                yield segment.checkpoints
                yield segment.entries
        yield self.tables
        yield from self.files


class VaultManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive of a vault holds; `covers` are the sizes of the logs whose keys are all in it."""

    format: int
    release: str
    deployment: str
    taken_at: datetime
    log_key: str
    covers: dict[str, int]
    keys: FileOf

    @property
    def named(self) -> Iterator[FileOf]:
        """Every file but the manifest itself."""
        yield self.keys


class _Signed(msgspec.Struct, frozen=True):
    """A manifest, and a note over its digest by the key that signs the log."""

    manifest: msgspec.Raw
    note: str


AnyManifest = Manifest | VaultManifest
M = TypeVar("M", Manifest, VaultManifest)
_FILES: Mapping[type, str] = {Manifest: MANIFEST, VaultManifest: VAULT_MANIFEST}


def _statement(kind: type, manifest: bytes) -> str:
    """What is signed. Its second line is no number: no checkpoint can be read from it."""
    return f"obligor archive {FORMAT} {_FILES[kind]}\nsha256 {sha256_hex(manifest)}\n"


def write_manifest(directory: Path, manifest: AnyManifest, signer: Signer) -> FileOf:
    """Put a manifest in the place of the one before, as the last step of a backup."""
    written = encode(manifest)
    note = sign_note(_statement(type(manifest), written), [signer])
    data = msgspec.json.encode(_Signed(msgspec.Raw(written), note))
    sync_tree(directory)
    return place_file(directory, _FILES[type(manifest)], data)


def load_manifest(directory: Path, kind: type[M], key: str | None = None) -> M | None:
    """An archive's manifest, whose signature was checked; None where there is none.

    `key` is the verifier key that has to have signed it; without one it is the manifest's own, and whoever
    could replace the whole archive could have replaced that too.

    Raises:
        Damaged: it cannot be read, or was not signed with the key.
        Conflict: it was written by a newer release.
    """
    name = _FILES[kind]
    try:
        data = (directory / name).read_bytes()
    except FileNotFoundError:
        return None
    try:
        signed = msgspec.json.decode(data, type=_Signed)
        found = msgspec.json.decode(signed.manifest, type=_Format)
        if found.format > FORMAT:
            raise Conflict(f"{directory} has the format {found.format}, this release reads {FORMAT}")
        manifest = msgspec.json.decode(signed.manifest, type=kind)
        verifier = Verifier(key or manifest.log_key)
        said = open_note(signed.note, [verifier]).text
    except msgspec.MsgspecError as error:
        raise Damaged(name, f"it cannot be read: {error}") from None
    except Corrupted as error:
        raise Damaged(name, error.detail) from None
    if said != _statement(kind, bytes(signed.manifest)):
        raise Damaged(name, "it is not the one that was signed")
    return manifest


class _Format(msgspec.Struct):
    format: int


def need_manifest(directory: Path, kind: type[M], key: str | None = None) -> M:
    """As `load_manifest`.

    Raises:
        NotFound: there is none.
    """
    found = load_manifest(directory, kind, key)
    if found is None:
        what = {MANIFEST: "a journal", VAULT_MANIFEST: "a vault"}[_FILES[kind]]
        raise NotFound(f"{directory} holds no finished backup of {what}: there is no {_FILES[kind]}")
    return found


def archived_tables(source: Path, manifest: Manifest) -> Iterator[tuple[str, list[Any]]]:
    """The rows that change: the kind of each, and its columns as `TABLES` names them.

    Raises:
        Damaged: the file is not what the manifest says.
    """
    for kind, *values in read_rows(source, manifest.tables):
        if kind not in TABLES or len(values) != len(TABLES[kind]):
            raise Damaged(manifest.tables.name, f"a row of kind {kind!r} with {len(values)} columns")
        yield kind, values
