"""What the web counts of itself, for Prometheus; routes are templates, never paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from obligor.web.gate import Gate

__all__ = ["Meter"]

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)


class Meter:
    """Requests by route, method and status, with the time each took; and how the gate stands."""

    def __init__(self, gate: Gate) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "obligor_http_seconds",
            "Time from a request's first byte to its answer's start",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._known: dict[tuple[str, str, int], Any] = {}
        self._registry.register(_GateCollector(gate))

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (method, route, status)
        child = self._known.get(key)
        if child is None:
            child = self._known[key] = self._seconds.labels(method, route, str(status))
        child.observe(seconds)

    def text(self) -> bytes:
        """What was counted, as Prometheus reads it."""
        return generate_latest(self._registry)


class _GateCollector(Collector):
    """Reads the gate when it is asked, so that counting costs a request nothing."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> Iterable[Metric]:
        gate = self._gate
        loads = {"reads": gate.reads, "writes": gate.writes}
        pending = GaugeMetricFamily(
            "obligor_http_requests_in_progress", "Requests that wait for their answer", labels=["kind"]
        )
        wait = GaugeMetricFamily(
            "obligor_http_estimated_wait_seconds", "How long who comes now would wait", labels=["kind"]
        )
        refused = CounterMetricFamily(
            "obligor_http_overloaded", "Requests refused because too many waited", labels=["kind"]
        )
        for kind, load in loads.items():
            pending.add_metric([kind], load.pending)
            wait.add_metric([kind], load.wait())
            refused.add_metric([kind], load.refused)
        yield from (pending, wait, refused)
        yield CounterMetricFamily(
            "obligor_http_rate_limited", "Requests refused over a quota", value=gate.rate_limited
        )
        yield GaugeMetricFamily("obligor_http_connections", "Open connections", value=gate.connections)
        cut = CounterMetricFamily(
            "obligor_http_connections_cut", "Connections closed over a limit", labels=["reason"]
        )
        for reason, count in sorted(gate.cut.copy().items()):
            cut.add_metric([reason], count)
        yield cut
