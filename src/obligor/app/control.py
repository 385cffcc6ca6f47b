"""The running server's local socket: what only the owner of the data directory may ask."""

from __future__ import annotations

import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from obligor.app.keys import Keys
from obligor.kernel import InvalidInput, NotFound, Refusal, Unavailable

__all__ = ["Control", "ask", "ask_all"]

SOCKET = "control.sock"
ANSWER_SECONDS = 10.0
LINE_MOST = 65_536


class Control:
    """Answers one JSON object a line on a Unix socket that only its owner can open.

    Servers that share a data directory have a socket each.
    """

    def __init__(
        self, directory: Path, keys: Keys, tenant: str, hand_over: Callable[[], bool] = lambda: False
    ) -> None:
        self._keys, self._tenant, self._give_up = keys, tenant, hand_over
        self._path = directory / SOCKET
        if _answers(self._path):
            self._path = directory / f"{self._path.stem}-{os.getpid()}{self._path.suffix}"
        self._path.unlink(missing_ok=True)
        verbs: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "hand-over": self._hand_over,
            "keys.create": self._create,
            "keys.list": self._list,
            "keys.revoke": self._revoke,
            "ticket": self._ticket,
        }

        class Handler(socketserver.StreamRequestHandler):
            timeout = ANSWER_SECONDS

            def handle(self) -> None:
                # Who only wanted to know whether somebody listens says nothing.
                if line := self.rfile.readline(LINE_MOST):
                    self.wfile.write(_answer(verbs, line) + b"\n")

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
        quota = msgspec.convert(asked.get("quota"), int | None)
        token = self._keys.create(str(asked["name"]), tenant, asked.get("scopes") or (), quota)
        return {"name": asked["name"], "tenant": tenant, "token": token}

    def _list(self, _asked: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [msgspec.to_builtins(record) for record in self._keys.list()]
        return [{name: value for name, value in row.items() if name != "sha256"} for row in rows]

    def _revoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._keys.revoke(str(asked["name"]))
        return {"name": asked["name"], "revoked": True}

    def _hand_over(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {"handed_over": self._give_up()}

    def _ticket(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {"ticket": self._keys.ticket(self._tenant)}


def ask(directory: Path, verb: str, **given: Any) -> Any:
    """Ask the server that runs on a data directory; where several do, any of them.

    Raises:
        Unavailable: no server answers there. Refusal: what it refused, with its code and words.
    """
    return next(_asked(directory, verb, given))


def ask_all(directory: Path, verb: str, **given: Any) -> list[Any]:
    """Ask every server that runs on a data directory.

    Raises:
        Unavailable: none answers there. Refusal: what one of them refused.
    """
    return list(_asked(directory, verb, given))


def _asked(directory: Path, verb: str, given: Mapping[str, Any]) -> Iterator[Any]:
    answered = False
    for path in sorted(directory.glob("control*.sock")):
        try:
            answer = _exchange(path, msgspec.json.encode({"do": verb, **given}) + b"\n")
        except (OSError, msgspec.DecodeError):
            continue
        answered = True
        if problem := answer.get("problem"):
            raise Refusal(problem)
        yield answer["answer"]
    if not answered:
        raise Unavailable(f"no server answers in {directory}; start one with `obligor up`")


def _exchange(path: Path, line: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(ANSWER_SECONDS)
        server.connect(_short(path))
        server.sendall(line)
        with server.makefile("rb") as answers:
            answer: dict[str, Any] = msgspec.json.decode(answers.readline())
            return answer


def _answers(path: Path) -> bool:
    """Whether somebody listens on a socket; what a dead server left behind refuses."""
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(_short(path))
        except OSError:
            return False
    return True


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
