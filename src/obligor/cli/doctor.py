"""`obligor doctor`: the settings in force, and whether a data directory is sound."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from obligor.app.control import ask
from obligor.app.opened import Opened
from obligor.app.settings import load
from obligor.cli.common import app, run, show
from obligor.kernel import Refusal

__all__ = ["main"]

cli = app("doctor", __doc__)
SECRETS = ("keys/kek", "keys/log", "api-keys.json")


@cli.default
def doctor(
    directory: Annotated[Path, Parameter(help="The data directory.")] = Path("var"),
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Print every setting and check files, modes, disk and journal; 1 when something is wrong."""
    settings = load(directory)
    checks = list(_checks(directory, settings.disk_free_least_mib))
    told = {"settings": msgspec.to_builtins(settings), "checks": checks}
    lines = [f"{name} = {value}" for name, value in told["settings"].items()]
    lines += ["", *(f"{'✓' if c['ok'] else '✗'} {c['name']}: {c['detail']}" for c in checks)]
    show(told, as_json, lambda: "\n".join(lines))
    return 0 if all(check["ok"] for check in checks) else 1


def _checks(directory: Path, least_mib: int) -> Iterator[dict[str, Any]]:
    def check(name: str, ok: bool, detail: str) -> dict[str, Any]:
        return {"name": name, "ok": ok, "detail": detail}

    if not directory.is_dir():
        yield check("directory", True, f"{directory} does not exist yet; `obligor up` makes it")
        return
    free = shutil.disk_usage(directory).free // 2**20
    yield check("disk", free >= least_mib, f"{free:,} MiB free, {least_mib:,} needed")
    for name in SECRETS:
        path = directory / name
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
            yield check(
                name,
                not mode & 0o077,
                f"mode {mode:04o}, its owner's alone"
                if not mode & 0o077
                else f"mode {mode:04o}: make it 0600",
            )
    try:
        opened = Opened.at(directory)
        size = opened.reader.size(opened.tenant)
        yield check(
            "journal",
            True,
            f"{size:,} entries, {len(opened.reader.checkpoints(opened.tenant)):,} checkpoints",
        )
    except Refusal as refused:
        yield check("journal", False, refused.detail)
    try:
        keys = ask(directory, "keys.list")
        yield check("server", True, f"running, with {len(keys)} API keys")
    except Refusal:
        yield check("server", True, "none is running on this directory")


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
