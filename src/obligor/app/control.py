"""The running server's local socket: what only the owner of the data directory may ask."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from obligor.app.keys import Keys
from obligor.kernel import InvalidInput, NotFound, Refusal, Unavailable

__all__ = ["Control", "ask"]

SOCKET = "control.sock"
ANSWER_SECONDS = 10.0
LINE_MOST = 65_536


class Control:
    """Answers one JSON object a line on a Unix socket that only its owner can open."""

    def __init__(self, directory: Path, keys: Keys, tenant: str) -> None:
        self._keys, self._tenant = keys, tenant
        self._path = directory / SOCKET
        self._path.unlink(missing_ok=True)
        verbs: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "keys.create": self._create,
            "keys.list": self._list,
            "keys.revoke": self._revoke,
            "ticket": self._ticket,
        }

        class Handler(socketserver.StreamRequestHandler):
            timeout = ANSWER_SECONDS

            def handle(self) -> None:
                self.wfile.write(_answer(verbs, self.rfile.readline(LINE_MOST)) + b"\n")

        self._server = socketserver.ThreadingUnixStreamServer(_short(self._path), Handler)
        self._path.chmod(0o600)
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)

    def start(self) -> None:
        """Answer from now on, on a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and take the socket away."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        tenant = asked.get("tenant") or self._tenant
        token = self._keys.create(str(asked["name"]), tenant, asked.get("scopes") or ())
        return {"name": asked["name"], "tenant": tenant, "token": token}

    def _list(self, _asked: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [msgspec.to_builtins(record) for record in self._keys.list()]
        return [{name: value for name, value in row.items() if name != "sha256"} for row in rows]

    def _revoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._keys.revoke(str(asked["name"]))
        return {"name": asked["name"], "revoked": True}

    def _ticket(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {"ticket": self._keys.ticket(self._tenant)}


def ask(directory: Path, verb: str, **given: Any) -> Any:
    """Ask the server that runs on a data directory.

    Raises:
        Unavailable: no server answers there. Refusal: what it refused, with its code and words.
    """
    path = directory / SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_SECONDS)
            line.connect(_short(path))
            line.sendall(msgspec.json.encode({"do": verb, **given}) + b"\n")
            with line.makefile("rb") as answers:
                answer = msgspec.json.decode(answers.readline())
    except (OSError, msgspec.DecodeError):
        raise Unavailable(f"no server answers in {directory}; start one with `obligor up`") from None
    if problem := answer.get("problem"):
        refused = Refusal(problem)
        raise refused
    return answer["answer"]


def _answer(verbs: Mapping[str, Callable[[dict[str, Any]], Any]], line: bytes) -> bytes:
    try:
        asked = msgspec.json.decode(line, type=dict[str, Any])
        verb = verbs.get(str(asked.pop("do", None)))
        if verb is None:
            raise NotFound(f"the socket answers to {', '.join(sorted(verbs))}")
        return msgspec.json.encode({"answer": verb(asked)})
    except Refusal as refused:
        wanted = "; ".join(f"{v.field}: {v.accepted}" for v in refused.violations)
        return msgspec.json.encode({"problem": f"{refused.detail} ({wanted})" if wanted else refused.detail})
    except (msgspec.MsgspecError, KeyError):
        raised = InvalidInput("one JSON object a line, with `do` and what it takes")
        return msgspec.json.encode({"problem": raised.detail})


def _short(path: Path) -> str:
    """A socket's path as the system takes it: at most about a hundred bytes, so relative where that helps."""
    full = str(path)
    try:
        near = str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return full
    return min(full, near, key=len)
