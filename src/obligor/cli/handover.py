"""`obligor handover`: let another of the servers on one database become the writer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from obligor.app.control import ask_all
from obligor.cli.common import app, run, show

__all__ = ["main"]

cli = app("handover", __doc__)


@cli.default
def handover(
    *,
    data: Annotated[Path, Parameter(help="The data directory that the servers share.")] = Path("var"),
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Ask the server that writes to finish what it has taken and to stand by; 1 when none of them writes.

    Whichever of the others is first takes over; if there is no other, the same one does, after a second.
    """
    handed = any(answer["handed_over"] for answer in ask_all(data, "hand-over"))
    text = "The writer stands by; another server takes over." if handed else "No server here is the writer."
    show({"handed_over": handed}, as_json, lambda: text)
    return 0 if handed else 1


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
