"""The server as a process of its own, started for a player and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from obligor.app.control import ask
from obligor.app.service_protocol import SCOPES
from obligor.kernel import Unavailable

__all__ = ["Server"]

STOP_SECONDS = 60


class Server:
    """`obligor up` on a data directory, as a child. `url` and `metrics` are where it listens."""

    def __init__(self, data: Path, port: int | None) -> None:
        self.data = data
        command = [sys.executable, "-m", "obligor", "up", "--data", str(data)]
        if port is not None:
            command += ["--port", str(port)]
        # A group of its own: Ctrl-C reaches the player first, who then ends the server in order.
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and package
            command, stdout=subprocess.PIPE, start_new_session=True
        )
        self.listening_at = 0.0
        told = self._first_line()
        self.url: str = told["listening"]
        self.metrics: str = told["metrics"]
        self.listening_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """What the server has used of the processor so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def key(self, name: str) -> str:
        """A new API key with every scope; its name stays taken."""
        token: str = ask(self.data, "keys.create", name=name, scopes=list(SCOPES))["token"]
        return token

    def ticket(self) -> str:
        """A one-time ticket to the console."""
        ticket: str = ask(self.data, "ticket")["ticket"]
        return ticket

    def revoke(self, name: str) -> None:
        """End a key."""
        ask(self.data, "keys.revoke", name=name)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _first_line(self) -> dict[str, str]:
        assert self._process.stdout is not None  # noqa: S101  it is a pipe
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise Unavailable(f"the server ended with {code} before it listened; its words are above")
        told: dict[str, str] = msgspec.json.decode(line)
        return told
