"""Sixty-four who send the same at the same moment under one key get one decision, and the same bytes."""

import json

import pytest

from tests.app.conftest import application, either_store
from tests.app.crowd import bursts, request
from tests.applicants import BUREAU, FIELDS

CROWD = 64
store = either_store
COUNTS = [20, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]


def body_of(number, **changes):
    asked = application(
        person={"reference": f"crowd-{number}"}, fields={**FIELDS, **BUREAU}, amount_minor=900_000, **changes
    )
    return json.dumps(asked).encode()


def sent(lender, number, **changes):
    """One attempt, as it goes over the wire."""
    named = {"idempotency_key": f'"attempt-{number}"'}
    return request("/v1/applications", lender.token, body_of(number, **changes), **named)


def port_of(lender):
    return int(lender.url.rpartition(":")[2])


def decided(lender):
    lender.settle()
    return lender.get("/v1/summary")["decisions"]


@pytest.mark.parametrize("rounds", COUNTS)
def test_one_key_at_once_is_one_decision_and_equal_bytes(lender, rounds):
    before = decided(lender)
    answers = bursts(port_of(lender), ([sent(lender, number)] * CROWD for number in range(rounds)))
    for each in answers:
        assert {status for status, _ in each} == {201}
        assert len({body for _, body in each}) == 1
    whole = {each[0][1] for each in answers}
    assert len(whole) == rounds, "two attempts got one answer"
    assert decided(lender) == before + rounds
    later = bursts(port_of(lender), [[sent(lender, number)] for number in range(0, rounds, 7)])
    assert [again for ((_, again),) in later] == [answers[number][0][1] for number in range(0, rounds, 7)]


@pytest.mark.parametrize("rounds", COUNTS)
def test_of_two_bodies_under_one_key_one_is_decided_and_every_other_is_422(lender, rounds):
    before = decided(lender)

    def both(number):
        one, other = sent(lender, number), sent(lender, number, term_months=6)
        return [one, other] * (CROWD // 2)

    for each in bursts(port_of(lender), (both(number) for number in range(rounds))):
        first, second = each[0::2], each[1::2]
        won, lost = (first, second) if first[0][0] == 201 else (second, first)
        assert {status for status, _ in won} == {201}
        assert len({body for _, body in won}) == 1
        assert {status for status, _ in lost} == {422}
        assert {json.loads(body)["code"] for _, body in lost} == {"idempotency-key-reused"}
    assert decided(lender) == before + rounds


def test_the_control_without_a_key_decides_every_time(lender):
    """What the tests above would see if keys meant nothing."""
    before = decided(lender)
    plain = request("/v1/applications", lender.token, body_of(1))
    (answers,) = bursts(port_of(lender), [[plain] * CROWD])
    assert {status for status, _ in answers} == {201}
    assert len({body for _, body in answers}) == CROWD
    assert decided(lender) == before + CROWD
