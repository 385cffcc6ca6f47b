"""What a server says of itself: one JSON object a line, and nothing about a person in it."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

__all__ = ["LEVELS", "JsonLines", "log_to"]

LEVELS = ("debug", "info", "warning", "error")
# Only these choose their words knowing that they are kept. What a library says may hold an argument, the
# text of an exception or a path: of that, the place is told and the words are not.
OURS = ("obligor", "uvicorn.error")
_KNOWN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "asctime",
    "color_message",
    "message",
}


class JsonLines(logging.Formatter):
    """One JSON object a line; what is given as `extra` becomes fields. Of an exception its type is told."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        ours = record.name.split(".")[0] == OURS[0] or record.name in OURS
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() if ours else f"{record.module}:{record.lineno}",
        }
        if ours:
            told |= {name: value for name, value in record.__dict__.items() if name not in _KNOWN}
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__
        return msgspec.json.encode(told, enc_hook=str).decode()


def log_to(stream: TextIO | None = None, level: str = "warning") -> None:
    """Have everything that is logged, from a level on, written to a stream; without one, to stderr."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Whoever sends what is no HTTP must not fill the disk.
    logging.getLogger("uvicorn.error").setLevel("DEBUG" if level == "debug" else "ERROR")
    # It tells every step of its compiler.
    logging.getLogger("numba").setLevel("WARNING")
