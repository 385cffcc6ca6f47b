"""One of several servers on one database: it writes while it holds the lease, and reads otherwise."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

from obligor.app.kept import Kept
from obligor.app.service import Service
from obligor.app.settings import Settings
from obligor.app.standby import Standby
from obligor.journal import PostgresBackend
from obligor.kernel import Clock, Entropy, NotFound, Unavailable

__all__ = ["Seat", "open_service"]

POLL_SECONDS = 0.1
# For how long who handed over lets others go first.
REST_SECONDS = 1.0
# How long a standby waits for the first writer to make the tables.
FIRST_SECONDS = 30.0
log = logging.getLogger("obligor")


class Seat:
    """Stands for whichever serves now: the writer's `Service` or a `Standby`.

    Everything that `service_protocol.Service` names is asked of that one, at the moment it is asked.
    """

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        """Take the writer's place if nobody has it, or else stand by."""
        self.directory, self.settings = directory, settings
        self._kept = Kept.of(directory)
        self.keys, self.metrics_of = self._kept.keys, self._kept.metrics
        self._clock, self._entropy = clock, entropy
        self._closing, self._handing_over = threading.Event(), threading.Event()
        self._rests_until = 0.0
        self._retired: Standby | None = None
        self._thread = threading.Thread(target=self._run, name="seat", daemon=True)
        self._now: Service | Standby = self._first()
        self._backend = PostgresBackend(settings.store)
        self._rows = self._backend.rows()

    def __getattr__(self, name: str) -> Any:
        """What the one that serves now has."""
        if name == "_now":
            raise AttributeError(name)
        return getattr(self._now, name)

    @property
    def leads(self) -> bool:
        """Whether this server writes."""
        return isinstance(self._now, Service)

    def start(self) -> None:
        """Begin to serve, and to look whether the place is free or lost."""
        if isinstance(self._now, Service):
            self._now.start()
        self._thread.start()

    def hand_over(self) -> bool:
        """Give the writer's place up, once what was taken is answered; whether it was ours."""
        if not self.leads:
            return False
        self._handing_over.set()
        return True

    def close(self) -> None:
        """Serve no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._now.close()
        self._rows.close()

    # ---- on its thread

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  the database may be away: again
                log.error("a server could not change its role: %s", type(error).__name__)  # noqa: TRY400
            self._closing.wait(POLL_SECONDS)

    def _look(self) -> None:
        serving = self._now
        if isinstance(serving, Service):
            if self._handing_over.is_set() or not serving.journal.alive:
                self._step_down(serving)
        elif time.monotonic() >= self._rests_until:
            self._take_over(serving)

    def _step_down(self, serving: Service) -> None:
        """Questions go to the standby first; then what waits is written, and the lease given back."""
        self._now = self._reader()
        serving.close()
        if self._retired is not None:
            self._retired.close()
        if self._handing_over.is_set():
            self._rests_until = time.monotonic() + REST_SECONDS
            self._handing_over.clear()
        log.warning("this server reads and stands by")

    def _take_over(self, serving: Standby) -> None:
        if self._backend.taken(self._rows, self.settings.tenant):
            return
        try:
            service = self._writer()
        except Unavailable:
            return  # somebody was faster
        try:
            service.start()
        except BaseException:
            service.close()
            raise
        self._now = service
        # Whoever was just asking it may finish; it goes when the next one does.
        self._retired = serving
        log.warning("this server writes")

    def _first(self) -> Service | Standby:
        """The writer's place, or else a standby's, which needs a journal that somebody may be making now."""
        until = time.monotonic() + FIRST_SECONDS
        while True:
            try:
                return self._writer()
            except Unavailable:
                try:
                    return self._reader()
                except NotFound:
                    if time.monotonic() > until:
                        raise
            time.sleep(POLL_SECONDS)

    def _writer(self) -> Service:
        return Service(
            self.directory,
            self.settings,
            self._clock,
            self._entropy,
            kept=self._kept,
        )

    def _reader(self) -> Standby:
        return Standby(self.directory, self.settings, self._kept)


def open_service(directory: Path, settings: Settings) -> Service | Seat:
    """The system over a data directory: alone on the embedded store, or as one of several on a database."""
    return Seat(directory, settings) if settings.store else Service(directory, settings)
