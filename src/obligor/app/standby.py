"""A server that only reads: another process writes the journal, and this one may take over."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from obligor.app.kept import Kept
from obligor.app.keys import Admits
from obligor.app.opened import Opened
from obligor.app.queries import Queries
from obligor.app.service_protocol import Check, Idempotency, Principal, Reply
from obligor.app.settings import Settings
from obligor.app.standing import of_standby
from obligor.app.views import Registered
from obligor.funds import Position, Tracer
from obligor.journal import Reader
from obligor.kernel import Unavailable

__all__ = ["Standby"]

REFUSAL = "another server writes this tenant's journal; send it there, or here again in a moment"


class Standby(Admits, Queries):
    """Answers every question from what is committed, and refuses to write."""

    def __init__(self, directory: Path, settings: Settings, kept: Kept) -> None:
        """Open a journal that another process writes.

        Raises:
            NotFound: there is none yet.
        """
        self.directory, self.settings, self.keys = directory, settings, kept.keys
        self.metrics_of = kept.metrics
        self._opened = Opened.at(directory, settings)
        self._log = _Committed(self._opened)
        self._tracer, self._traced_upto = Tracer(kept.classes), -1
        self._tracing = threading.Lock()
        super().__init__(
            self._opened.means(kept), self._log, self._opened.vkey(), kept.classes, self._funds_of
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._opened.close()

    def submit(
        self,
        principal: Principal,  # noqa: ARG002
        kind: str,
        payload: dict[str, Any],  # noqa: ARG002
        idempotency: Idempotency | None,  # noqa: ARG002
    ) -> Future[Reply]:
        """Refuse: the sender finds the writer, or tries again."""
        self.metrics_of.answered(kind, Unavailable.code)
        refused: Future[Reply] = Future()
        refused.set_exception(Unavailable(REFUSAL))
        return refused

    def submit_lines(
        self,
        principal: Principal,  # noqa: ARG002
        lines: Sequence[bytes],  # noqa: ARG002
        first_line: int = 1,  # noqa: ARG002
    ) -> Future[list[bytes]]:
        """Refuse all of them at once: no line was looked at."""
        refused: Future[list[bytes]] = Future()
        refused.set_exception(Unavailable(REFUSAL))
        return refused

    def register_model(self, tenant: str, data: bytes) -> Registered:  # noqa: ARG002
        """Refuse."""
        raise Unavailable(REFUSAL)

    def readiness(self) -> list[Check]:
        """A standby takes no requests that write: whoever distributes them asks here."""
        return [Check("writer", False, "another server writes; this one reads and stands by")]

    def metrics(self) -> bytes:
        """Prometheus text."""
        return self.metrics_of.text(of_standby(self._log.reader(), self.settings.tenant, self.settings.store))

    def _funds_of(self, loan_id: str) -> Position | None:
        """Where a loan's money is: the tracer follows the journal when it is asked."""
        with self._tracing:
            events = self._log.reader().events(
                self.settings.tenant, types=Tracer.TYPES, after=self._traced_upto
            )
            for event in events:
                self._tracer.consume(event)
                self._traced_upto = event.known_seq
            return self._tracer.position(loan_id)


class _Committed:
    """What a journal shows to those who only read it."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.waiting = 0

    def reader(self) -> Reader:
        """The journal's readers."""
        return self._opened.reader

    def size(self, tenant: str) -> int:
        """How many events are committed."""
        return self._opened.reader.size(tenant)

    def checkpoint(self, tenant: str) -> str:
        """The last checkpoint that the writer has stored.

        Raises:
            Unavailable: there is none yet.
        """
        found = self._opened.reader.checkpoints(tenant, last=1)
        if not found:
            raise Unavailable("no checkpoint has been signed yet")
        return found[0]
