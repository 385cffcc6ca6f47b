"""The system's settings: one file, then the environment; each value is printed by `obligor doctor`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml
from msgspec import Meta

from obligor.app.limits import Limits
from obligor.kernel import InvalidInput, decode

__all__ = ["PREFIX", "Settings", "load", "shown"]

PREFIX = "OBLIGOR_"
FILE = "obligor.yaml"
Port = Annotated[int, Meta(ge=0, le=65535)]
Days = Annotated[int, Meta(ge=1, le=3650)]


# The strategy of each stage, as a pack's name or a directory.
STAGES = {
    "prelend": "starter/prelend",
    "drawdown": "starter/drawdown",
    "monitor": "starter/monitor",
    "classify": "starter/classify",
    "treat": "starter/treat",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that may differ between two deployments.

    `host` is where to listen; port 0 takes a free one. `zone` is the tenant's, in which its days end. `label`
    is shown on every page: "simulated" where the data are. `store` is empty for the embedded store in the
    data directory, or the address of a database, `postgresql://…`, which several servers may share: the one
    that holds the tenant's lease writes, for `lease_seconds` after it was last heard of. `queue_most` bounds
    what may wait for the writer, `future_days_most` how far ahead of the clock a sender's times may lie.
    `log_level` "info" logs a line for each request; `tracing` sends spans by OpenTelemetry, where it is
    installed; `limits` bounds what is taken from whom.
    """

    deployment: Annotated[str, Meta(pattern=r"^[a-z0-9.-]{1,60}$")] = "obligor.local"
    tenant: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}$")] = "main"
    lender: Annotated[str, Meta(min_length=1, max_length=60)] = "Lender"
    label: Annotated[str, Meta(max_length=60)] = ""
    zone: str = "Asia/Shanghai"
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "CNY"
    store: Annotated[str, Meta(pattern=r"^$|^postgres(ql)?://")] = ""
    lease_seconds: Annotated[float, Meta(ge=0.5, le=300)] = 5.0
    host: str = "127.0.0.1"
    port: Port = 8080
    metrics_port: Port = 0
    offer_days: Days = 14
    reservation_days: Days = 14
    override_days: Days = 7
    case_hours: Annotated[int, Meta(ge=1, le=1000)] = 24
    queue_most: Annotated[int, Meta(ge=1, le=1_000_000)] = 50_000
    future_days_most: Annotated[int, Meta(ge=0, le=36_500)] = 1
    disk_free_least_mib: Annotated[int, Meta(ge=1)] = 64
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    tracing: bool = False
    limits: Limits = Limits()
    stages: Mapping[str, str] = msgspec.field(default_factory=lambda: dict(STAGES))


def _typed(name: str, text: str) -> Any:
    """A value from the environment, read as the field's type would be written in the file."""
    return yaml.safe_load(text) if name != "lender" else text


def shown(settings: Settings) -> dict[str, Any]:
    """The settings as they may be printed: a password in the store's address is not among them."""
    told: dict[str, Any] = msgspec.to_builtins(settings)
    told["store"] = re.sub(r"(?<=://)([^/@:]*):[^@]*@", r"\1:…@", settings.store)
    return told


def load(directory: Path, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings of a data directory: its file, then `OBLIGOR_*`, then what was given (None is left out).

    Raises:
        InvalidInput: an unknown setting, or a value that will not do, with what would.
    """
    environment = os.environ if environment is None else environment
    path = directory / FILE
    values: dict[str, Any] = {}
    if path.is_file():
        read = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(read, dict):
            raise InvalidInput.field(FILE, type(read).__name__, "a mapping from setting to value")
        values.update(read)
    fields = Settings.__struct_fields__
    for name in fields:
        if (text := environment.get(PREFIX + name.upper())) is not None:
            values[name] = _typed(name, text)
    values.update({name: value for name, value in given.items() if value is not None})
    settings = decode(values, Settings)
    try:
        ZoneInfo(settings.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidInput.field("zone", settings.zone, "a zone such as Asia/Shanghai or UTC") from None
    return settings
