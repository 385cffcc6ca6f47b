"""`obligor restore`: an archive becomes a data directory, on either store, whole or not at all.

Everything is written beside the place where it will be, and moved there as the last step. What is read is
audited as it is written; keys that were destroyed after the vault was archived are not written as keys.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import yaml

from obligor.app.backup import API_KEYS, Progress
from obligor.app.backup_files import Damaged, check_file, place_file, sync_directory, sync_tree
from obligor.app.backup_log import SAY_EVERY, archived_checkpoints, archived_entries
from obligor.app.backup_manifest import Log, Manifest, VaultManifest, archived_tables, need_manifest
from obligor.app.backup_vault import Destroyed, archived_keys, without
from obligor.app.call import Means
from obligor.app.kept import Kept
from obligor.app.places import journal_of, key_file, signing_file, vault_of
from obligor.app.registry import build
from obligor.app.settings import FILE, Settings, load
from obligor.events import PersonErased
from obligor.journal import (
    AnswerRow,
    CursorRow,
    DirectoryLock,
    ErasureRow,
    EventRow,
    FileKeys,
    Filling,
    PersonKey,
    SystemEntropy,
    Vault,
    VaultRow,
    fill_vault,
    keys_wanted,
    load_signer,
    subjects_of,
)
from obligor.kernel import Conflict, Corrupted, InvalidInput, NotFound
from obligor.proof import Verifier, audit

__all__ = ["Restored", "restore"]

LOCK = "restore.lock"
ERASED = PersonErased.TYPE


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, and the seconds of each phase. `sealed`: without a vault bodies stay shut."""

    directory: str
    logs: dict[str, int]
    roots: dict[str, str]
    checkpoints: int
    unsigned: int
    answers: int
    keys: int
    destroyed: int
    sealed: bool
    seconds: dict[str, float]


@dataclass(slots=True)
class _Run:
    """One restore, and what it has counted."""

    source: Path
    manifest: Manifest
    staging: Path
    settings: Settings
    vault_source: Path | None
    vault: VaultManifest | None
    progress: Progress
    destroyed: Destroyed = field(default_factory=set)
    erased: set[tuple[str, str]] = field(default_factory=set)
    # What entries are sealed with that the vault's archive may not have yet.
    wanted: Destroyed = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def restore(
    source: Path,
    directory: Path,
    *,
    store: str = "",
    vault: Path | None = None,
    keys: Path | None = None,
    log_key: str | None = None,
    progress: Progress = lambda _what, _done, _of: None,
) -> Restored:
    """Make a data directory out of an archive, and fill the database at `store` where one is given.

    `vault` is the vault's archive, `keys` a directory with the secret keys. Without both only the log comes
    back: it can be audited and not served. `log_key` is the verifier key that must have signed the archive.

    Raises:
        NotFound: no archive, or no keys. Conflict: the place is not empty, or keys or vault do not fit.
        Damaged: a file of the archive. Corrupted: its entries are not those that were signed.
    """
    manifest = need_manifest(source, Manifest, log_key)
    sealed_by = None
    if vault is not None:
        if keys is None:
            raise InvalidInput.field(
                "keys", None, "the place of the secret keys: a vault is shut without them"
            )
        sealed_by = need_manifest(vault, VaultManifest, manifest.log_key)
    _see_empty(directory)
    with _staging(directory) as staging:
        _place_files(source, manifest, staging, store)
        settings = load(staging, {}, store=store)
        if keys is not None:
            _place_keys(keys, staging, manifest, settings)
        run = _Run(source, manifest, staging, settings, vault, sealed_by, progress)
        _fill(run)
        (staging / LOCK).unlink()
        sync_tree(staging)
        staging.rename(directory)
        sync_directory(directory.parent)
    counts = run.counts
    return Restored(
        directory=str(directory),
        logs={log.tenant: log.size for log in manifest.logs},
        roots={log.tenant: log.root for log in manifest.logs},
        checkpoints=counts.get("checkpoints", 0),
        unsigned=counts.get("unsigned", 0),
        answers=counts.get("answers", 0),
        keys=counts.get("keys", 0),
        destroyed=counts.get("destroyed", 0),
        sealed=sealed_by is None,
        seconds=run.seconds,
    )


