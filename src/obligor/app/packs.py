"""Where the package's own data lie."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from obligor.decision import Reason, load_reasons

__all__ = ["place", "reason_texts"]


def place(name: str) -> Path:
    """The path of `packs/NAME` inside the installed package, such as `starter/prelend`."""
    with as_file(files("obligor").joinpath("packs", *filter(None, name.split("/")))) as path:
        return path


def reason_texts() -> dict[str, Reason]:
    """The words of every reason code that a pack gives, by code."""
    texts: dict[str, Reason] = {}
    for path in sorted(place("").glob("*/reasons.yaml")):
        texts.update(load_reasons(path))
    return texts
