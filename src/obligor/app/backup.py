"""`obligor backup`: all that cannot be made again of a data directory, as of one moment, in an archive.

The archive knows nothing of the store. It has the log in segments, the rows that change, artifacts, settings
and digests of API keys; its manifest is replaced last and signed with the key that signs the log. The vault
goes to an archive of its own, so that it can have its own term, and secret keys go into neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import yaml

from obligor import __version__
from obligor.app.backup_files import FileOf, RowsFile, place_file
from obligor.app.backup_log import LogWriter
from obligor.app.backup_manifest import (
    FORMAT,
    MANIFEST,
    TABLES,
    Manifest,
    VaultManifest,
    load_manifest,
    write_manifest,
)
from obligor.app.backup_vault import archive_vault
from obligor.app.places import journal_of, key_file, signing_file, vault_of
from obligor.app.settings import FILE, Settings, load
from obligor.journal import DirectoryLock, PersonKey, Rows, Source, VaultRow, load_signer, vault_rows
from obligor.kernel import Conflict, InvalidInput, NotFound, encode, sha256_hex
from obligor.proof import Signer

__all__ = ["API_KEYS", "LAST", "Progress", "Taken", "Told", "beside", "take"]

API_KEYS = "api-keys.json"
DIGEST = 64
# What a data directory remembers of its last backup.
LAST = "last-backup.json"
LOCK = "archive.lock"
OURS = ("log", "tables", "artifacts", "settings")

# Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has done. `logs` are sizes by tenant, `roots` the roots over them."""

    destination: str
    vault: str | None
    keys: str | None
    logs: dict[str, int]
    roots: dict[str, str]
    entries_added: int
    files_written: int
    bytes_written: int
    seconds: float


class Told(msgspec.Struct, frozen=True):
    """What `LAST` holds."""

    at: datetime
    destination: str
    entries: int


