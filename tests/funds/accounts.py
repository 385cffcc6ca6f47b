"""Short ways to write histories of accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from obligor.funds import Classes, Hit, Tracer, load_classes

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLASSES = load_classes()


class Bank:
    """A tracer with a clock that ticks a minute a movement."""

    def __init__(self, classes: Classes = CLASSES, **options: int) -> None:
        self.tracer = Tracer(classes, **options)
        self.at = START
        self.count = 0

    def tick(self) -> datetime:
        self.at += timedelta(minutes=1)
        self.count += 1
        return self.at

    def open(self, *accounts: str, opening: int = 0, currency: str = "CNY") -> Bank:
        for account in accounts:
            self.tracer.open_account(account, f"owner of {account}", currency, opening)
        return self

    def lend(self, loan: str, account: str, minor: int, currency: str = "CNY") -> None:
        self.tracer.disburse(
            loan, f"owner of {account}", account, amount_minor=minor, currency=currency, at=self.tick(),
            event_id=f"e-{loan}",
        )  # fmt: skip

    def pay(
        self, source: str, target: str, minor: int, name: str | None = None, way: str = "out"
    ) -> list[Hit]:
        at = self.tick()
        self.last = f"t{self.count}"
        return self.tracer.transfer(
            source, self.last, way, amount_minor=minor, counterparty=target, counterparty_class=name, at=at,
            event_id=f"e-{self.last}",
        )  # fmt: skip

    def come(
        self, account: str, minor: int, source: str = "employer", name: str | None = "salary"
    ) -> list[Hit]:
        return self.pay(account, source, minor, name, "in")

    def back(self, account: str, transfer: str | None = None) -> list[Hit]:
        at = self.tick()
        return self.tracer.reverse(account, transfer or self.last, at=at, event_id=f"e-back{self.count}")

    def sums(self, loan: str) -> tuple[int, int, int]:
        found = self.tracer.position(loan)
        assert found is not None
        assert found.sunk_minor + found.held_minor + found.exit_minor == found.disbursed_minor
        for kind in ("sunk", "held", "exit"):
            total = sum(place.amount_minor for place in found.places if place.kind == kind)
            assert total == getattr(found, f"{kind}_minor")
        return found.sunk_minor, found.held_minor, found.exit_minor
