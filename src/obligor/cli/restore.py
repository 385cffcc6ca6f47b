"""`obligor restore`: a data directory out of an archive, on either store, whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from obligor.app.backup_restore import Restored
from obligor.app.backup_restore import restore as restored
from obligor.cli.bar import progress
from obligor.cli.common import app, run, show
from obligor.kernel import Refusal

__all__ = ["main"]

cli = app("restore", __doc__)
HINT = "The database holds no journal; if this run began on it, drop obligor_vault before the next."


@cli.default
def restore(
    source: Annotated[Path, Parameter(help="The archive.")],
    *,
    data: Annotated[Path, Parameter(help="The data directory to make; it may not hold anything.")] = Path(
        "var"
    ),
    store: Annotated[str, Parameter(help="An empty database, instead of a file in the directory.")] = "",
    vault: Annotated[Path | None, Parameter(help="The vault's archive.")] = None,
    keys: Annotated[Path | None, Parameter(help="Where the secret keys are: files `kek` and `log`.")] = None,
    key: Annotated[str | None, Parameter(help="The log's verifier key that must have signed it.")] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Verify an archive while writing it into an empty place, destroy again what was erased, and rebuild.

    Without --vault and --keys the log comes back sealed: it can be audited, no server starts on it.
    """
    try:
        with progress("Restoring") as told:
            done = restored(source, data, store=store, vault=vault, keys=keys, log_key=key, progress=told)
    except Refusal:
        if store:
            print(HINT, file=sys.stderr)
        raise
    show(done, as_json, lambda: _told(done))
    return 0


def _told(done: Restored) -> str:
    lines = [
        f"✓ {size:,} entries of {tenant}, root {done.roots[tenant][:16]}…"
        for tenant, size in done.logs.items()
    ]
    lines.append(
        f"✓ {done.checkpoints:,} signed checkpoints hold; {done.unsigned:,} entries came after the last"
    )
    if done.sealed:
        lines.append("… sealed: no vault was given, bodies stay shut and no server starts on it")
    else:
        lines.append(f"✓ {done.keys:,} keys; {done.destroyed:,} are destroyed and stay so")
    phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in done.seconds.items())
    lines += [f"Times: {phases}.", f"Data directory: {done.directory}"]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
