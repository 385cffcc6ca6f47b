"""`obligor audit`: a journal's proof, recomputed from its entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from obligor.app.opened import Opened
from obligor.app.queries import proof
from obligor.app.views import Audited
from obligor.cli.common import app, run, show

__all__ = ["main"]

cli = app("audit", __doc__)


@cli.default
def audit(
    directory: Annotated[Path, Parameter(help="The data directory.")] = Path("var"),
    *,
    key: Annotated[
        str | None, Parameter(help="The log's verifier key, if its signing key is not there.")
    ] = None,
    tenant: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Recompute leaves, tree and checkpoints; 0 when all holds, 1 with the first entry that fails.

    Works on a copy or beside the running server. Bodies are recomputed too where their keys are there.
    """
    opened = Opened.at(directory)
    report = proof.as_view(
        proof.audited(opened.reader, tenant or opened.tenant, key or opened.vkey(), bodies=not opened.sealed)
    )
    show(report, as_json, lambda: _told(report))
    return 0 if report.ok else 1


def _told(report: Audited) -> str:
    if not report.ok:
        place = "the checkpoints" if report.first_bad is None else f"entry {report.first_bad}"
        return f"✗ {place}: {report.why}"
    lines = [
        f"✓ {report.entries:,} entries hash to their leaves, these to {report.root[:16]}…",
        f"✓ {report.checkpoints_checked:,} signed checkpoints are passed on the way",
        f"✓ {report.bodies:,} bodies are those committed to; {report.erased:,} erased",
    ]
    if report.unsigned:
        lines.append(f"… {report.unsigned:,} entries came after the last stored checkpoint")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
