"""`obligor verify`: a receipt against its proof, with nothing but the standard library and cryptography."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from obligor.proof.verify import verify_receipt

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Verify a receipt; 0 when every step holds, 1 when one does not, 2 when there is nothing to verify."""
    parser = argparse.ArgumentParser(
        prog="obligor verify",
        description="Verify a receipt offline: that its entry is in the log which the signer vouched for.",
    )
    parser.add_argument("receipt", help="the receipt file, or - for standard input")
    parser.add_argument(
        "--key", help="the log's verifier key; without it the key inside the receipt is used, and said to be"
    )
    parser.add_argument("--json", action="store_true", help="print the steps as JSON")
    asked = parser.parse_args(argv)
    try:
        data = sys.stdin.buffer.read() if asked.receipt == "-" else Path(asked.receipt).read_bytes()
    except OSError as problem:
        print(f"{asked.receipt} cannot be read: {problem.strerror}", file=sys.stderr)
        return 2
    report = verify_receipt(data, vkey=asked.key)
    if asked.json:
        steps = [{"name": step.name, "ok": step.ok, "detail": step.detail} for step in report.steps]
        print(json.dumps({"ok": report.ok, "steps": steps}))
    else:
        for step in report.steps:
            print(f"{'✓' if step.ok else '✗'} {step.name}  {step.detail}")
        print("The receipt holds." if report.ok else "The receipt does NOT hold.")
    return 0 if report.ok else 1
