"""From a request that the schema allows to one that the lender can take: live ids, amounts that fit, days.

What a schema cannot say is put right, and nothing else: every field that was generated and may stay, stays.
"""

import copy
import re
from datetime import UTC, datetime

from tests.applicants import BUREAU, FIELDS
from tests.contract.stock import DAY

LATEST = "2026-08-01"
# Objects whose names are the strategy's.
FACTS = {"fields", "facts"}
# What the stock's own loans count under.
BINDING = ("obligor", "product")


def fitted(stock, path, body):
    """The body as the lender can take it; `path` is the operation's."""
    body = copy.deepcopy(body)
    if path != "/v1/events":
        WHOLE[path](stock, body)
        return body
    body.pop("at", None)
    body["source_ref"] = stock.new("ref")
    EVENTS[body["type"]](stock, body["body"])
    return body


def enlivened(body, spare):
    """A body that the schema forbids, with the ids of one that could be taken.

    It is to be refused for what is wrong with it: were its ids unknown, any server would refuse it.
    """
    if not isinstance(body, dict):
        return body
    found = {}
    for name, value in body.items():
        good = spare.get(name)
        if isinstance(value, dict) and isinstance(good, dict):
            found[name] = {**good, **value} if name in FACTS else enlivened(value, good)
        elif _is_id(name, value) and _is_id(name, good):
            found[name] = good
        else:
            found[name] = value
    return found


def _is_id(name, value):
    named = name.endswith("_id") or name in {"currency", "product", "name", "source_ref"}
    return named and isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._:/-]{1,128}", value) is not None


def _apply(stock, body):
    if not (body["person"].get("reference") or body["person"].get("national_id")):
        body["person"]["reference"] = stock.new("person")
    body.update(product="instalment", currency="CNY", amount_minor=min(body["amount_minor"], 10**12))
    body["fields"] = {**body.get("fields", {}), **FIELDS}
    _in_time(body, "at")


def _draw(stock, body):
    body.update(application_id=stock.kept("signed"), currency="CNY")
    _in_time(body, "at")


def _model(stock, body):
    body["model"] = stock.model


def _in_time(body, name):
    """No time a century ahead of the clock: that far is allowed by the settings, and no further."""
    if (body.get(name) or "") > f"{datetime.now(UTC).year + 99}":
        del body[name]


WHOLE = {
    "/v1/applications": _apply,
    "/v1/drawdowns": _draw,
    "/v1/models": _model,
    "/v1/audits": lambda stock, body: None,
    "/v1/replays": lambda stock, body: None,
}


def _with(**made):
    """Fields that are made anew for each request, from the name of what the stock has to make."""

    def fit(stock, body):
        for field, kind in made.items():
            body[field] = getattr(stock, kind)()

    return fit


def _kept(**made):
    """Fields with what the stock has already."""

    def fit(stock, body):
        for field, kind in made.items():
            body[field] = stock.kept(kind)

    return fit


def _account(stock, body):
    body.update(person_id=stock.kept("person"), account_id=stock.new("account"))


def _cap(stock, body):
    """A cap of its own: another one may have a limit in another currency, or bind the stock's loans."""
    kind, _, value = body["cap"].partition("/")
    kind = "partner" if kind in BINDING else kind
    body["cap"] = f"{kind}/{stock.new(value.strip('*')[:100])}"


def _offer(stock, body):
    body["application_id"] = stock.kept("decided")
    body["amount_minor"] = min(body.get("amount_minor") or 1, 100_000)
    if (body.get("expires_at") or "3") < f"{datetime.now(UTC).year + 1}":
        del body["expires_at"]


def _day(stock, body):
    body["day"] = stock.next_day().isoformat()


def _on(body, name):
    """A day on which the stock's loans are alive, or none."""
    if name in body and not DAY <= (body[name] or "") <= LATEST:
        del body[name]


def _fee(stock, body):
    body.update(loan_id=stock.kept("loan"), kind="late", currency="CNY")
    body["amount_minor"] = min(body["amount_minor"], 50_000)
    _on(body, "charged_on")


def _disbursed(stock, body):
    body["loan_id"] = stock.released()
    _on(body, "disbursed_on")
    body.pop("account_id", None)
    if body.get("shares"):
        body["shares"] = [{**body["shares"][0], "share_bp": 10_000}]
    if terms := body.get("historical_terms"):
        terms.update(rate_bp=terms["rate_bp"] % 3_600, term_months=terms["term_months"] % 60 + 1)


def _written_off(stock, body):
    body["loan_id"] = stock.loan()
    _on(body, "written_off_on")


def _recovered(stock, body):
    body.update(loan_id=stock.kept("written_off"), currency="CNY")
    body["cost_minor"] = min(body.get("cost_minor", 0), body["amount_minor"])
    body.pop("value_on", None)


def _repaid(stock, body):
    body.update(loan_id=stock.kept("loan"), currency="CNY", amount_minor=body["amount_minor"] % 10 + 1)
    body.pop("allocation", None)
    _on(body, "value_on")


def _taken_back(stock, body):
    body["loan_id"], body["event_id"] = stock.paid()


def _withdrawn(stock, body):
    body["person_id"], body["purpose"] = stock.consent()


def _answered(stock, body):
    body.update(application_id=stock.waiting(), name="bureau", facts={**body["facts"], **BUREAU})


def _failed(stock, body):
    body.update(application_id=stock.waiting(), name="bureau")


def _posted(stock, body):
    body.update(account_id=stock.kept("account"), transfer_id=stock.new("transfer"), currency="CNY")
    if body["counterparty"] == body["account_id"]:
        body["counterparty"] = "shop-1"


def _reversed(stock, body):
    body["account_id"], body["transfer_id"] = stock.transfer()


EVENTS = {
    "account.opened": _account,
    "alert.cleared": _with(alert_id="alert"),
    "application.overridden": _kept(application_id="disputed"),
    "cap.set": _cap,
    "case.assigned": _kept(case_id="case"),
    "case.closed": _with(case_id="case"),
    "consent.granted": _kept(person_id="person"),
    "consent.withdrawn": _withdrawn,
    "contract.signed": _with(application_id="accepted"),
    "day.closed": _day,
    "device.seen": _kept(person_id="person"),
    "fee.charged": _fee,
    "loan.disbursed": _disbursed,
    "loan.written_off": _written_off,
    "offer.accepted": _with(application_id="offered"),
    "offer.made": _offer,
    "person.erased": _with(person_id="person"),
    "recovery.received": _recovered,
    "repayment.received": _repaid,
    "repayment.reversed": _taken_back,
    "source.answered": _answered,
    "source.failed": _failed,
    "transfer.posted": _posted,
    "transfer.reversed": _reversed,
}
