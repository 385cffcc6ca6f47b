"""What stands before the routes: how many may come, how long they would wait, what each of them may ask."""

from __future__ import annotations

from obligor.app.limits import Limits
from obligor.web.load import Load
from obligor.web.quota import Quotas

__all__ = ["READING", "UNCOUNTED", "Gate"]

# Asked by whoever watches over the server: never counted, never refused for want of room.
UNCOUNTED = frozenset({"/livez", "/readyz"})
# They change nothing, although their answers are made anew.
READING = frozenset({"/v1/audits", "/v1/replays"})


class Gate:
    """The limits at work. What reads and what writes is measured apart: neither keeps the other waiting.

    `cut` counts connections that were closed, by the reason: headers, body, answer, idle, size, connections.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        wait_most = limits.wait_most_ms / 1000
        self.reads = Load(wait_most, limits.requests_most)
        self.writes = Load(wait_most, limits.requests_most)
        self.quotas = Quotas(limits)
        self.rate_limited = 0
        self.connections = 0
        self.cut: dict[str, int] = {}

    def load(self, method: str, path: str) -> Load | None:
        """Whose turn a request waits for; None for what is always answered."""
        if method == "GET" or path in READING:
            return None if path in UNCOUNTED else self.reads
        return self.writes if method == "POST" else None
