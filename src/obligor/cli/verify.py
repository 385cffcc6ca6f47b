"""`obligor verify`: a receipt against its proof, with nothing but the standard library and cryptography."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["main"]


def _verifier() -> ModuleType:
    """The very file that can be handed to an auditor, loaded alone.

    Its package would bring other libraries.
    """
    path = Path(__file__).resolve().parent.parent / "proof" / "verify.py"
    spec = importlib.util.spec_from_file_location("obligor_verify", path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018  the file is beside us
    module = importlib.util.module_from_spec(spec)
    sys.modules["obligor_verify"] = module
    spec.loader.exec_module(module)
    return module


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
    report = _verifier().verify_receipt(data, vkey=asked.key)
    if asked.json:
        steps = [{"name": step.name, "ok": step.ok, "detail": step.detail} for step in report.steps]
        print(json.dumps({"ok": report.ok, "steps": steps}))
    else:
        for step in report.steps:
            print(f"{'✓' if step.ok else '✗'} {step.name}  {step.detail}")
        print("The receipt holds." if report.ok else "The receipt does NOT hold.")
    return 0 if report.ok else 1
