"""Bringing an older store to this release's format: by Alembic, in a process of its own.

Alembic reaches SQLite through the standard library's `sqlite3`, which must not be in a process that has the
same file open through APSW. Whoever starts it holds the store's lock, and has the file closed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from obligor.journal.store import StoreFailed

__all__ = ["upgrade"]

SECONDS = 3_600


def upgrade(place: str | Path) -> None:
    """Bring the store at a URL or in a directory to this release's format.

    Raises:
        StoreFailed: nothing was changed.
    """
    ran = subprocess.run(  # noqa: S603  our own program, on a place its operator has named
        [sys.executable, "-m", __name__, str(place)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise StoreFailed(f"the store could not be brought to this release's format: {last[0]}")
