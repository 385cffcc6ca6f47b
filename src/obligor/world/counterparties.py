"""Where money goes to and comes from beyond the accounts of people: employers, shops, brokers, and so on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from obligor.world.luck import Purpose, stream
from obligor.world.settings import Settings

__all__ = ["LENDER", "PROHIBITED", "Counterparties", "Counterparty"]

# Classes that loan money may not reach, by the names of packs/funds/classes.yaml.
PROHIBITED = ("securities_broker", "property_purchase", "gambling", "crypto_exchange", "lottery")

# Counterparties per class: a fixed number, and one more for so many people.
_SIZES: Mapping[str, tuple[int, int]] = {
    "salary": (6, 25),
    "rent": (6, 20),
    "retail": (40, 40),
    "utilities": (5, 2000),
    "medical": (10, 500),
    "education": (10, 500),
    "travel": (8, 500),
    "cash_withdrawal": (6, 1000),
    "loan_repayment": (10, 2000),
    "supplier": (10, 400),
    "person": (20, 20),
    **dict.fromkeys(PROHIBITED, (10, 1000)),
}


class Counterparty(msgspec.Struct, frozen=True):
    """A place outside the lender's sight. `label` is what the data say it is, None where they do not."""

    name: str
    kind: str
    label: str | None


LENDER = Counterparty("sim-lender", "loan_repayment", "loan_repayment")


class Counterparties:
    """All places of a world; a fixed share of each class has no label. Names tell nothing."""

    def __init__(self, seed: int, people: int, settings: Settings) -> None:
        rng = stream(seed, Purpose.PLACES)
        sizes = {kind: base + people // each for kind, (base, each) in _SIZES.items()}
        names = rng.permutation(sum(sizes.values()))
        self.of: dict[str, tuple[Counterparty, ...]] = {}
        used = 0
        carry = 0.0
        for kind, size in sizes.items():
            wanted = size * settings.unlabelled + carry
            blank = round(wanted)
            carry = wanted - blank
            unlabelled = set(rng.permutation(size)[:blank].tolist())
            mine = names[used : used + size]
            used += size
            self.of[kind] = tuple(
                Counterparty(f"sim-place-{name:05d}", kind, None if i in unlabelled else kind)
                for i, name in enumerate(mine.tolist())
            )

    def pick(self, kind: str, uniform: float) -> Counterparty:
        """One place of a class, by a number in [0, 1)."""
        places = self.of[kind]
        return places[int(uniform * len(places))]

    def usual(self, kind: str, number: int) -> Counterparty:
        """The place of a class that a person always uses: their employer, landlord, utility."""
        places = self.of[kind]
        return places[number * 7919 % len(places)]

    def stranger(self, uniform: float) -> Counterparty:
        """Somebody at another bank, of whom the lender knows nothing."""
        return Counterparty(self.pick("person", uniform).name, "person", None)
