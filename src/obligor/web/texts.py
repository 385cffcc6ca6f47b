"""The console's texts in Chinese, by their English form: one table, `texts.tsv`, for translators to read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["TABLE", "ZH"]

TABLE = Path(__file__).with_name("texts.tsv")


def _read() -> dict[str, str]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines[1:])


ZH: Mapping[str, str] = _read()
