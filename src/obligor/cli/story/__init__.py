"""`obligor story`: a lender's life, headless, from its first application to its audit, and a report of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["STORIES", "main"]

# Each story's module has a `main(argv) -> int`.
STORIES = {
    "book": "A lender's own book: its loans decided, lived and checked against the table.",
    "world": "The simulated lender: its customers, its months, what watching them found.",
}


def _usage() -> str:
    lines = [
        "Usage: obligor story STORY [ARGUMENTS]",
        "",
        "A lender's life, headless. The last line is one JSON object; a report is written beside it.",
        "",
        *(f"  {name:<6} {summary}" for name, summary in STORIES.items()),
        "",
        "`obligor story STORY --help` tells more.",
    ]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Play a story; 0 when all that it checks holds, 1 when something does not, 2 when it cannot begin."""
    if not argv or argv[0] in {"-h", "--help"}:
        print(_usage())
        return 0 if argv else 2
    if argv[0] not in STORIES:
        print(f"there is no story {argv[0]!r}; there are {', '.join(STORIES)}.", file=sys.stderr)
        return 2
    code: int = import_module(f"obligor.cli.story.{argv[0]}").main(argv[1:])
    return code
