"""The vault's own archive: wrapped keys, as they are stored, and nothing that could unwrap them.

A run writes all keys anew and takes the file of the run before away, so that a key that was destroyed leaves
the archive with the next run. What copies of the archive hold is over when their term is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from obligor import __version__
from obligor.app.backup_files import Damaged, RowsFile, read_rows
from obligor.app.backup_manifest import FORMAT, VaultManifest, load_manifest, write_manifest
from obligor.journal import PersonKey, TenantKey, VaultRow
from obligor.kernel import Conflict
from obligor.proof import Signer

__all__ = ["Destroyed", "archive_vault", "archived_keys", "without"]

COLUMNS = {"person": ("tenant", "person", "class", "wrapped"), "tenant": ("tenant", "purpose", "wrapped")}
KEYS = "keys-{}.rows"

# (tenant, person, class) of keys that are no more.
Destroyed = set[tuple[str, str, str]]


def archive_vault(
    destination: Path,
    rows: Iterable[VaultRow],
    covers: dict[str, int],
    signer: Signer,
    taken_at: datetime,
) -> VaultManifest:
    """Write a vault's rows as an archive, in the place of what it held.

    Raises:
        Conflict: the archive is another log's.
    """
    before = load_manifest(destination, VaultManifest) if destination.is_dir() else None
    if before is not None and before.log_key != signer.vkey:
        raise Conflict(f"{destination} holds the vault of {before.deployment}, with the key {before.log_key}")
    with RowsFile(destination, {"holds": "vault", "deployment": signer.name}, COLUMNS) as out:
        for row in rows:
            out.add("person" if isinstance(row, PersonKey) else "tenant", *row)
        keys = out.done(KEYS)
    manifest = VaultManifest(
        format=FORMAT,
        release=__version__,
        deployment=signer.name,
        taken_at=taken_at,
        log_key=signer.vkey,
        covers=covers,
        keys=keys,
    )
    write_manifest(destination, manifest, signer)
    for old in destination.glob(KEYS.format("*")):
        if old.name != keys.name:
            old.unlink()
    return manifest


def archived_keys(source: Path, manifest: VaultManifest) -> Iterator[VaultRow]:
    """The rows of a vault's archive.

    Raises:
        Damaged: its file is not what the manifest says.
    """
    for kind, *values in read_rows(source, manifest.keys):
        match kind, len(values):
            case "person", 4:
                yield PersonKey(*values)
            case "tenant", 3:
                yield TenantKey(*values)
            case _:
                raise Damaged(manifest.keys.name, f"a row of kind {kind!r} with {len(values)} columns")


def without(rows: Iterable[VaultRow], destroyed: Destroyed) -> Iterator[VaultRow]:
    """The rows, but for keys that were destroyed since: these are written as destroyed and never as keys."""
    left = set(destroyed)
    for row in rows:
        if isinstance(row, PersonKey):
            left.discard(row[:3])
            yield row._replace(wrapped=None) if row[:3] in destroyed else row
        else:
            yield row
    for gone in sorted(left):
        yield PersonKey(*gone, None)