def beside(destination: Path) -> Path:
    """Where the vault's archive goes, if nobody says."""
    return destination.with_name(destination.name + "-vault")


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: from where, to where, and what the archive had before."""

    directory: Path
    destination: Path
    settings: Settings
    signer: Signer
    before: Manifest | None
    progress: Progress


def take(
    directory: Path,
    destination: Path,
    *,
    settings: Settings | None = None,
    with_vault: bool = True,
    vault_to: Path | None = None,
    keys_to: Path | None = None,
    progress: Progress = lambda _what, _done, _of: None,
) -> Taken:
    """Bring an archive up to the journal as it is now, beside the server that writes it or without one.

    `vault_to` is `<destination>-vault` where it is not given. `keys_to` gets copies of the secret keys; it
    may lie in neither archive, since whoever has keys, vault and journal can read all of it.

    Raises:
        NotFound: there is no journal, or not its signing key.
        Conflict: the destination holds something else, or another journal.
        Corrupted: the journal is damaged. Damaged: the archive is.
        Unavailable: another run is under way there.
    """
    began = time.monotonic()
    vault_to = (vault_to or beside(destination)) if with_vault else None
    _see_apart(destination, vault_to, keys_to)
    settings = settings or load(directory)
    if not signing_file(directory).is_file():
        raise NotFound(f"{directory} holds no signing key; an archive is signed with that of its log")
    signer = load_signer(signing_file(directory), settings.deployment)
    with closing(journal_of(directory, settings).rows()) as rows:
        _see_ours(destination)
        destination.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock(destination / LOCK)
        try:
            before = load_manifest(destination, Manifest)
            if before is not None and before.log_key != signer.vkey:
                raise Conflict(f"{destination} is an archive of {before.deployment}, with another key")
            run = _Run(directory, destination, settings, signer, before, progress)
            manifest, vault = _archive(run, rows, vault_to)
            if keys_to is not None:
                _copy_secrets(directory, keys_to)
            _remember(directory, destination, manifest)
        finally:
            lock.release()
    new = _new(before, manifest) + ([vault.keys] if vault else [])
    sizes = {log.tenant: log.size for log in before.logs} if before else {}
    return Taken(
        destination=str(destination),
        vault=str(vault_to) if vault_to else None,
        keys=str(keys_to) if keys_to else None,
        logs={log.tenant: log.size for log in manifest.logs},
        roots={log.tenant: log.root for log in manifest.logs},
        entries_added=sum(log.size - sizes.get(log.tenant, 0) for log in manifest.logs),
        files_written=len(new),
        bytes_written=sum(file.bytes for file in new),
        seconds=round(time.monotonic() - began, 3),
    )


def _archive(run: _Run, rows: Rows, vault_to: Path | None) -> tuple[Manifest, VaultManifest | None]:
    """Everything but the secret keys. The order matters.

    Rows that change and the heads are of one moment. What is read after it only ever grows: entries below the
    heads stay as they are, artifacts are kept before events name them, and a key is in the vault before an
    event is sealed with it, or destroyed by then, and will stay so.
    """
    taken_at = datetime.now(UTC)
    held = {"holds": "tables", "deployment": run.signer.name}
    with RowsFile(run.destination, held, TABLES) as tables:
        with rows.snapshot() as moment:
            source = Source(moment)
            heads = source.heads()
            signed = {head.tenant: source.signed(head.tenant) for head in heads}
            for answer in source.answers():
                tables.add("answer", *answer)
            for cursor in source.cursors():
                tables.add("cursor", *cursor)
            for erasure in source.erasures():
                tables.add("erasure", *erasure)
        lost = {log.tenant for log in run.before.logs} - set(signed) if run.before else set()
        if lost:
            raise Conflict(f"the archive has entries of {', '.join(sorted(lost))}, the journal has none")
        for gone in _destroyed(run, needed=vault_to is not None):
            tables.add("destroyed", *gone)
        known = {log.tenant: log for log in run.before.logs} if run.before else {}
        logs = []
        for head in heads:
            writer = LogWriter(run.destination, rows, head, known.get(head.tenant))
            logs.append(writer.write(signed[head.tenant], partial(run.progress, "entries")))
        files = (*_artifacts(run), *_settings(run))
        manifest = Manifest(
            format=FORMAT,
            release=__version__,
            deployment=run.signer.name,
            taken_at=taken_at,
            log_key=run.signer.vkey,
            logs=tuple(logs),
            tables=tables.done("tables/{}.rows"),
            files=files,
        )
    vault = None
    if vault_to is not None:
        covers = {head.tenant: head.size for head in heads}
        vault = archive_vault(vault_to, _vault(run), covers, run.signer, taken_at)
    write_manifest(run.destination, manifest, run.signer)
    _tidy(run.destination, manifest)
    return manifest, vault


def _vault(run: _Run) -> Iterator[VaultRow]:
    return vault_rows(vault_of(run.directory, run.settings))


def _destroyed(run: _Run, *, needed: bool) -> Iterator[tuple[str, str, str]]:
    """The keys that are no more, for a restore with an older vault.

    A copy of a journal that has no vault can be backed up without; then only a vault of its own time or a
    later one can be restored with it.
    """
    try:
        for row in _vault(run):
            if isinstance(row, PersonKey) and row.wrapped is None:
                yield row[:3]
    except NotFound:
        if needed:
            raise


# ---- files


def _artifacts(run: _Run) -> Iterator[FileOf]:
    """Strategies and models, which have their digests for names: what the archive has already stays."""
    had = {file.name: file for file in run.before.files} if run.before else {}
    home = run.directory / "artifacts"
    for path in sorted(home.glob("strategies/*/**/*")) + sorted(home.glob("models/*.json")):
        below = path.relative_to(home)
        if not path.is_file() or len(below.parts[1].removesuffix(".json")) != DIGEST:
            continue
        name = f"artifacts/{below.as_posix()}"
        file = had.get(name)
        if file is None or not (run.destination / name).is_file():
            file = place_file(run.destination, name, path.read_bytes())
        yield file


def _settings(run: _Run) -> Iterator[FileOf]:
    """The settings without where the store is, and the digests of API keys."""
    for name in (FILE, API_KEYS):
        path = run.directory / name
        if path.is_file():
            data = path.read_bytes()
            if name == FILE:
                data = _storeless(data)
            # The digest in the name keeps the file that an older manifest names.
            yield place_file(run.destination, f"settings/{sha256_hex(data)[:32]}/{name}", data)


def _storeless(written: bytes) -> bytes:
    """Where the store is belongs to the place and not to the lender, and may hold a password."""
    values = yaml.safe_load(written)
    if not isinstance(values, dict) or "store" not in values:
        return written
    left = {name: value for name, value in values.items() if name != "store"}
    return yaml.safe_dump(left, allow_unicode=True, sort_keys=False).encode()


def _copy_secrets(directory: Path, keys_to: Path) -> None:
    keys_to.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (key_file(directory), signing_file(directory)):
        copy = keys_to / path.name
        if copy.is_file() and copy.read_bytes() != path.read_bytes():
            raise Conflict(f"{copy} is another key; keep it, and choose another place for these")
        place_file(keys_to, path.name, path.read_bytes())


def _new(before: Manifest | None, manifest: Manifest) -> list[FileOf]:
    had = {file.name for file in before.named} if before else set()
    return [file for file in manifest.named if file.name not in had]


def _tidy(destination: Path, manifest: Manifest) -> None:
    """Take away what the manifest does not name: tails that grew, rows that changed, drafts of dead runs."""
    named = {file.name for file in manifest.named}
    for draft in destination.glob(".*.draft"):
        draft.unlink(missing_ok=True)
    for path in [path for top in OURS for path in (destination / top).rglob("*")]:
        if path.is_file() and path.relative_to(destination).as_posix() not in named:
            path.unlink(missing_ok=True)
    for path in sorted((destination / "settings").glob("*/")):
        if not any(path.iterdir()):
            path.rmdir()


# ---- what may go where


def _see_ours(destination: Path) -> None:
    """A destination is new, empty or an archive."""
    if not destination.exists() or (destination / MANIFEST).is_file():
        return
    known = {LOCK, *OURS}
    foreign = [path.name for path in destination.iterdir() if path.name not in known]
    if [name for name in foreign if not name.endswith(".draft")]:
        raise Conflict(f"{destination} holds other things ({foreign[0]}); choose an empty directory")


def _see_apart(destination: Path, vault_to: Path | None, keys_to: Path | None) -> None:
    """The three belong in three places: together they are everything that an erasure destroys."""
    places = [path.resolve() for path in (destination, vault_to, keys_to) if path is not None]
    for one in places:
        for other in places:
            if one is not other and (one == other or one.is_relative_to(other)):
                raise InvalidInput.field("destination", str(one), f"a place outside {other}")


def _remember(directory: Path, destination: Path, manifest: Manifest) -> None:
    """Leave word for `obligor doctor`; a data directory that cannot be written does without."""
    told = Told(manifest.taken_at, str(destination.resolve()), sum(log.size for log in manifest.logs))
    with suppress(OSError):
        place_file(directory, LAST, encode(told))
