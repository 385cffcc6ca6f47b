"""Events, histories and catalogues that the tests of features share."""

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from obligor.events import (
    Allocation,
    ApplicationReceived,
    ClassChanged,
    DeviceSeen,
    FeeCharged,
    Instalment,
    LoanClosed,
    LoanDisbursed,
    RepaymentReceived,
    RepaymentReversed,
    TransferPosted,
    TransferReversed,
)
from obligor.features import Between, Catalogue, Feature, Other, Texts, load
from obligor.kernel import Body, Event

PERSON = "person-1"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
# Compiled once per checkout, like bytecode.
CACHE = Path(__file__).resolve().parents[2] / ".pytest_cache" / "kernels"


def event(
    known_seq: int,
    at: datetime,
    body: Body,
    *,
    subjects: tuple[str, ...] = (PERSON,),
    replaces: int | None = None,
    erased: Iterable[str] = (),
) -> Event:
    """An event of the journal; its id follows from its place, and `replaces` is a place too."""
    return Event(
        id=f"event-{known_seq}",
        tenant="t",
        stream="s",
        stream_version=1,
        subjects=subjects,
        type=body.TYPE,
        schema=body.SCHEMA,
        at=at,
        recorded_at=at,
        known_seq=known_seq,
        source="test",
        source_ref=None,
        actor="test",
        cause=None,
        replaces=None if replaces is None else f"event-{replaces}",
        body=body,
        erased=frozenset(erased),
    )


def repayment(amount_minor: int, loan: str = "loan-1", currency: str = "CNY") -> RepaymentReceived:
    return RepaymentReceived(
        loan_id=loan,
        amount_minor=amount_minor,
        currency=currency,
        value_on=NOW.date(),
        allocation=Allocation(),
    )


def repayment_reversed(amount_minor: int, loan: str = "loan-1", currency: str = "CNY") -> RepaymentReversed:
    return RepaymentReversed(
        loan_id=loan,
        amount_minor=amount_minor,
        currency=currency,
        value_on=NOW.date(),
        allocation=Allocation(),
    )


def transfer(
    amount_minor: int,
    direction: str | None = "out",
    counterparty: str | None = "shop-1",
    label: str | None = None,
    currency: str = "CNY",
) -> TransferPosted:
    return TransferPosted(
        account_id="account-1",
        transfer_id="t",
        direction=direction,
        amount_minor=amount_minor,
        currency=currency,
        counterparty=counterparty,
        counterparty_class=label,
    )


def transfer_reversed() -> TransferReversed:
    return TransferReversed(account_id="account-1", transfer_id="t")


def application(
    amount_minor: int = 1, product: str = "cash", channel: str = "app", device: str | None = None
) -> Body:
    return ApplicationReceived(
        application_id="a",
        person_id=PERSON,
        product=product,
        channel=channel,
        amount_minor=amount_minor,
        currency="CNY",
        term_months=12,
        device_id=device,
    )


def device(name: str | None, platform: str | None = None) -> DeviceSeen:
    return DeviceSeen(person_id=PERSON, device_id=name, platform=platform)


def disbursed(loan: str, day: date, dues: int, each_minor: int, currency: str = "CNY") -> LoanDisbursed:
    """A loan with an instalment every 30 days, of which a tenth is interest."""
    interest = each_minor // 10
    schedule = tuple(
        Instalment(
            number=number,
            due_on=day + DAY * 30 * number,
            principal_minor=each_minor - interest,
            interest_minor=interest,
        )
        for number in range(1, dues + 1)
    )
    return LoanDisbursed(
        loan_id=loan,
        application_id="a",
        person_id=PERSON,
        product="instalment",
        amount_minor=sum(line.principal_minor for line in schedule),
        currency=currency,
        rate_bp=1200,
        term_months=dues,
        day_count="30/360",
        disbursed_on=day,
        schedule=schedule,
        caps=(),
    )


def closed(loan: str, day: date) -> LoanClosed:
    return LoanClosed(loan_id=loan, closed_on=day, why="paid")


