"""How lively and how bad the simulated world is: every share and pace in one place."""

from __future__ import annotations

import msgspec

from obligor.kernel import InvalidInput

__all__ = ["Settings", "Shock"]


class Shock(msgspec.Struct, frozen=True):
    """A downturn: from one month of the world to another (counted from 0), hazards are `factor` as high."""

    first_month: int
    last_month: int
    factor: float


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Paces and shares of a world. Shares are fractions of one.

    `applications_per_year` is per person who has no loan yet. `misuse_hops` are the shares of misusers whose
    money takes one, two and three hops to its sink; `misuse_unseen` of them route it through an account that
    the lender does not see. DOMAIN's assumptions for misuse (2 to 8 % of borrowers) are there to be varied.

    Raises:
        InvalidInput: a share outside its range, hops that do not sum to one, or a pace that is not positive.
    """

    currency: str = "CNY"
    applications_per_year: float = 6.0
    shopping_per_month: float = 1.8
    backfill_months: int = 3
    seen: float = 0.85
    thin_file: float = 0.12
    bureau_outage: float = 0.004
    onset: float = 0.0185
    misuse: float = 0.04
    misuse_hops: tuple[float, float, float] = (0.4, 0.4, 0.2)
    misuse_unseen: float = 0.25
    unlabelled: float = 0.30
    investors: float = 0.02
    gamblers: float = 0.04
    shuttlers: float = 0.04
    ring: float = 0.003
    shock: Shock | None = None

    def __post_init__(self) -> None:
        shares = {
            "seen": 1.0,
            "thin_file": 1.0,
            "bureau_outage": 1.0,
            "onset": 0.2,
            "misuse": 0.2,
            "misuse_unseen": 1.0,
            "unlabelled": 1.0,
            "investors": 0.2,
            "gamblers": 0.5,
            "shuttlers": 0.2,
            "ring": 0.05,
        }
        for name, most in shares.items():
            if not 0.0 <= getattr(self, name) <= most:
                raise InvalidInput.field(f"settings.{name}", getattr(self, name), f"a share from 0 to {most}")
        for name in ("applications_per_year", "shopping_per_month"):
            if not 0.0 < getattr(self, name) <= 300.0:
                raise InvalidInput.field(f"settings.{name}", getattr(self, name), "a pace above 0, up to 300")
        if not 0 <= self.backfill_months <= 12:
            raise InvalidInput.field("settings.backfill_months", self.backfill_months, "months from 0 to 12")
        if abs(sum(self.misuse_hops) - 1.0) > 1e-9 or min(self.misuse_hops) < 0.0:
            raise InvalidInput.field(
                "settings.misuse_hops", list(self.misuse_hops), "three shares that sum to 1"
            )
