"""`obligor strategy`: check a strategy's files, or decide with it from a file of facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from obligor import decision, strategy
from obligor.app.packs import place
from obligor.cli.common import app, run, show
from obligor.decision import Need
from obligor.kernel import InvalidInput, parse
from obligor.scoring import PointsModel
from obligor.strategy import Certificate, Strategy

__all__ = ["main"]

cli = app("strategy", __doc__)
Json = Annotated[bool, Parameter(name="--json", negative="")]
Name = Annotated[str, Parameter(help="A directory, or a pack's name such as starter/prelend.")]


@cli.command
def check(
    name: Name,
    *,
    rows: Annotated[int, Parameter(help="How many rows to make for row against columns.")] = 5_000,
    seen: Annotated[Path | None, Parameter(help="A Parquet file of facts that were seen.")] = None,
    as_json: Json = False,
) -> int:
    """Compile a strategy, and hold its function of a row against its function of columns.

    Every problem is named with its file, line and cell, and gives 2; a difference between the two gives 1.
    """
    compiled = _load(name)
    certificate = strategy.certify(compiled, *_seen(compiled, seen), rows=rows)
    warnings = [str(warning) for warning in compiled.warnings]
    told = {
        "name": compiled.name,
        "version": compiled.version,
        "stage": compiled.stage,
        "sha256": compiled.sha256,
        "inputs": sorted(compiled.inputs),
        "outputs": sorted(compiled.outputs),
        "warnings": warnings,
        "certificate": msgspec.to_builtins(certificate),
    }
    lines = [
        f"{compiled.name} {compiled.version}, stage {compiled.stage}",
        f"sha256 {compiled.sha256}",
        f"reads {len(compiled.inputs)} inputs, gives {', '.join(sorted(compiled.outputs))}",
        *_certified(certificate),
        *(f"warning: {warning}" for warning in warnings),
    ]
    show(told, as_json, lambda: "\n".join(lines))
    return 0 if certificate.equal else 1


def _seen(compiled: Strategy, path: Path | None) -> tuple[Any, Any]:
    """The frame of a file, and the model's answers in it where the strategy scores."""
    if path is None:
        return None, None
    import polars as pl

    frame = pl.read_parquet(path)
    return frame, frame if compiled.scores else None


def _certified(found: Certificate) -> Iterator[str]:
    """What a certificate says."""
    yield (
        f"row = columns: {found.differing:,} of {found.values:,} values differ over {found.rows:,} rows"
        f" ({found.given:,} of them given); {found.emitter}, Polars {found.polars}, {found.platform}"
    )
    pairs = (("rules", found.rules), ("rows of tables", found.table_rows), ("bins", found.bins))
    reached = ", ".join(f"{some} of {all_} {what}" for what, (some, all_) in pairs if all_)
    yield f"reached {', '.join(found.outcomes)}; {reached}"
    for item in found.differences:
        yield f"differs: row {item.row}, {item.name}: {item.by_row} by row, {item.by_columns} by columns"


@cli.command
def decide(
    name: Name,
    facts: Annotated[Path, Parameter(help="A JSON object of facts.")],
    *,
    model: Annotated[Path | None, Parameter(help="A points table as JSON.")] = None,
    as_json: Json = False,
) -> int:
    """Decide from facts, without a journal: for trying a strategy out."""
    compiled = _load(name)
    given = parse(facts.read_bytes(), max_bytes=2**20, max_depth=4)
    if not isinstance(given, dict):
        raise InvalidInput.field(str(facts), type(given).__name__, "a JSON object of facts")
    scorer = PointsModel.from_json(model.read_bytes()) if model else None
    result = decision.decide(given, compiled, scorer)
    if isinstance(result, Need):
        show({"needs": result.names}, as_json, lambda: f"needs {', '.join(result.names)}")
        return 0
    lines = [
        f"outcome  {result.outcome}",
        *(f"{key}  {value}" for key, value in result.outputs.items()),
        f"reasons  {', '.join(result.reasons) or '–'}",
    ]
    show(msgspec.to_builtins(result), as_json, lambda: "\n".join(lines))
    return 0


def _load(name: str) -> Strategy:
    path = Path(name)
    return strategy.load(path if path.is_dir() else place(name))


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