def fee(amount_minor: int, kind: str = "late", loan: str = "loan-1") -> FeeCharged:
    return FeeCharged(
        loan_id=loan, amount_minor=amount_minor, currency="CNY", kind=kind, charged_on=NOW.date()
    )


def classed(days_past_due: int, tier: str = "special_mention", loan: str = "loan-1") -> ClassChanged:
    return ClassChanged(
        loan_id=loan,
        on=NOW.date(),
        days_past_due=days_past_due,
        five_tier=tier,
        ifrs9_stage=1,
        non_performing=False,
        strategy="s 1",
        strategy_sha256="0",
    )


def some_loan_body(r: random.Random, at: datetime) -> Body:
    loan = f"loan-{r.randrange(3)}"
    match r.randrange(5):
        case 0 | 1:
            return disbursed(
                loan, at.date(), r.randrange(13), r.randrange(10**6), r.choice(["CNY", "CNY", "USD"])
            )
        case 2:
            return closed(loan, at.date())
        case 3:
            return fee(r.randrange(10**4), r.choice(["late", "service"]), loan)
        case _:
            return classed(r.choice([0, 1, 29, 30, 31, 90, 120]), r.choice(["normal", "loss"]), loan)


def some_body(r: random.Random) -> Body:
    match r.randrange(8):
        case 0 | 1:
            return repayment(r.randrange(10**6), f"loan-{r.randrange(3)}", r.choice(["CNY", "CNY", "USD"]))
        case 2 | 3 | 4:
            return transfer(
                r.randrange(10**6),
                r.choice(["in", "out"]),
                r.choice([None, *(f"shop-{i}" for i in range(6))]),
                r.choice([None, "gambling", "salary", "loan_repayment", "crypto_exchange", "shop"]),
                r.choice(["CNY", "CNY", "CNY", "USD"]),
            )
        case 5:
            return application(
                r.randrange(10**6), r.choice(["cash", "card"]), "app", r.choice([None, "phone-9"])
            )
        case _:
            return device(
                r.choice([None, "phone-1", "phone-2", "tablet"]), r.choice([None, "ios", "android"])
            )


def life(seed: int, length: int, *, days: int = 400, gone: bool = True, loans: float = 0.2) -> list[Event]:
    """A person's events in the journal's order: some are late, some take back others, some are erased.

    Many happen at the same moment or exactly at the edge of a window.
    """
    r = random.Random(seed)
    events: list[Event] = []
    taken: set[int] = set()
    for known_seq in range(length):
        at = NOW - r.choice([DAY * r.randrange(days), timedelta(seconds=r.randrange(days * 86_400))])
        earlier = [
            e
            for e in events
            if e.known_seq not in taken
            and e.type in ("repayment.received", "transfer.posted", "loan.disbursed")
        ]
        if earlier and r.random() < 0.15:
            target = r.choice(earlier)
            taken.add(target.known_seq)
            if r.random() < 0.3:
                body: Body = (
                    transfer(r.randrange(10**6))
                    if target.type == "transfer.posted"
                    else repayment(r.randrange(10**6))
                )
            elif target.type == "transfer.posted":
                body = transfer_reversed()
            elif target.type == "loan.disbursed":
                body = disbursed("loan-1", at.date(), 6, r.randrange(10**6))
            else:
                body = repayment_reversed(target.body.amount_minor)
            events.append(event(known_seq, at, body, replaces=target.known_seq))
        else:
            erased = ["conduct"] if gone and r.random() < 0.1 else []
            body = some_loan_body(r, at) if r.random() < loans else some_body(r)
            events.append(event(known_seq, at, body, erased=erased))
    return events


def feature(**changes: Any) -> Feature:
    fields: dict[str, Any] = {
        "source": "transfer",
        "aggregation": "count",
        "window_days": 30,
        "empty": 0,
        "unit": "count",
        "description": Texts(en="x", zh="x"),
    }
    return Feature(**(fields | changes))


@cache
def starter() -> Catalogue:
    return load("packs/features/starter.yaml", cache_dir=CACHE)


@cache
def lending() -> Catalogue:
    return load("packs/features/lending.yaml", cache_dir=CACHE)


