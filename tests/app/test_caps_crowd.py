"""No cap is exceeded by a crowd, and none refuses what it has room for, while the server is killed."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from obligor.app.opened import Opened
from obligor.events import (
    ApplicationReceived,
    CapSet,
    DrawdownDecided,
    DrawdownRequested,
    HeadroomReleased,
    LoanDisbursed,
)
from tests.app.capped import CAP_MINOR, FILL_MINOR, Crowd, founded
from tests.app.test_crowds import drawable
from tests.applicants import BUREAU, FIELDS
from tests.simulation.model_money import Caps
from tests.simulation.violation import Violated

TENANT = "main"
WANTS_ROOM = "D11"
AT = "2026-01-06T11:00:00+08:00"


def slow(*given):
    return pytest.param(*given, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])


@pytest.mark.parametrize(
    ("store", "pairs", "operations", "kills"),
    [("sqlite", 3, 400, 1), slow("sqlite", 24, 10_000, 12), slow("postgresql", 24, 10_000, 12)],
)
def test_no_cap_is_exceeded_and_none_is_left_with_room(
    tmp_path, scorecard, store, pairs, operations, kills, request
):
    url = request.getfixturevalue("database") if store == "postgresql" else ""
    lender = founded(tmp_path / "data", scorecard, url, pairs)
    crowd = Crowd(lender, operations, kills)
    asyncio.run(crowd.run())
    assert crowd.cut >= kills, "nobody was in the middle of anything when the server was killed"
    with contextlib.closing(Opened.at(lender.data)) as opened:
        events = list(opened.reader.events(TENANT))
        caps = followed(events)
        check_book(opened.reader, caps)
    check_answers(events, crowd)
    check_full(caps, crowd)
    # The control: had the limits been a little lower, the same run would have exceeded them.
    with pytest.raises(Violated):
        followed(events, of_limit=0.8)


def followed(events, of_limit=1.0):
    """The caps, seen to hold after every event, and each refusal for want of room to have been right."""
    caps = Caps()
    wanted = {}
    for event in events:
        body = event.body
        caps.apply(event)
        if isinstance(body, CapSet):
            caps.limits[body.cap] = int(body.limit_minor * of_limit)
        elif isinstance(body, DrawdownRequested):
            wanted[body.drawdown_id] = body
        elif isinstance(body, DrawdownDecided) and WANTS_ROOM in body.reasons:
            names = (f"partner/{wanted[body.drawdown_id].partner}", f"obligor/{body.person_id}")
            room = min(caps.limits[cap] - caps.use[cap] for cap in (*names, "product/instalment"))
            assert of_limit < 1 or body.amount_minor > room, "a cap refused what it had room for"
    return caps


def check_answers(events, crowd):
    """Each request was done once, where its answer says, however often it was sent; and some room expired."""
    for answer in crowd.answers:
        assert events[answer["known_seq"]].id == answer["event_id"], "an answer speaks of what is not there"
    drawn = sum(isinstance(event.body, DrawdownRequested) for event in events)
    assert drawn == sum("drawdown_id" in answer for answer in crowd.answers), "a drawdown is there twice"
    lines = len(crowd.lender.lines)
    received = sum(isinstance(event.body, ApplicationReceived) for event in events) - lines
    assert received == sum("person_id" in answer for answer in crowd.answers), "an application is there twice"
    released = [event.body.why for event in events if isinstance(event.body, HeadroomReleased)]
    assert released.count("expired") > lines


def check_book(reader, caps):
    """What the caps show is the sum of what is set aside and of the loans in the book."""
    rows = reader.query("SELECT * FROM p_cap WHERE tenant = ?", (TENANT,))
    assert {row["cap"] for row in rows} >= set(caps.limits)
    loans = reader.query("SELECT loan_id, principal_minor FROM p_loan WHERE tenant = ?", (TENANT,))
    left = {row["loan_id"]: row["principal_minor"] for row in loans}
    under = {
        event.body.loan_id: event.body.caps for event in reader.events(TENANT, types=(LoanDisbursed.TYPE,))
    }
    assert set(under) == set(left) == set(caps.lent), "every loan that was committed was paid out"
    for row in rows:
        reserved, committed = caps.sums(row["cap"])
        assert (row["reserved_minor"], row["committed_minor"]) == (reserved, committed)
        assert committed == sum(left[loan] for loan, names in under.items() if row["cap"] in names)


def check_full(caps, crowd):
    """Where a person and a partner were refused more for want of room, a cap of theirs is full.

    Who is in arrears is refused for that: their caps may be left with room that nobody may have.
    """
    assert CAP_MINOR - FILL_MINOR >= 0.95 * CAP_MINOR
    full = {cap for cap in caps.limits if caps.use[cap] >= 0.95 * caps.limits[cap]}
    wanted = [pair for pair, codes in crowd.ended.items() if WANTS_ROOM in codes]
    assert len(crowd.ended) == len(crowd.lender.lines) ** 2
    assert wanted, "nobody asked for more than there was room for"
    for person, partner in wanted:
        assert full & {f"partner/{partner}", f"obligor/{person}", "product/instalment"}, (person, partner)
    print(f"{len(full)} caps full, {len(wanted)} of {len(crowd.ended)} pairs refused for want of room")


def test_an_override_under_a_cap_lowered_below_its_use_is_refused(lender):
    """What the override gives back is room only as far as the cap fits again."""
    application_id = drawable(lender, 1, 1_200_000)
    lender.draw(application_id=application_id, amount_minor=1_200_000, currency="CNY", at=AT)
    cap = {"cap": "product/instalment", "currency": "CNY"}
    lender.event("cap.set", {**cap, "limit_minor": 1_300_000}, AT)
    fields = {**FIELDS, **BUREAU}
    decided = lender.apply(person={"reference": "other"}, amount_minor=900_000, fields=fields, at=AT)
    assert (decided["outcome"], decided["limit_minor"]) == ("approve", 100_000)
    lender.event("cap.set", {**cap, "limit_minor": 1_250_000}, AT)
    by = {"officer": "o-1", "authority": "committee", "reason_code": "R1"}
    terms = {"outcome": "approve", "rate_bp": 1_000, "term_months": 12}
    told = {"application_id": decided["application_id"], **by, **terms}
    refused = lender.event("application.overridden", {**told, "limit_minor": 90_000}, AT, status=422)
    assert "at most 50000" in refused["violations"][0]["accepted"]
    lender.event("application.overridden", {**told, "limit_minor": 50_000}, AT)
