"""`obligor replay`: every recorded decision, made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from obligor.app.opened import Opened
from obligor.app.queries import proof
from obligor.cli.common import app, run, show

__all__ = ["main"]

cli = app("replay", __doc__)


@cli.default
def replay(
    directory: Annotated[Path, Parameter(help="The data directory.")] = Path("var"),
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Feed the recorded facts to the very strategy and model, and compare byte for byte; 1 on a mismatch.

    A batch, such as the classes of a close, is decided again from the book as it was known then.
    """
    tally = proof.replayed(Opened.at(directory).books())
    first = f", the first at entry {tally.first}" if tally.first is not None else ""
    show(
        tally,
        as_json,
        lambda: (
            f"{tally.decisions:,} decisions, {tally.batches:,} of them batches: {tally.equal:,} equal,"
            f" {tally.mismatches:,} different{first}, {tally.erased:,} erased"
        ),
    )
    return 1 if tally.mismatches else 0


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
