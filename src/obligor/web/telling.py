"""What an event or an alert says in a sentence: who and what first, the raw entry one click away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from obligor.app.views import AlertRow, EventRow, Reason
from obligor.web.wording import NONE, Words

__all__ = ["Chapter", "chapters", "headline", "tell"]

# A sentence for each type; the fields are those of the body, written for people.
SENTENCES: Mapping[str, str] = {
    "account.opened": "Account opened",
    "alert.cleared": "Alert cleared by {officer}: {disposition}",
    "alert.raised": "Alert: {kind}, {severity}",
    "application.decided": "Decided: {outcome}",
    "application.overridden": "Overridden by {officer}: {outcome}",
    "application.received": "Asked for {amount} over {term_months} months",
    "batch.decided": "{rows} cases decided at once by {strategy}",
    "cap.set": "Cap {cap} set to {limit}",
    "case.assigned": "Case given to {officer}",
    "case.closed": "Case closed by {officer}: {outcome}",
    "case.opened": "Case opened in the queue {queue}",
    "class.changed": "Class {five_tier}, stage {ifrs9_stage}, {days_past_due} days past due",
    "consent.granted": "Consent given: {purpose}",
    "consent.withdrawn": "Consent withdrawn: {purpose}",
    "contract.signed": "Contract signed",
    "day.closed": "Day {day} closed",
    "device.seen": "Device seen",
    "drawdown.decided": "Drawdown of {amount}: {outcome}",
    "drawdown.requested": "Drawdown of {amount} asked for",
    "fee.charged": "Fee of {amount} charged",
    "headroom.committed": "{amount} committed under {caps}",
    "headroom.released": "{amount} of headroom given back",
    "headroom.reserved": "{amount} reserved under {caps}",
    "loan.closed": "Closed: {why}",
    "loan.disbursed": "Disbursed {amount} at {rate} % over {term_months} months",
    "loan.written_off": "Written off: principal {principal}, interest {interest}, fees {fee}",
    "model.activated": "Model {name} scores from now on",
    "model.registered": "Model {name} {version} registered",
    "offer.accepted": "Offer accepted",
    "offer.expired": "Offer expired",
    "offer.made": "Offered {amount} at {rate} %",
    "party.registered": "Became known",
    "person.erased": "Erased: {classes}",
    "recovery.received": "Recovered {amount}, of which {cost} to the collector",
    "repayment.received": "Received {amount}: {allocation}",
    "repayment.reversed": "Payment of {amount} taken back",
    "source.answered": "Source {name} answered",
    "source.failed": "Source {name} could not answer",
    "strategy.activated": "Strategy {name} decides from now on",
    "strategy.published": "Strategy {name} {version} published",
    "transfer.posted": "Transfer {direction} of {amount}",
    "transfer.reversed": "Transfer taken back",
}

_ALLOCATED = (
    ("fee_minor", "fees {amount}"),
    ("interest_minor", "interest {amount}"),
    ("principal_minor", "principal {amount}"),
    ("excess_minor", "owed back {amount}"),
)


def tell(words: Words, event: EventRow) -> str:
    """One event in a sentence; its type where there is none, a dash for what can no longer be read."""
    sentence = SENTENCES.get(event.type)
    if sentence is None:
        return event.type
    fields: defaultdict[str, str] = defaultdict(lambda: NONE)
    currency = event.body.get("currency")
    for name, value in event.body.items():
        if name.endswith("_minor"):
            fields[name.removesuffix("_minor")] = words.money(value, currency)
        elif name.endswith("_bp"):
            fields[name.removesuffix("_bp")] = words.bp(value)
        elif name == "allocation" and isinstance(value, dict):
            fields[name] = _allocation(words, value, currency)
        elif name == "caps" and isinstance(value, list | tuple):
            fields[name] = ", ".join(words.cap(cap) for cap in value)
        elif isinstance(value, list | tuple):
            fields[name] = ", ".join(words.value(str(item)) for item in value)
        elif value is not None:
            fields[name] = words.value(str(value))
    return words.say(sentence).format_map(fields)


def _allocation(words: Words, allocation: Mapping[str, int], currency: str | None) -> str:
    parts = [
        words.say(text).format(amount=words.money(allocation[name], currency))
        for name, text in _ALLOCATED
        if allocation.get(name)
    ]
    return ("，" if words.zh else ", ").join(parts) or NONE


def headline(words: Words, alert: AlertRow) -> str:
    """An alert in a line: what was seen, never what it means."""
    amount = words.money(alert.amount_minor, alert.currency)
    if alert.kind == "fund_use":
        place = words.pick(alert.class_en, alert.class_zh) or words.value(
            alert.counterparty_class or "unknown"
        )
        if alert.of_minor is None:
            return words.say("{amount} reached: {place}").format(amount=amount, place=place)
        whole = words.money(alert.of_minor, alert.currency)
        return words.say("{amount} of {whole} reached: {place}").format(
            amount=amount, whole=whole, place=place
        )
    kind = words.word(alert.kind)
    if alert.days_past_due:
        return words.say("{kind}: {days} days past due").format(
            kind=kind, days=words.count(alert.days_past_due)
        )
    if alert.amount_minor is not None:
        return words.say("{kind}: {amount} outstanding").format(kind=kind, amount=amount)
    return kind


def reason(words: Words, given: Reason | None) -> str:
    """A reason's text in the page's language."""
    return NONE if given is None else words.pick(given.en, given.zh)


class Chapter(msgspec.Struct, frozen=True):
    """Events of a loan's life that belong together, newest first. `mark` is good, bad or empty."""

    title: str
    mark: str
    events: tuple[EventRow, ...]
    first: datetime
    last: datetime


# Which part of a life a type belongs to, and how that part is marked.
_PARTS: Mapping[str, tuple[str, str]] = {
    "account.opened": ("Accounts and transfers", ""),
    "alert.cleared": ("Alerts and class", "bad"),
    "alert.raised": ("Alerts and class", "bad"),
    "case.assigned": ("Alerts and class", "bad"),
    "case.closed": ("Alerts and class", "bad"),
    "case.opened": ("Alerts and class", "bad"),
    "class.changed": ("Alerts and class", "bad"),
    "drawdown.decided": ("Drawdown", ""),
    "drawdown.requested": ("Drawdown", ""),
    "headroom.committed": ("Drawdown", ""),
    "loan.closed": ("Closed", "good"),
    "loan.disbursed": ("Drawdown", ""),
    "loan.written_off": ("Written off and recovered", "bad"),
    "recovery.received": ("Written off and recovered", "bad"),
    "repayment.received": ("Payments", "good"),
    "repayment.reversed": ("Payments", "good"),
    "transfer.posted": ("Accounts and transfers", ""),
    "transfer.reversed": ("Accounts and transfers", ""),
}


def chapters(events: Iterable[EventRow]) -> list[Chapter]:
    """Neighbouring events of one part of a life, newest part first."""
    groups: list[tuple[tuple[str, str], list[EventRow]]] = []
    for event in events:
        part = _PARTS.get(event.type, ("Application and contract", ""))
        if groups and groups[-1][0] == part:
            groups[-1][1].append(event)
        else:
            groups.append((part, [event]))
    return [
        Chapter(title, mark, tuple(found), min(e.at for e in found), max(e.at for e in found))
        for (title, mark), found in groups
    ]


def written(words: Words, value: Any) -> str:
    """A value of a body, for a table of fields."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return words.say("yes") if value else words.say("no")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int):
        return words.count(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
