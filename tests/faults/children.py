"""Processes that can be killed: each is forked from one that has imported everything, so a life is cheap.

The parent has no thread and no connection when it forks, and is ended with the test that started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What a life needs; imported once.
IMPORTED = (
    "tests.faults.lending",
    "obligor.journal.postgres_store",
    "obligor.journal.postgres_vault",
    "obligor.proof.batch",
)
PR_SET_PDEATHSIG = 1


class Child:
    """One forked process."""

    def __init__(self, nursery: subprocess.Popen[str]) -> None:
        assert nursery.stdout is not None
        self._told = nursery.stdout
        self.pid = int(self._told.readline())

    def kill(self) -> None:
        """kill -9; whether it is alive still is for `wait` to say."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status, negative for a signal, once it has ended."""
        return os.waitstatus_to_exitcode(int(self._told.readline()))


class Nursery:
    """Makes children, one at a time."""

    def __init__(self, process: subprocess.Popen[str], said: Any) -> None:
        self._process = process
        self._said = said
        self._read = 0

    def run(self, function: str, *given: object) -> Child:
        """Call `module:function` with words in a new process."""
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join([function, *map(str, given)]) + "\n")
        self._process.stdin.flush()
        return Child(self._process)

    def said(self) -> str:
        """What the children wrote to stderr since this was last asked."""
        self._said.seek(self._read)
        new = str(self._said.read())
        self._read = self._said.tell()
        return new


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Start it; end it and what lives in it."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", "from tests.faults.children import _serve; _serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  prctl alone
        )
        try:
            yield Nursery(process, said)
        finally:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve() -> None:
    for module in IMPORTED:
        importlib.import_module(module)
    for line in sys.stdin:
        name, *given = line.rstrip("\n").split("\t")
        module, _, function = name.partition(":")
        target = getattr(importlib.import_module(module), function)
        pid = os.fork()
        if pid == 0:
            _live(target, given)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


def _live(target: Any, given: list[str]) -> None:
    _die_with_parent()
    status = 1
    try:
        target(*given)
        status = 0
    except BaseException:  # noqa: BLE001  the test reads it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
