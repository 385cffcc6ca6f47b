"""The receipt box: the same verification that an auditor runs offline, done here for the eye."""

from __future__ import annotations

import base64

import msgspec

from obligor.app.service_protocol import Service
from obligor.kernel import Gone, Unavailable
from obligor.proof import Report, verify_receipt

__all__ = ["Box", "look"]


class Box(msgspec.Struct, frozen=True):
    """A receipt's verification against the log's `key`, or `why` there is none."""

    event_id: str
    key: str
    report: Report | None = None
    why: str = ""

    @property
    def held(self) -> int:
        """How many steps hold."""
        return sum(step.ok is True for step in self.report.steps) if self.report else 0

    @property
    def root(self) -> str:
        """The checkpoint's root, in base64 as the note has it."""
        return base64.b64encode(self.report.root).decode() if self.report else ""


def look(service: Service, tenant: str, event_id: str) -> Box:
    """Fetch and verify the receipt of an event."""
    key = service.vkey
    try:
        return Box(event_id, key, verify_receipt(service.receipt(tenant, event_id), vkey=key))
    except (Unavailable, Gone) as refusal:
        return Box(event_id, key, why=refusal.detail)
