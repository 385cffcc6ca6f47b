"""Counters for Prometheus; their labels are kinds and codes, never anything about a person."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

from obligor.journal import Journal

__all__ = ["Metrics"]


class Metrics:
    """What a server counts about itself."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._answers = Counter(
            "obligor_answers",
            "Requests answered, by kind and code",
            ["kind", "code"],
            registry=self._registry,
        )
        self._lines = Counter(
            "obligor_lines", "Lines of NDJSON answered, by status", ["status"], registry=self._registry
        )
        self._entries = Gauge("obligor_journal_entries", "Entries of the journal", registry=self._registry)
        self._waiting = Gauge(
            "obligor_journal_waiting", "Commands that wait for the writer", registry=self._registry
        )

    def answered(self, kind: str, code: str) -> None:
        """Count a request's answer."""
        self._answers.labels(kind, code).inc()

    def lines(self, statuses: Iterable[str]) -> None:
        """Count the answers to lines."""
        for status in statuses:
            self._lines.labels(status).inc()

    def text(self, journal: Journal, tenant: str) -> bytes:
        """All metrics in Prometheus' text format."""
        self._entries.set(journal.size(tenant))
        self._waiting.set(journal.waiting)
        return generate_latest(self._registry)
