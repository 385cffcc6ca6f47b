"""`obligor rebuild`: the projections, made again from the events and compared with what was there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from obligor.app.service import Service
from obligor.app.settings import load
from obligor.app.tracing import tracing_of
from obligor.cli.common import app, run, show
from obligor.journal import Reader

__all__ = ["digests", "main"]

cli = app("rebuild", __doc__)


@cli.default
def rebuild(
    directory: Annotated[Path, Parameter(help="The data directory; no server may be running on it.")] = Path(
        "var"
    ),
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Delete the projections, make them again and compare; 1 when a table came out different."""
    settings = load(directory)
    tracing = tracing_of(settings.tracing)
    service = Service(directory, settings)
    try:
        before = digests(service.journal.reader())
        with tracing.work("projections.rebuild") if tracing else nullcontext():
            service.journal.rebuild()
        after = digests(service.journal.reader())
    finally:
        service.close()
    different = sorted(name for name in after if before.get(name) != after[name])
    told = {"tables": len(after), "different": different}
    words = f"different: {', '.join(different)}" if different else "all equal"
    show(told, as_json, lambda: f"{len(after)} tables made again, {words}.")
    return 1 if different else 0


def digests(reader: Reader) -> dict[str, str]:
    """A digest of the rows of every projection table, and of the lookups, in an order of their own."""
    made = reader.query("SELECT tables FROM projection")
    names = sorted({"lookup", *(name for row in made for name in row["tables"].split())})
    found = {}
    for name in names:
        digest = hashlib.sha256()
        for row in sorted(map(msgspec.json.encode, reader.query(f"SELECT * FROM {name}"))):
            digest.update(row)
        found[name] = digest.hexdigest()
    return found


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
