"""A TCP proxy that does to connections what networks do: delays, cuts, and silence."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# PostgreSQL's answer to a COMMIT that has been done.
COMMITTED = b"COMMIT\0"
CHUNK = 65_536
DRIP_BYTES, DRIP_SECONDS = 512, 0.002
# With zero seconds to linger, a close sends a reset.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to a port of this machine.

    `mode` is what is done to them from now on:
        pass        nothing
        delay       every piece is held up for `delay_seconds`
        drip        pieces are small and slow
        cut         a reset at some piece on its way to the server
        cut-commit  a reset in the middle of the server's answer to a COMMIT
        hole        everything is taken and nothing forwarded; a connection that was in it stays so
        refuse      new connections are closed at once
    Any other mode does nothing.
    """

    def __init__(self, port: int, luck: random.Random) -> None:
        self._to = port
        self._luck = luck
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.port = int(self._listening.getsockname()[1])
        self.mode = "pass"
        self.delay_seconds = 0.02
        self.struck = 0

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """Until the end."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._listening.close()
            for each in [*self._sockets]:
                each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self.mode == "refuse":
                    self.struck += 1
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    near.close()
                    continue
                _Pair(self, near, far).start()
                self._sockets += [near, far]

    def cut_all(self) -> None:
        """Reset every connection there is."""
        self.struck += 1
        for each in self._sockets:
            _reset(each)
        self._sockets.clear()

    def strikes(self, piece: bytes, to_server: bool) -> bool:
        """Whether the connection is to be cut at this piece."""
        if self.mode == "cut":
            return to_server and self._luck.random() < 0.1
        return self.mode == "cut-commit" and not to_server and COMMITTED in piece


class _Pair:
    """The two sides of one connection, with a thread for each direction."""

    def __init__(self, proxy: Proxy, near: socket.socket, far: socket.socket) -> None:
        self._proxy = proxy
        self._near, self._far = near, far
        self._lost = False
        for each in (near, far):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        threading.Thread(target=self._forward, args=(self._near, self._far), daemon=True).start()
        threading.Thread(target=self._forward, args=(self._far, self._near), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(CHUNK):
                if not self._pass(piece, sink):
                    return
        # The other direction may have something to say yet, but to nobody that listens.
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _pass(self, piece: bytes, sink: socket.socket) -> bool:
        proxy = self._proxy
        if proxy.mode == "hole" and not self._lost:
            self._lost = True
            proxy.struck += 1
        if self._lost:
            return True
        if proxy.strikes(piece, sink is self._far):
            proxy.struck += 1
            sink.sendall(piece[: piece.find(COMMITTED) + 2])
            for each in (self._near, self._far):
                _reset(each)
            return False
        if proxy.mode == "delay":
            proxy.struck += 1
            time.sleep(proxy.delay_seconds)
        if proxy.mode == "drip":
            proxy.struck += 1
            for at in range(0, len(piece), DRIP_BYTES):
                sink.sendall(piece[at : at + DRIP_BYTES])
                time.sleep(DRIP_SECONDS)
        else:
            sink.sendall(piece)
        return True


def _reset(each: socket.socket) -> None:
    """Close with a reset, also under a thread that is reading."""
    with contextlib.suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        each.shutdown(socket.SHUT_RD)
        each.close()
