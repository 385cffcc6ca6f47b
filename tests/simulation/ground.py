"""What every seed starts from, made once for a process.

A lender with a few lines that wait to be drawn, and two loans whose first instalment was missed.
"""

from __future__ import annotations

import atexit
import random
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from obligor.app.activation import use_model
from obligor.app.call import Means
from obligor.app.packs import place
from obligor.app.service import Service
from obligor.app.service_protocol import SCOPES, Principal
from obligor.app.settings import Settings
from obligor.cli.playing.scorecard import from_world
from obligor.funds import Classes, load_classes
from obligor.journal import load_signer
from obligor.proof import Signer
from obligor.world import World as Past
from tests.applicants import BUREAU, FIELDS

__all__ = [
    "DOCUMENT",
    "EVERYTHING",
    "JOURNAL",
    "LINE_MINOR",
    "SECRET",
    "TENANT",
    "VAULT",
    "Ground",
    "Line",
    "SeededEntropy",
    "SimulatedClock",
    "application",
    "ground",
    "scratch",
]

TENANT = "main"
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
JOURNAL, VAULT = "journal.db", "vault.sqlite"
SETTINGS = Settings(label="Simulated data", reservation_days=2, offer_days=3, override_days=3)
EVERYTHING = Principal(TENANT, "simulation", frozenset(SCOPES))
LINE_MINOR = 1_200_000
DOCUMENT = "cd" * 32
# Stands for whatever names a person: it is in no file in the clear.
SECRET = "Zhang-Secret"


class SimulatedClock:
    """A clock that others set; every look at it is a millisecond later."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by


class SeededEntropy:
    """Bytes that anybody can guess."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def bytes(self, n: int) -> bytes:
        return self._random.randbytes(n)


@dataclass(frozen=True)
class Line:
    """A signed contract, and the account that its money goes to, if that is one we see."""

    application_id: str
    amount_minor: int
    account_id: str | None


@dataclass(frozen=True)
class Ground:
    """A data directory with what everything begins with, and what is read once for all seeds."""

    directory: Path
    means: Means
    signer: Signer
    classes: Classes
    lines: tuple[Line, ...]
    loans: tuple[str, ...]
    persons: tuple[str, ...]

    def copy_to(self, directory: Path) -> None:
        for room, name in (("journal", JOURNAL), ("vault", VAULT), ("keys", "kek")):
            shutil.copyfile(self.directory / room / name, directory / name)
        (directory / "kek").chmod(0o600)


def scratch() -> Path:
    """An empty directory, in memory where the system has such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="obligor-sim-", dir=memory if memory.is_dir() else None))


class _Founder:
    """Makes the first customers, in order."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._count = 0
        self.lines: list[Line] = []
        self.loans: list[str] = []
        self.persons: list[str] = []

    def line(self, number: int) -> Line:
        """Apply, accept, sign, and open an account."""
        applied = self._submit("application", application(f"person-{number}", LINE_MINOR, 12))
        application_id, person_id = applied["application_id"], applied["person_id"]
        self._event("offer.made", application_id=application_id)
        self._event("offer.accepted", application_id=application_id)
        signed = {"contract_id": f"C-{number}", "document_sha256": DOCUMENT}
        self._event("contract.signed", application_id=application_id, **signed)
        account = f"account-{number}"
        self._event("account.opened", account_id=account, person_id=person_id, currency="CNY")
        self.persons.append(person_id)
        return Line(application_id, LINE_MINOR, account)

    def loan(self, line: Line) -> None:
        """Draw a part of a line, and pay it out."""
        asked = {"application_id": line.application_id, "amount_minor": LINE_MINOR // 4, "currency": "CNY"}
        loan_id = self._submit("drawdown", asked)["loan_id"]
        self._event("loan.disbursed", loan_id=loan_id, account_id=line.account_id)
        self.loans.append(loan_id)

    def _event(self, kind: str, **body: Any) -> None:
        self._count += 1
        ref = f"ground-{self._count}"
        self._submit("event", {"type": kind, "source": "simulation", "source_ref": ref, "body": body})

    def _submit(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        reply = self._service.submit(EVERYTHING, kind, payload, None).result()
        body: dict[str, Any] = msgspec.json.decode(reply.body)
        return body


def application(person: str, amount_minor: int, term_months: int, **changes: Any) -> dict[str, Any]:
    """An application that the starter strategy approves at once."""
    return {
        "person": {"reference": person, "name": f"{SECRET}-{person}"},
        "product": "instalment",
        "channel": "app",
        "amount_minor": amount_minor,
        "currency": "CNY",
        "term_months": term_months,
        "purpose": "shopping",
        "fields": {**FIELDS, **BUREAU},
        "device_id": f"phone-of-{person}",
        **changes,
    }


@cache
def ground() -> Ground:
    """The one ground of this process: the same bytes in every process."""
    directory = scratch()
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    clock, entropy = SimulatedClock(START - timedelta(days=46)), SeededEntropy(0)
    service = Service(directory, SETTINGS, clock, entropy)
    try:
        service.start()
        past = Past(seed=3, people=10, start=date(2026, 1, 1)).history(600)
        use_model(service, from_world(past, date(2026, 1, 1)), "1")
        founder = _Founder(service)
        late = founder.line(1)
        founder.loan(late)
        founder.loan(late)
        clock.move(timedelta(days=45))
        lines = tuple(founder.line(number) for number in (2, 3, 4))
    finally:
        service.close()
    return Ground(
        directory,
        service.means,
        load_signer(directory / "keys" / "log", SETTINGS.deployment, entropy),
        load_classes(place("funds/classes.yaml")),
        lines,
        tuple(founder.loans),
        tuple(founder.persons),
    )