# ---- the place


def _see_empty(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Conflict(f"{directory} is not empty; what is restored goes into an empty place")


@contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """A directory beside the place, gone when something fails; one that a dead run left is taken away."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = directory.with_name(f".{directory.name}.restoring")
    staging.mkdir(mode=0o700, exist_ok=True)
    lock = DirectoryLock(staging / LOCK)
    try:
        for path in staging.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()
        try:
            yield staging
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    finally:
        lock.release()


def _place_files(source: Path, manifest: Manifest, staging: Path, store: str) -> None:
    """Artifacts, settings and API keys, each as the manifest says; and where the store is."""
    for file in manifest.files:
        check_file(source, file)
        top, _, below = file.name.partition("/")
        name = file.name if top == "artifacts" else below.rpartition("/")[2]
        if top not in ("artifacts", "settings") or (top == "settings" and name not in (FILE, API_KEYS)):
            raise Damaged(file.name, "it is nothing that a data directory has")
        place_file(staging, name, (source / file.name).read_bytes())
    if store:
        path = staging / FILE
        kept = path.read_text(encoding="utf-8") if path.is_file() else ""
        place_file(staging, FILE, _with_store(kept, store).encode())


def _with_store(written: str, store: str) -> str:
    """The settings with where the store is: a line more where that will do, or else written anew."""
    wanted = {**(yaml.safe_load(written) or {}), "store": store}
    longer = f"{written.rstrip()}\n{yaml.safe_dump({'store': store})}".lstrip()
    try:
        if yaml.safe_load(longer) == wanted:
            return longer
    except yaml.YAMLError:
        pass
    return yaml.safe_dump(wanted, allow_unicode=True, sort_keys=False)


def _place_keys(keys: Path, staging: Path, manifest: Manifest, settings: Settings) -> None:
    """The key-encryption key and the signing key, which has to be the one that signed.

    Raises:
        NotFound: one is not there. Conflict: it is another one.
    """
    for path in (key_file(staging), signing_file(staging)):
        if not (keys / path.name).is_file():
            raise NotFound(f"{keys} holds no file {path.name!r}")
        place_file(path.parent, path.name, (keys / path.name).read_bytes())
    vkey = load_signer(signing_file(staging), settings.deployment).vkey
    if vkey != manifest.log_key:
        raise Conflict(f"the signing key in {keys} is not {manifest.log_key}, which signed what is restored")


# ---- journal and vault


def _fill(run: _Run) -> None:
    """Journal and vault. The vault is durable before the journal: alone, there is nothing it could open."""
    began = time.monotonic()
    store = journal_of(run.staging, run.settings).writer()
    try:
        filling = Filling(store, [log.tenant for log in run.manifest.logs])
        try:
            _tables(run, filling)
            for log in run.manifest.logs:
                _log(run, filling, log)
            run.seconds["entries"] = round(time.monotonic() - began, 3)
            if run.vault is not None:
                _vault(run, filling)
            began = time.monotonic()
            filling.commit()
            run.seconds["commit"] = round(time.monotonic() - began, 3)
        except BaseException:
            store.rollback()
            raise
    finally:
        store.close()


def _tables(run: _Run, filling: Filling) -> None:
    rows = {"answer": AnswerRow, "cursor": CursorRow, "erasure": ErasureRow}
    for kind, values in archived_tables(run.source, run.manifest):
        if kind == "destroyed":
            tenant, person, name_of_class = values
            run.destroyed.add((tenant, person, name_of_class))
            continue
        filling.add(rows[kind](*values))
        if kind == "answer":
            _count(run, "answers")
        elif kind == "erasure":
            erasure = ErasureRow(*values)
            run.destroyed |= {(erasure.tenant, erasure.person, each) for each in erasure.classes.split()}


def _log(run: _Run, filling: Filling, log: Log) -> None:
    """Write a log as it is audited: entries, leaves, tree, and every checkpoint on the way."""
    notes = []
    for checkpoint in archived_checkpoints(run.source, log):
        notes.append(checkpoint.note)
        filling.add(checkpoint)
    covered = run.vault.covers.get(log.tenant, 0) if run.vault else log.size
    entries = filling.entries(log.tenant, _seen(run, log, covered))
    report = audit(entries, notes, Verifier(run.manifest.log_key))
    if not report.ok:
        place = "its checkpoints" if report.first_bad is None else f"entry {report.first_bad}"
        raise Corrupted(f"the archive's log of {log.tenant} does not hold at {place}: {report.why}")
    if (report.entries, report.root.hex()) != (log.size, log.root):
        raise Corrupted(f"the archive's log of {log.tenant} does not add up to the root in its manifest")
    _count(run, "checkpoints", report.checkpoints_checked)
    _count(run, "unsigned", report.unsigned)


def _seen(run: _Run, log: Log, covered: int) -> Iterator[EventRow]:
    """The entries, and on the way who was erased, and whose keys the vault's archive may be too old for."""
    for row in archived_entries(run.source, log):
        if row.type == ERASED:
            run.erased.update((log.tenant, person) for person in subjects_of(row)[:1])
        if row.known_seq >= covered:
            run.wanted |= {(log.tenant, *key) for key in keys_wanted(row)}
        if row.known_seq % SAY_EVERY == 0:
            run.progress("entries", row.known_seq, log.size)
        yield row
    run.progress("entries", log.size, log.size)


def _vault(run: _Run, filling: Filling) -> None:
    """Fill the vault, and with its keys make what follows from the events.

    Raises:
        Conflict: it lacks keys of persons who came after it was archived, or erasures are not known.
        Corrupted: its keys were wrapped with another key-encryption key, or an event does not open.
    """
    began = time.monotonic()
    _see_fitting(run)
    place = vault_of(run.staging, run.settings)
    fill_vault(place, _vault_rows(run))
    with closing(Vault.open(place, FileKeys(key_file(run.staging), create=False))) as vault:
        run.seconds["vault"] = round(time.monotonic() - began, 3)
        began = time.monotonic()
        kept = Kept.of(run.staging)
        means = Means(
            settings=run.settings,
            artifacts=kept.artifacts,
            catalogue=kept.catalogue,
            entropy=SystemEntropy(),
            texts=kept.texts,
            index_key=vault.index_key,
        )
        filling.follow(vault, build(means), partial(run.progress, "projections"))
        run.seconds["projections"] = round(time.monotonic() - began, 3)


def _vault_rows(run: _Run) -> Iterator[VaultRow]:
    """What goes into the vault: the archive's rows, less what was destroyed since."""
    assert run.vault is not None  # noqa: S101  only asked for with one
    assert run.vault_source is not None  # noqa: S101
    return without(archived_keys(run.vault_source, run.vault), run.destroyed)


def _see_fitting(run: _Run) -> None:
    """See, before any key is written, that the vault's archive has what the journal needs and no more.

    Raises:
        Conflict: it lacks keys of persons who came after it was archived, or erasures are not known.
    """
    wanted, gone = set(run.wanted), set()
    for row in _vault_rows(run):
        if isinstance(row, PersonKey):
            wanted.discard(row[:3])
            if row.wrapped is None:
                gone.add(row[:2])
            _count(run, "destroyed" if row.wrapped is None else "keys")
    unknown = run.erased - gone
    if unknown:
        raise Conflict(
            f"{len(unknown)} persons were erased and neither archive says which of their keys were destroyed;"
            " take a later archive of the vault"
        )
    lacking = {key[:2] for key in wanted}
    if lacking:
        raise Conflict(
            f"the vault's archive is older than the journal's: it lacks the keys of {len(lacking)} persons"
            " who came later; take a later archive of the vault"
        )


def _count(run: _Run, name: str, more: int = 1) -> None:
    run.counts[name] = run.counts.get(name, 0) + more
