"""`obligor backup`: an archive of a data directory, taken while the server runs, or what is in one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from obligor.app.backup import Taken, beside, take
from obligor.app.backup_verify import Verified, verify
from obligor.app.settings import load
from obligor.cli.bar import progress
from obligor.cli.common import app, run, show
from obligor.kernel import NotFound

__all__ = ["main"]

cli = app("backup", __doc__)


@cli.default
def backup(
    destination: Annotated[Path, Parameter(help="Where the archive is, or will be.")],
    *,
    data: Annotated[Path, Parameter(help="The data directory.")] = Path("var"),
    store: Annotated[str | None, Parameter(help="The database, if the settings do not name it.")] = None,
    without_vault: Annotated[
        bool, Parameter(negative="", help="Leave the vault out: it is backed up otherwise.")
    ] = False,
    vault_to: Annotated[
        Path | None, Parameter(help="Where the vault's own archive goes; else DESTINATION-vault.")
    ] = None,
    keys_to: Annotated[
        Path | None,
        Parameter(help="Copy the secret keys there, mode 0600. Keep them apart from both archives."),
    ] = None,
    check: Annotated[
        bool,
        Parameter(name="--verify", negative="", help="Back nothing up: verify the archive that is there."),
    ] = False,
    key: Annotated[
        str | None, Parameter(help="With --verify: the log's verifier key, known from elsewhere.")
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Bring an archive up to the journal as it is now; run again, it adds what is new.

    With --verify: recompute everything from the archive alone; 1 with the first file and entry that fail.
    """
    if check:
        vault = None if without_vault else (vault_to or beside(destination))
        if vault is not None and not vault.exists() and vault_to is None:
            vault = None
        with progress("Verifying") as told:
            found = verify(destination, log_key=key, vault=vault, progress=told)
        show(found, as_json, lambda: _found(found))
        return 0 if found.ok else 1
    if key is not None:
        raise NotFound("--key is for --verify: a backup is signed with the key in the data directory")
    with progress("Backing up") as told:
        taken = take(
            data,
            destination,
            settings=load(data, store=store),
            with_vault=not without_vault,
            vault_to=vault_to,
            keys_to=keys_to,
            progress=told,
        )
    show(taken, as_json, lambda: _taken(taken))
    return 0


def _taken(taken: Taken) -> str:
    lines = [
        f"✓ {size:,} entries of {name}, root {taken.roots[name][:16]}…" for name, size in taken.logs.items()
    ]
    written = f"{taken.files_written:,} files, {taken.bytes_written:,} bytes, {taken.seconds:.1f} s"
    lines.append(f"✓ {taken.entries_added:,} of them new: {written}")
    lines.append(f"Archive: {taken.destination}")
    lines.append(f"Vault's archive: {taken.vault}" if taken.vault else "The vault is not backed up here.")
    if taken.keys:
        lines.append(f"Secret keys: {taken.keys} (keep them apart from both archives)")
    return "\n".join(lines)


def _found(found: Verified) -> str:
    if not found.ok:
        entry = "" if found.entry is None else f", entry {found.entry}"
        return f"✗ {found.file or 'the archive'}{entry}: {found.why}"
    whose = "the key given" if found.trusted else "the archive's own key (bring yours with --key)"
    lines = [f"✓ {size:,} entries of {tenant} hash to its root" for tenant, size in found.logs.items()]
    lines += [
        f"✓ {found.checkpoints:,} signed checkpoints are passed on the way",
        f"✓ {found.files:,} files are what the manifest says; signed with {whose}",
    ]
    lines.append(
        "… no vault's archive was looked at" if found.keys is None else f"✓ {found.keys:,} wrapped keys"
    )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
