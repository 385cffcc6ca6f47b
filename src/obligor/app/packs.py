"""Where the package's own data lie."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

__all__ = ["place"]


def place(name: str) -> Path:
    """The path of `packs/NAME` inside the installed package, such as `starter/prelend`."""
    with as_file(files("obligor").joinpath("packs", *name.split("/"))) as path:
        return path
