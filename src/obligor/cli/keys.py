"""`obligor keys`: the API keys of a running server, through its local socket."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from obligor.app.control import ask
from obligor.app.service_protocol import SCOPES
from obligor.cli.common import app, run, show

__all__ = ["main"]

cli = app("keys", __doc__)
Data = Annotated[Path, Parameter(help="The server's data directory.")]
Json = Annotated[bool, Parameter(name="--json", negative="")]


@cli.command
def create(
    name: str,
    *,
    scope: list[str],
    quota: int | None = None,
    data: Data = Path("var"),
    as_json: Json = False,
) -> int:
    """Create a key and print its token, which is shown this once.

    Parameters
    ----------
    name
        What the key is called in the journal's `actor`.
    scope
        What it may do; give it several times. One of admin, applications:write, drawdowns:write, erase,
        events:write, read, or `all`.
    quota
        How many requests that read, and as many that write, it may send in a minute, instead of the server's
        `limits`; 0 is no limit.
    """
    wanted = list(SCOPES) if scope == ["all"] else scope
    made = ask(data, "keys.create", name=name, scopes=wanted, quota=quota)
    show(made, as_json, lambda: str(made["token"]))
    return 0


@cli.command(name="list")
def list_(*, data: Data = Path("var"), as_json: Json = False) -> int:
    """List the keys, without their tokens."""
    rows = ask(data, "keys.list")
    show(rows, as_json, lambda: "\n".join(_line(row) for row in rows) or "There are no keys.")
    return 0


@cli.command
def revoke(name: str, *, data: Data = Path("var"), as_json: Json = False) -> int:
    """End a key at once."""
    done = ask(data, "keys.revoke", name=name)
    show(done, as_json, lambda: f"{name} is revoked.")
    return 0


def _line(row: dict[str, object]) -> str:
    scopes = row["scopes"]
    words = ", ".join(map(str, scopes)) if isinstance(scopes, list) else ""
    ended = f"  revoked {row['revoked_at']}" if row["revoked_at"] else ""
    quota = "" if row.get("quota") is None else f"  {row['quota']} a minute"
    return f"{row['name']}  {row['tenant']}  {words}{quota}{ended}"


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
