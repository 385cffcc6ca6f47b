"""`obligor up`: the server."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import uvicorn
from cyclopts import Parameter

from obligor.app.control import Control
from obligor.app.service import Service
from obligor.app.settings import load
from obligor.cli.common import app, run
from obligor.web import create_app, create_metrics_app

__all__ = ["main"]

cli = app("up", __doc__)
GRACE_SECONDS = 10


class JsonLines(logging.Formatter):
    """One JSON object a line; extras are fields. What is logged holds nothing personal."""

    def format(self, record: logging.LogRecord) -> str:
        known = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
        extra = {
            k: v
            for k, v in record.__dict__.items()
            if k not in known and k not in ("message", "color_message")
        }
        told: dict[str, Any] = {
            "at": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extra,
        }
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__
        return msgspec.json.encode(told, enc_hook=str).decode()


@cli.default
def up(
    *,
    data: Annotated[Path, Parameter(help="The data directory.")] = Path("var"),
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
) -> int:
    """Start the HTTP API and the console on a data directory, until a signal ends it.

    Settings come from DATA/obligor.yaml, then from OBLIGOR_* in the environment, then from here.
    """
    settings = load(data, host=host, port=port, metrics_port=metrics_port)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    service = Service(data, settings)
    try:
        control = Control(data, service.keys, settings.tenant)
        service.start()
        web = create_app(service)
        metrics = _beside(create_metrics_app(web, service), settings.host, settings.metrics_port)
        config = uvicorn.Config(
            web,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
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


def _beside(application: Any, host: str, port: int) -> int:
    """Serve a second application on a port of its own, on a thread; returns the port."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    config = uvicorn.Config(application, log_config=None, access_log=False, server_header=False)
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="metrics", daemon=True).start()
    return int(listening.getsockname()[1])


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
