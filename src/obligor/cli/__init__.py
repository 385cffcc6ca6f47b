"""The command line. Only what a command needs is imported, so that `--help` and `verify` start at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from obligor import __version__

__all__ = ["COMMANDS", "HELP", "main", "usage"]

# Each command's module has a `main(argv) -> int`.
COMMANDS = {
    "run": ("play", "Play a lender through the system: a simulated one, or a book of your own."),
    "story": ("story", "Tell a lender's life, headless, from its first application to its audit."),
    "world": ("world", "Check that the simulated world is a credible one."),
    "up": ("up", "Start the server: HTTP API and console."),
    "handover": ("handover", "Let another of the servers on one database become the writer."),
    "keys": ("keys", "Create, list and revoke API keys of a running server."),
    "strategy": ("strategy", "Check a strategy, or decide with it from a file of facts."),
    "model": ("model", "Train a points model, or validate one on loans whose end is known."),
    "features": ("features", "List and explain features, or compute them for many persons and moments."),
    "verify": ("verify", "Verify a receipt, offline."),
    "audit": ("audit", "Recompute a journal's proof from its entries and name the first that fails."),
    "replay": ("replay", "Make every recorded decision again and compare it, byte for byte."),
    "rebuild": ("rebuild", "Make the projections again from the events and compare them."),
    "backup": ("backup", "Back up a data directory while the server runs, or verify an archive."),
    "restore": ("restore", "Make a data directory out of an archive, on either store."),
    "doctor": ("doctor", "Print the settings in force and check a data directory."),
}
HELP = ("-h", "--help", "help")


def usage() -> str:
    """What `obligor --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [
        "Obligor: a credit-risk system for digital lenders.",
        "",
        "Usage: obligor COMMAND [ARGUMENTS]",
        "",
        *(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()),
        "",
        "`obligor COMMAND --help` tells more. --version prints the version.",
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 when all is well, 1 when a check failed, 2 when it could not be asked so."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in HELP:
        print(usage())
        sys.exit(0 if words else 2)
    if words[0] == "--version":
        print(__version__)
        sys.exit(0)
    if words[0] not in COMMANDS:
        print(f"obligor has no command {words[0]!r}; it has {', '.join(COMMANDS)}.", file=sys.stderr)
        sys.exit(2)
    module = import_module(f"obligor.cli.{COMMANDS[words[0]][0]}")
    sys.exit(module.main(words[1:]))
