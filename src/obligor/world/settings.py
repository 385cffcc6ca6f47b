"""How lively and how bad the simulated world is: every share and pace in one place."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from obligor.kernel import InvalidInput

__all__ = ["SMOKE", "Settings", "Shock"]


class Shock(msgspec.Struct, frozen=True):
    """A downturn: from one month of the world to another (counted from 0), hazards are `factor` as high."""

    first_month: int
    last_month: int
    factor: float


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Paces and shares of a world. Shares are fractions of one.

    `applications_per_year` is per person who has no loan yet. `seen` let the lender see their accounts: of
    the misused money so much is visible at its first hop. `misuse_hops` are the shares of misusers whose
    money takes one, two and three hops to its sink; `misuse_unseen` of them route it through an account that
    the lender does not see, and `unlabelled` places do not tell what they are, so that about 25 % of misuse
    is visible at the sink. These assumptions are there to be varied.

    `telling` says how finely accounts are told. `daily`: every bill and purchase. `monthly`: pay, and one
    payment for the month's living, while there is a loan; a person consents once, and an account is watched
    `watched_days` beyond a loan. `firms` is the share of the self-employed who apply for their firm, `lines`
    the share of applications for a revolving line, `reversals` the share of purchases that are taken back.

    Raises:
        InvalidInput: a share outside its range, hops that do not sum to one, or a pace that is not positive.
    """

    currency: str = "CNY"
    applications_per_year: float = 6.0
    shopping_per_month: float = 1.8
    backfill_months: int = 3
    telling: Literal["daily", "monthly"] = "daily"
    watched_days: int = 60
    seen: float = 0.60
    thin_file: float = 0.12
    bureau_outage: float = 0.004
    onset: float = 0.0178
    firms: float = 0.40
    lines: float = 0.15
    reversals: float = 0.006
    misuse: float = 0.04
    misuse_hops: tuple[float, float, float] = (0.37, 0.40, 0.23)
    misuse_unseen: float = 0.40
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
            "firms": 1.0,
            "lines": 0.8,
            "reversals": 0.2,
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
        if not 0 <= self.watched_days <= 365:
            raise InvalidInput.field("settings.watched_days", self.watched_days, "days from 0 to 365")
        if abs(sum(self.misuse_hops) - 1.0) > 1e-9 or min(self.misuse_hops) < 0.0:
            raise InvalidInput.field(
                "settings.misuse_hops", list(self.misuse_hops), "three shares that sum to 1"
            )


# The smoke world of 20,000 people and 24 months: few come in a month, and accounts are told by the month.
SMOKE: Final = Settings(
    applications_per_year=0.14, telling="monthly", watched_days=0, backfill_months=1, misuse=0.05, ring=0.001
)
