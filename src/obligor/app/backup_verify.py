"""`obligor backup --verify`: everything an archive says of itself, computed anew, from the archive alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from obligor.app.backup import Progress
from obligor.app.backup_files import Damaged, check_file
from obligor.app.backup_log import SAY_EVERY, archived_checkpoints, archived_entries, segment_of
from obligor.app.backup_manifest import MANIFEST, Log, Manifest, VaultManifest, archived_tables, need_manifest
from obligor.app.backup_vault import archived_keys
from obligor.proof import StoredEntry, Verifier, audit

__all__ = ["Verified", "verify"]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. `file` and `entry` are the first that are bad, where it is known, and `why` says how.

    `key` is the verifier key that everything was checked with; `trusted` says whether the caller brought it.
    """

    ok: bool
    file: str | None
    entry: int | None
    why: str
    key: str
    trusted: bool
    logs: dict[str, int]
    roots: dict[str, str]
    checkpoints: int
    unsigned: int
    files: int
    keys: int | None
    seconds: float


@dataclass(slots=True)
class _Run:
    source: Path
    manifest: Manifest
    progress: Progress
    # How far reading has come, so that what cannot be read on has a name.
    place: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    keys: int | None = None


class _Bad(Exception):
    def __init__(self, file: str | None, entry: int | None, why: str) -> None:
        super().__init__(why)
        self.file, self.entry, self.why = file, entry, why


def verify(
    source: Path,
    *,
    log_key: str | None = None,
    vault: Path | None = None,
    progress: Progress = lambda _what, _done, _of: None,
) -> Verified:
    """Read an archive whole: signatures, digests, every leaf, the tree, every checkpoint; its vault's too.

    Nothing is raised for a bad archive: the answer names the first file and entry that fail.

    Raises:
        NotFound: there is no archive. Conflict: it is of a newer release.
    """
    began = time.monotonic()
    run: _Run | None = None
    bad: _Bad | None = None
    try:
        run = _Run(source, need_manifest(source, Manifest, log_key), progress)
        _read(run, vault)
    except Damaged as error:
        bad = _Bad(error.file, None, error.why)
    except _Bad as error:
        bad = error
    manifest = run.manifest if run else None
    return Verified(
        ok=bad is None,
        file=bad.file if bad else None,
        entry=bad.entry if bad else None,
        why=bad.why if bad else "",
        key=log_key or (manifest.log_key if manifest else ""),
        trusted=log_key is not None,
        logs={log.tenant: log.size for log in manifest.logs} if manifest else {},
        roots={log.tenant: log.root for log in manifest.logs} if manifest else {},
        checkpoints=run.checkpoints if run else 0,
        unsigned=run.unsigned if run else 0,
        files=sum(1 for _ in manifest.named) if manifest else 0,
        keys=run.keys if run else None,
        seconds=round(time.monotonic() - began, 3),
    )


def _read(run: _Run, vault: Path | None) -> None:
    for log in run.manifest.logs:
        _log(run, log)
    for _ in archived_tables(run.source, run.manifest):
        pass
    for file in run.manifest.files:
        check_file(run.source, file)
    if vault is not None:
        _vault(run, vault)


def _log(run: _Run, log: Log) -> None:
    run.place = 0
    notes = [each.note for each in archived_checkpoints(run.source, log)]
    try:
        report = audit(_entries(run, log), notes, Verifier(run.manifest.log_key))
    except Damaged as error:
        # What cannot be read on ends at the entry that was to come; past the last, it is the file as a whole.
        entry = run.place if segment_of(log, run.place) == error.file else None
        raise _Bad(error.file, entry, error.why) from None
    run.checkpoints += report.checkpoints_checked
    run.unsigned += report.unsigned
    if not report.ok and report.first_bad is not None:
        raise _Bad(segment_of(log, report.first_bad), report.first_bad, report.why)
    if not report.ok:
        raise _Bad(_first_damaged(run), None, report.why)
    if (report.entries, report.root.hex()) != (log.size, log.root):
        raise _Bad(MANIFEST, None, f"the entries of {log.tenant} do not add up to the root that it names")


def _entries(run: _Run, log: Log) -> Iterator[StoredEntry]:
    for row in archived_entries(run.source, log):
        if row.known_seq % SAY_EVERY == 0:
            run.progress("entries", row.known_seq, log.size)
        run.place = row.known_seq + 1
        yield StoredEntry(row.known_seq, row.envelope, row.body_root, row.sealed, row.leaf)
    run.progress("entries", log.size, log.size)


def _first_damaged(run: _Run) -> str | None:
    """The first file whose digest is not the manifest's."""
    for file in run.manifest.named:
        try:
            check_file(run.source, file)
        except Damaged:
            return file.name
    return None


def _vault(run: _Run, vault: Path) -> None:
    """The vault's archive, whose files are named with its directory."""
    try:
        manifest = need_manifest(vault, VaultManifest, run.manifest.log_key)
        run.keys = sum(1 for _ in archived_keys(vault, manifest))
    except Damaged as error:
        raise _Bad(f"{vault.name}/{error.file}", None, error.why) from None
