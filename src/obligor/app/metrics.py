"""What a server counts about itself, for Prometheus; labels are kinds, codes and caps, never a person."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import generate_latest

from obligor import __version__

__all__ = ["CAPS_MOST", "GroupTimes", "Metrics", "Standing"]

ROLES = ("writer", "standby")
CAPS_MOST = 20
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
COMMANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a server stands at the moment it is asked.

    `entries` is not a number while the store is out of reach. `processors` has for each how many events it is
    behind and for how many seconds it has not moved, `caps` the share of each cap that is used, the fullest
    first.
    """

    role: str
    store: str
    entries: float
    waiting: int = 0
    erasures: int = 0
    keys_cached: int = 0
    keys_loaded: int = 0
    processors: Mapping[str, tuple[int, float]] = {}
    caps: tuple[tuple[str, float], ...] = ()


class GroupTimes:
    """When the writer's last group began, was folded and was durable, in nanoseconds of the epoch.

    It implements the journal's `Observer`, on the writer's thread.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.begun_at = self.folded_at = self.committed_at = 0
        self._group = Histogram(
            "obligor_journal_group_commands",
            "Commands that the writer took together",
            buckets=COMMANDS,
            registry=registry,
        )
        self._fold = Histogram(
            "obligor_journal_fold_seconds",
            "Time to run the commands of a group",
            buckets=SECONDS,
            registry=registry,
        )
        self._commit = Histogram(
            "obligor_journal_commit_seconds",
            "Time from a folded group to its durable commit",
            buckets=SECONDS,
            registry=registry,
        )
        self._events = Counter("obligor_journal_events", "Events made durable", registry=registry)
        self._committed = Gauge(
            "obligor_journal_last_commit_timestamp_seconds",
            "When a group was last made durable; 0 before the first",
            registry=registry,
        )
        self._signed = Gauge(
            "obligor_journal_last_checkpoint_timestamp_seconds",
            "When a checkpoint was last signed; 0 before the first",
            registry=registry,
        )

    def begun(self, commands: int) -> None:
        """Note a group's size."""
        self.begun_at = time.time_ns()
        self._group.observe(commands)

    def folded(self) -> None:
        """Note how long the commands took."""
        self.folded_at = time.time_ns()
        self._fold.observe((self.folded_at - self.begun_at) / 1e9)

    def committed(self, events: int) -> None:
        """Note how long the commit took."""
        self.committed_at = time.time_ns()
        self._commit.observe((self.committed_at - self.folded_at) / 1e9)
        self._events.inc(events)
        self._committed.set(self.committed_at / 1e9)

    def signed(self) -> None:
        """Note when a checkpoint was signed."""
        self._signed.set(time.time())


class Metrics:
    """The counters of a server, kept while it changes its role."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.groups = GroupTimes(registry)

        def gauge(name: str, said: str, *labels: str) -> Gauge:
            return Gauge(name, said, labels, registry=registry)

        self._answers = Counter(
            "obligor_answers", "Requests that write, by kind and code", ["kind", "code"], registry=registry
        )
        self._lines = Counter(
            "obligor_lines", "Lines of NDJSON answered, by status", ["status"], registry=registry
        )
        self._build = gauge("obligor_build_info", "Version and store; always 1", "version", "store")
        self._role = gauge("obligor_server_role", "1 for the role that the server has", "role")
        self._entries = gauge("obligor_journal_entries", "Entries of the journal")
        self._waiting = gauge("obligor_journal_queue_commands", "Commands that wait for the writer")
        self._erasures = gauge("obligor_erasures_pending", "Erasures recorded and not finished")
        self._cached = gauge("obligor_vault_cached_persons", "Persons whose keys are in memory")
        self._loaded = Counter(
            "obligor_vault_loads", "How often a person's keys had to be read", registry=registry
        )
        self._loads_seen = 0
        self._lag = gauge("obligor_processor_lag_events", "Events not seen yet", "processor")
        self._age = gauge(
            "obligor_processor_age_seconds", "Since it moved, while there is something to see", "processor"
        )
        self._caps = gauge("obligor_cap_use_ratio", f"Used share of the {CAPS_MOST} fullest caps", "cap")

    def answered(self, kind: str, code: str) -> None:
        """Count a request's answer."""
        self._answers.labels(kind, code).inc()

    def lines(self, statuses: Iterable[str]) -> None:
        """Count the answers to lines."""
        for status in statuses:
            self._lines.labels(status).inc()

    def text(self, standing: Standing) -> bytes:
        """All metrics in Prometheus' text format."""
        self._build.labels(__version__, standing.store).set(1)
        for role in ROLES:
            self._role.labels(role).set(role == standing.role)
        self._entries.set(standing.entries)
        self._waiting.set(standing.waiting)
        self._erasures.set(standing.erasures)
        self._cached.set(standing.keys_cached)
        # A vault that was opened anew counts from 0 again.
        before = self._loads_seen if standing.keys_loaded >= self._loads_seen else 0
        self._loaded.inc(standing.keys_loaded - before)
        self._loads_seen = standing.keys_loaded
        for metric in (self._lag, self._age, self._caps):
            metric.clear()
        for name, (lag, age) in standing.processors.items():
            self._lag.labels(name).set(lag)
            self._age.labels(name).set(age)
        for name, ratio in standing.caps:
            self._caps.labels(name).set(ratio)
        return generate_latest(self._registry)
