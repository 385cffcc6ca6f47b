"""Directories that outlive a power cut: a name is durable once the directory that holds it was synced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["make_directory", "sync_directory"]


def make_directory(path: Path) -> None:
    """Make a directory of mode 0700 and its parents, if there is none; on return it is durable.

    Raises:
        OSError: it could not be made.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Its own name always: whoever has made it a moment ago may not have synced it. What may not be read
    # cannot be synced, and was not made by us.
    for each in {path, *missing}:
        with suppress(PermissionError):
            sync_directory(each.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable.

    Raises:
        OSError: they may not be.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
