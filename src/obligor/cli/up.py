"""`obligor up`: the server."""

from __future__ import annotations

import resource
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import uvicorn
from cyclopts import Parameter

from obligor.app.collector import look_seldom
from obligor.app.control import Control
from obligor.app.logs import log_to
from obligor.app.seat import open_service
from obligor.app.settings import load
from obligor.app.tracing import tracing_of
from obligor.cli.common import app, run
from obligor.web import create_app, create_metrics_app, server_config

__all__ = ["main"]

cli = app("up", __doc__)
# Files that a server has open beside its connections: the store's, the packages'.
FILES = 512


@cli.default
def up(
    *,
    data: Annotated[Path, Parameter(help="The data directory.")] = Path("var"),
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
    store: Annotated[
        str | None, Parameter(help="postgresql://… instead of the embedded store; servers may share it.")
    ] = None,
) -> int:
    """Start the HTTP API and the console on a data directory, until a signal ends it.

    Settings come from DATA/obligor.yaml, then from OBLIGOR_* in the environment, then from here.
    """
    settings = load(data, host=host, port=port, metrics_port=metrics_port, store=store)
    log_to(level=settings.log_level)
    _allow_files(settings.limits.connections_most)
    service = open_service(data, settings)
    try:
        control = Control(data, service.keys, settings.tenant, service.hand_over)
        service.start()
        look_seldom()
        web = create_app(service, limits=settings.limits, tracing=tracing_of(settings.tracing))
        config = server_config(web, web.gate, host=settings.host, port=settings.port)
        with _beside(create_metrics_app(web, service), settings.host, settings.metrics_port) as metrics:
            try:
                Announcing(config, data, metrics, control).run()
            finally:
                control.close()
    except Stopped:
        pass
    finally:
        service.close()
    return 0


class Stopped(BaseException):
    """A signal asked the process to end; uvicorn has ended its own part in order and passes it on."""


def _stop(_number: int, _frame: Any) -> None:
    raise Stopped


def _allow_files(connections: int) -> None:
    """Raise the process's limit of open files, as far as the system lets it, to what the connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))


@contextmanager
def _beside(application: Any, host: str, port: int) -> Iterator[int]:
    """Serve a second application on a port of its own, on a thread that has ended on leaving; gives the port.

    Its event loop is native code: alive while the interpreter is taken down, it would crash the process.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    server = uvicorn.Server(server_config(application))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="metrics", daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


class Announcing(uvicorn.Server):
    """A server that says where it listens, in one JSON line, once it does."""

    def __init__(self, config: uvicorn.Config, data: Path, metrics: int, control: Control) -> None:
        super().__init__(config)
        self._data, self._metrics, self._control = data, metrics, control

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if not self.started:
            return
        self._control.start()
        address = self.servers[0].sockets[0].getsockname()
        base = f"http://{address[0]}:{address[1]}"
        told = {
            "listening": base,
            "metrics": f"http://{self.config.host}:{self._metrics}/metrics",
            "data": str(self._data),
        }
        print(msgspec.json.encode(told).decode(), flush=True)


def main(argv: Sequence[str]) -> int:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _stop)
        signal.signal(signal.SIGTERM, _stop)
    return run(cli, argv)
