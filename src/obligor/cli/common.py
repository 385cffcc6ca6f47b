"""What commands share: where data lie, how answers and refusals are printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from cyclopts import App

from obligor.kernel import Refusal

__all__ = ["app", "run", "show"]


def app(name: str, doc: str | None) -> App:
    """A command's own parser."""
    return App(name=f"obligor {name}", help=doc, version_flags=(), result_action="return_value")


def run(parser: App, argv: Sequence[str]) -> int:
    """Run a command; a refusal is printed with everything that was wrong and gives 2."""
    try:
        code = parser(list(argv))
    except Refusal as refused:
        print(f"{refused.code}: {refused.detail}", file=sys.stderr)
        for violation in refused.violations:
            print(f"  {violation.field} = {violation.value}: {violation.accepted}", file=sys.stderr)
        return 2
    return int(code or 0)


def show(answer: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Print an answer as JSON or as text for people."""
    print(msgspec.json.encode(answer).decode() if as_json else text())
