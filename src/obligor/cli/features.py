"""`obligor features`: what is known of a person's history, explained, and computed for many moments."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import polars as pl
from cyclopts import Parameter

from obligor import features
from obligor.app.packs import place
from obligor.cli.bar import progress
from obligor.cli.common import app, run, show
from obligor.features import Catalogue, Described, describe
from obligor.kernel import InvalidInput, NotFound
from obligor.sources import backfill_into, keep_events

__all__ = ["main"]

cli = app("features", __doc__)
Json = Annotated[bool, Parameter(name="--json", negative="")]
Name = Annotated[
    str, Parameter(name="--catalogue", help="A YAML file, or a pack's name: starter or lending.")
]
Memory = Annotated[
    int, Parameter(name="--memory-mb", help="What may be taken of the memory, beside the spine.")
]
Events = Annotated[Path, Parameter(help="Parquet files of events, or what `keep` made of them.")]


@cli.command(name="list")
def list_(*, catalogue: Name = "lending", as_json: Json = False) -> int:
    """List a catalogue's features with what they read."""
    loaded = _load(catalogue)
    found = describe(loaded)
    width = max(len(one.name) for one in found)
    head = f"{loaded.name} {loaded.version}, {len(found)} features, sha256 {loaded.sha256}"
    told = {
        "name": loaded.name,
        "version": loaded.version,
        "sha256": loaded.sha256,
        "features": msgspec.to_builtins(found),
    }
    show(told, as_json, lambda: "\n".join([head, *(f"{one.name:<{width}}  {one.en}" for one in found)]))
    return 0


@cli.command(name="show")
def show_(name: str, *, catalogue: Name = "lending", as_json: Json = False) -> int:
    """Explain one feature."""
    found = {one.name: one for one in describe(_load(catalogue))}
    if name not in found:
        raise NotFound(f"no feature {name}; there are {', '.join(found)}")
    one = found[name]
    show(msgspec.to_builtins(one), as_json, lambda: _told(one))
    return 0


def _told(one: Described) -> str:
    scaled = f", times 10^{one.scale}" if one.scale else ""
    lines = [
        one.name,
        f"  {one.en}",
        f"  {one.zh}",
        f"  {one.reads}",
        *([f"  {one.set_against} {one.other}"] if one.other else []),
        f"  unit {one.unit}{scaled}; {'not known' if one.empty is None else one.empty} if there is nothing",
    ]
    return "\n".join(lines)


@cli.command
def keep(events: Events, out: Path, *, memory_mb: Memory = 1024, as_json: Json = False) -> int:
    """Bring Parquet files of events into order, by person and time, for many backfills."""
    with progress("events") as told:
        kept = keep_events(events, out, memory_bytes=memory_mb << 20, told=told)
    show({"rows": kept.rows}, as_json, lambda: f"{kept.rows:,} rows kept in {out}")
    return 0


@cli.command
def backfill(
    *,
    events: Events,
    spine: Annotated[Path, Parameter(help="Parquet: subject, as_of, and if wanted known_upto, currency.")],
    out: Annotated[Path, Parameter(help="Where the result goes, as Parquet.")],
    catalogue: Name = "lending",
    memory_mb: Memory = 1024,
    as_json: Json = False,
) -> int:
    """Compute a catalogue's features for each row of a spine, as they would have been computed then."""
    loaded = _load(catalogue)
    if not spine.is_file():
        raise NotFound(f"there is no file {spine}")
    try:
        asked = pl.read_parquet(spine)
    except pl.exceptions.PolarsError as error:
        raise InvalidInput.field("spine", spine.name, f"a readable Parquet file: {error}") from None
    began = time.process_time()
    with progress("backfill") as told:
        backfill_into(out, events, asked, loaded, memory_bytes=memory_mb << 20, told=told)
    answer = {
        "rows": len(asked),
        "features": len(loaded.names),
        "catalogue_sha256": loaded.sha256,
        "cpu_seconds": round(time.process_time() - began, 3),
        "out": str(out),
    }
    show(
        answer,
        as_json,
        lambda: (
            f"{len(asked):,} rows with {len(loaded.names)} features in {out} ({answer['cpu_seconds']} CPU s)"
        ),
    )
    return 0


def _load(name: str) -> Catalogue:
    return features.load(Path(name) if name.endswith((".yaml", ".yml")) else place(f"features/{name}.yaml"))


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