@cache
def wide() -> Catalogue:
    """Every aggregation, filter, window and kind of empty value there is, over more than one function."""
    money: dict[str, Any] = {"key": "amount_minor", "unit": "minor"}
    features: dict[str, Feature] = {}
    for source in ("repayment", "transfer", "application"):
        for days in (1, 90, None):
            tag = f"{source}_{days or 'ever'}"
            features[f"sum_{tag}"] = feature(source=source, aggregation="sum", window_days=days, **money)
            features[f"mean_{tag}"] = feature(
                source=source, aggregation="mean", window_days=days, empty=None, scale=2, **money
            )
    for name in ("max", "min", "last", "first"):
        features[f"{name}_in"] = feature(aggregation=name, filter={"direction": "in"}, empty=None, **money)
        features[f"{name}_ever"] = feature(aggregation=name, window_days=None, empty=-1, **money)
    for days in (1, 30, 365, None):
        tag = days or "ever"
        features[f"shops_{tag}"] = feature(aggregation="distinct", key="counterparty", window_days=days)
        features[f"labels_{tag}"] = feature(
            aggregation="distinct",
            key="counterparty_class",
            window_days=days,
            filter={"direction": ["out"]},
            empty=7,
        )
        features[f"since_{tag}"] = feature(
            source="device", aggregation="days_since", window_days=days, empty=None, unit="days", scale=1
        )
    features["since_first"] = feature(
        source="application", aggregation="days_since_first", window_days=None, empty=9999, unit="days"
    )
    features["unlabelled"] = feature(filter={"counterparty_class": None})
    features["labelled"] = feature(
        filter={"counterparty_class": [None, "gambling", "salary"], "direction": "in"}
    )
    features["large"] = feature(filter={"amount_minor": Between(at_least=500_000)})
    features["middle"] = feature(
        filter={"amount_minor": Between(at_least=1_000, at_most=500_000)}, empty=None
    )
    features["sum_or_none"] = feature(
        aggregation="sum", filter={"counterparty_class": "salary"}, window_days=2, empty=None, **money
    )
    features["platforms"] = feature(source="device", aggregation="distinct", key="platform", window_days=30)
    features["phones"] = feature(source="device", filter={"device": ["phone-1", "phone-9"]}, window_days=90)
    features["cards"] = feature(source="application", filter={"product": "card"}, window_days=365)
    features["loan"] = feature(source="repayment", filter={"loan": "loan-2"}, window_days=365)
    features["due_90"] = feature(source="due", aggregation="sum", window_days=90, **money)
    features["paid_to_due"] = feature(
        source="repayment",
        aggregation="sum",
        window_days=90,
        key="amount_minor",
        unit="ratio",
        empty=None,
        scale=4,
        per=Other(source="due"),
    )
    features["last_to_mean"] = feature(
        aggregation="last",
        window_days=None,
        key="amount_minor",
        unit="ratio",
        scale=3,
        empty=-5,
        per=Other(aggregation="min", window_days=30),
    )
    features["net"] = feature(
        aggregation="sum",
        window_days=30,
        filter={"direction": "in"},
        less=Other(filter={"direction": "out"}),
        **{**money, "empty": None},
    )
    features["largest_less_first"] = feature(
        aggregation="max", window_days=90, less=Other(aggregation="first", window_days=None), **money
    )
    features["slope"] = feature(aggregation="trend", window_days=180, periods=6, **money)
    features["counts_slope"] = feature(aggregation="trend", window_days=90, periods=3, scale=2, empty=None)
    features["days"] = feature(aggregation="distinct", key="day", window_days=30, empty=None)
    features["worst"] = feature(
        source="class", aggregation="max", key="days_past_due", unit="days", window_days=365, empty=-1
    )
    features["bad"] = feature(
        source="class", window_days=None, filter={"days_past_due": Between(at_least=30), "five_tier": "loss"}
    )
    features["late_fees"] = feature(source="fee", window_days=None, filter={"kind": "late"})
    features["never"] = feature(filter={"counterparty_class": "never seen"}, window_days=None)
    return Catalogue("wide", 1, features, cache_dir=CACHE)
