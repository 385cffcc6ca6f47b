"""How the applications are served: uvicorn, on connections that keep to the limits."""

from __future__ import annotations

from functools import partial
from typing import Any

import uvicorn

from obligor.app.limits import Limits
from obligor.web.connection import Connection, Doorkeeper
from obligor.web.gate import Gate

__all__ = ["server_config"]

GRACE_SECONDS = 10


def server_config(application: Any, gate: Gate | None = None, **given: Any) -> uvicorn.Config:
    """Uvicorn's settings for an application behind a gate, or behind one of its own with the usual limits.

    `given` are more of uvicorn's settings, such as `host` and `port`.
    """
    gate = gate or Gate(Limits())
    connection: Any = partial(Connection, doorkeeper=Doorkeeper(gate))
    return uvicorn.Config(
        application,
        http=connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=int(gate.limits.idle_seconds) + 1,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **given,
    )
