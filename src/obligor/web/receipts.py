"""The receipt box: the same verification that an auditor runs offline, done here for the eye."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from obligor.app.service_protocol import Service
from obligor.kernel import Gone, Unavailable
from obligor.proof import verify_receipt

__all__ = ["Box", "Step", "look"]


class Step(msgspec.Struct, frozen=True):
    """One step of the verification: `ok` is None for what could not be tried."""

    name: str
    ok: bool | None
    detail: str


class Box(msgspec.Struct, frozen=True):
    """A receipt's verification, or why there is none yet (`why` is then set)."""

    event_id: str
    steps: tuple[Step, ...] = ()
    origin: str = ""
    root: str = ""
    size: int = 0
    index: int = 0
    openings: int = 0
    why: str = ""

    @property
    def held(self) -> int:
        """How many steps hold."""
        return sum(step.ok is True for step in self.steps)


def look(service: Service, tenant: str, event_id: str) -> Box:
    """Fetch and verify the receipt of an event. The key is the one in the receipt: it proves consistency here,
    and trust only where the reader pins the log's key, as `obligor verify --key` does.
    """
    try:
        data = service.receipt(tenant, event_id)
    except (Unavailable, Gone) as refusal:
        return Box(event_id, why=refusal.detail)
    report = verify_receipt(data, vkey=None)
    receipt: Mapping[str, Any] = msgspec.json.decode(data)
    origin, size, root = (*str(receipt["checkpoint"]).splitlines(), "", "", "")[:3]
    steps = tuple(Step(step.name, step.ok, step.detail) for step in report.steps)
    return Box(
        event_id,
        steps,
        origin,
        root,
        int(size) if size.isdigit() else 0,
        receipt["index"],
        len(receipt.get("openings") or ()),
    )
