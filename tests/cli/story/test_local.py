"""The lender in this process answers as the API does, commits together, and waits for what follows."""

from __future__ import annotations

import asyncio
import json

import pytest

from obligor.cli.story.local import Lender
from obligor.client import ApiError
from tests.app.conftest import application
from tests.conftest import ROOT

SETTINGS = {"label": "Simulated data", "future_days_most": 36_500}


@pytest.fixture(scope="module")
def lender():
    with Lender(SETTINGS) as made:
        table = json.loads((ROOT / "tests/contract/scorecard.json").read_bytes())
        use(made, lambda client: client.post("/v1/models", {"version": "1", "model": table}))
        yield made


def use(lender, *steps):
    """What each step answers, or the error that it ends with."""

    async def run():
        found = []
        async with lender.client() as client:
            for step in steps:
                try:
                    found.append(await step(client))
                except ApiError as error:
                    found.append(error)
        return found

    return asyncio.run(run())


def test_one_key_is_one_application_and_another_body_under_it_is_refused(lender):
    first, again, other = use(
        lender,
        lambda client: client.apply(application(), "key-1"),
        lambda client: client.apply(application(), "key-1"),
        lambda client: client.apply(application(amount_minor=1_300_000), "key-1"),
    )
    assert first == again
    assert (other.status, other.code) == (422, "idempotency-key-reused")


def test_a_refusal_is_the_apis_with_what_was_wrong(lender):
    (here,) = use(lender, lambda client: client.apply(application(product="nothing", currency="EURO")))
    (there,) = use(
        lender,
        lambda client: client.post("/v1/applications", application(product="nothing", currency="EURO")),
    )
    assert here.status == there.status == 422
    assert here.violations == there.violations
    assert str(here) == str(there)


def test_an_event_is_answered_in_its_place_though_another_is_refused(lender):
    def line(ref, cap):
        body = {"cap": cap, "limit_minor": 5, "currency": "CNY"}
        return {"type": "cap.set", "source": "t", "source_ref": ref, "body": body}

    lines = [line("a", "product/one"), line("b", "nonsense"), line("a", "product/one")]
    (answers,) = use(lender, lambda client: client.events(lines))
    assert [one["status"] for one in answers] == ["accepted", "refused", "duplicate"]
    assert [one["line"] for one in answers] == [1, 2, 3]


def test_everything_else_is_asked_of_the_web_application(lender):
    summary, nothing = use(
        lender, lambda client: client.get("/v1/summary"), lambda client: client.get("/v1/loans/x")
    )
    assert summary["zone"] == "Asia/Shanghai"
    assert nothing.status == 404


def test_what_is_asked_together_is_committed_in_few_groups(lender):
    def checkpoints():
        return len(list(lender.service.journal.reader().checkpoints("main")))

    before = checkpoints()
    (answers,) = use(
        lender,
        lambda client: client.together(
            client.apply(application(person={"reference": f"together-{n}"})) for n in range(64)
        ),
    )
    assert len({one["application_id"] for one in answers}) == 64
    assert checkpoints() - before < 32


def test_a_days_close_is_answered_when_all_that_follows_is_written(lender):
    event = {"type": "day.closed", "source": "t", "source_ref": "close", "body": {"day": "2026-01-31"}}

    async def close(client):
        await client.events([event])
        return lender.service.behind()

    assert use(lender, close) == [0]


def test_a_kept_lender_can_be_opened_again_by_its_settings(tmp_path):
    from obligor.app.service import Service
    from obligor.app.settings import load

    with Lender({**SETTINGS, "lender": "Kept"}, tmp_path / "kept") as made:
        use(made, lambda client: client.apply(application(), "key-1"))
        size = made.service.journal.size("main")
    service = Service(tmp_path / "kept", load(tmp_path / "kept", {}))
    try:
        assert service.settings.lender == "Kept"
        assert service.journal.size("main") == size
    finally:
        service.close()
