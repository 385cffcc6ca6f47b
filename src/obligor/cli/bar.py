"""How far long work has come, on standard error: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress"]

EVERY_SECONDS = 5.0


@contextmanager
def progress(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Gives what is called with a part of the work, how much of it is done, and how much there is."""
    if not sys.stderr.isatty():
        yield _lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def draw(part: str, done: int, of: int) -> None:
            if part not in tasks:
                tasks[part] = bars.add_task(part)
            bars.update(tasks[part], completed=done, total=of)

        yield draw


def _lines(what: str) -> Callable[[str, int, int], None]:
    last = time.monotonic()

    def say(part: str, done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY_SECONDS:
            last = time.monotonic()
            print(f"{what}: {part} {done:,} of {of:,}", file=sys.stderr, flush=True)

    return say
