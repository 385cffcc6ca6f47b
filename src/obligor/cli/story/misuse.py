"""How supervision of loan money fared: alerts against the truth, and beside them looking one hop far.

Everything here but the truth is what the lender itself saw: transfers on accounts it sees, and its alerts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from obligor.cli.story.summary import Funds
from obligor.funds import Classes

__all__ = ["FirstHop", "Supervision", "supervised"]

FIRST_HOP_DAYS = 90


class Paid(msgspec.Struct):
    """A loan's money on an account, and what has gone from there straight to prohibited counterparties."""

    loan_id: str
    on: date
    amount_minor: int
    sent_minor: dict[str, int] = {}


class FirstHop:
    """The baseline: what leaves the account that a loan was paid into, straight for a prohibited class.

    For `FIRST_HOP_DAYS` after the disbursement it sums what goes from that account to each prohibited
    counterparty, and alerts at the amounts at which the tracer does. `first` is the narrowest reading: only
    the very first transfer out counts.
    """

    def __init__(self, classes: Classes, currency: str) -> None:
        self._classes, self._currency = classes, currency
        self._paid: dict[str, list[Paid]] = defaultdict(list)
        self._fresh: dict[str, list[Paid]] = {}
        self.alerted: set[str] = set()
        self.first: set[str] = set()

    def disburse(self, loan_id: str, account: str, amount_minor: int, on: date) -> None:
        """Loan money arrives on an account that the lender sees."""
        paid = Paid(loan_id, on, amount_minor)
        self._paid[account].append(paid)
        self._fresh.setdefault(account, []).append(paid)

    def transfer(self, body: Mapping[str, Any], on: date) -> None:
        """A transfer that the lender sees."""
        if body["direction"] != "out":
            return
        account, fresh = body["account_id"], self._fresh.pop(body["account_id"], [])
        if self._classes.kind(body["counterparty_class"]) != "prohibited":
            return
        for paid in self._paid.get(account, ()):
            if (on - paid.on).days > FIRST_HOP_DAYS:
                continue
            sent = paid.sent_minor.get(body["counterparty"], 0) + body["amount_minor"]
            paid.sent_minor[body["counterparty"]] = sent
            if sent >= self._classes.least(paid.amount_minor, self._currency):
                self.alerted.add(paid.loan_id)
        for paid in fresh:
            if body["amount_minor"] >= self._classes.least(paid.amount_minor, self._currency):
                self.first.add(paid.loan_id)


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of borrowers beyond the summary's `funds`.

    `honest_alerted_first_hop` is what the baseline says of honest borrowers. `found_first_transfer` and
    `honest_alerted_first_transfer` are its narrowest reading's. `alerts` are alerts of misuse, `alerts_right`
    those on a loan that was misused. Shares are of misused loans: `two_hops_or_more`, money into a seen
    account (`first_hop_seen`), money seen at a sink (`sink_seen`); `unlabelled` is of all counterparties.
    """

    honest_alerted_first_hop: int
    found_first_transfer: int
    honest_alerted_first_transfer: int
    alerts: int
    alerts_right: int
    misused_loans: int
    two_hops_or_more: float
    first_hop_seen: float
    sink_seen: float
    unlabelled: float


def supervised(
    truth: Mapping[str, Any], alerted: Sequence[str], baseline: FirstHop
) -> tuple[Funds, Supervision]:
    """Join the truth with the loans that were alerted, once for each alert."""
    misuse = [trail for trail in truth["misuse"] if trail["moved_minor"]]
    misused = {trail["loan_id"] for trail in misuse}
    owner = {loan["loan_id"]: loan["person"] for loan in truth["loans"]}
    rings = {person["reference"] for person in truth["persons"] if person["ring"] is not None}
    misusers = {trail["person"] for trail in misuse}
    visible = {trail["loan_id"]: trail["person"] for trail in misuse if trail["visible_minor"]}
    honest = set(owner.values()) - misusers - rings

    def found(loans: Collection[str]) -> int:
        return len({person for loan, person in visible.items() if loan in loans})

    def wrong(loans: Collection[str]) -> int:
        return len({owner[loan] for loan in loans} & honest)

    loans = set(alerted)
    places = truth["counterparties"]
    share = 1.0 / max(1, len(misuse))
    return Funds(
        misusers=len(misusers),
        misusers_visible=len(set(visible.values())),
        found=found(loans),
        found_first_hop_baseline=found(baseline.alerted),
        honest_alerted=wrong(loans),
        honest_borrowers=len(honest),
    ), Supervision(
        honest_alerted_first_hop=wrong(baseline.alerted),
        found_first_transfer=found(baseline.first),
        honest_alerted_first_transfer=wrong(baseline.first),
        alerts=len(alerted),
        alerts_right=sum(loan in misused for loan in alerted),
        misused_loans=len(misuse),
        two_hops_or_more=round(share * sum(trail["hops"] > 1 for trail in misuse), 4),
        first_hop_seen=round(share * sum(trail["first_hop_seen"] for trail in misuse), 4),
        sink_seen=round(share * sum(trail["visible_minor"] > 0 for trail in misuse), 4),
        unlabelled=round(sum(place["label"] is None for place in places) / len(places), 4),
    )
