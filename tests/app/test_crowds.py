"""Many at once: whatever the interleaving, some order of them explains every answer."""

from concurrent.futures import ThreadPoolExecutor

from tests.app.conftest import application, either_store
from tests.applicants import BUREAU

store = either_store


def drawable(lender, number, amount_minor):
    """An application that is approved, offered, accepted and signed."""
    asked = lender.apply(person={"reference": f"crowd-{number}"}, amount_minor=amount_minor)
    at = "2026-01-05T11:00:00+08:00"
    answer = {"application_id": asked["application_id"], "name": "bureau", "facts": BUREAU}
    decided = lender.event("source.answered", answer, at)
    assert decided["outcome"] == "approve", decided
    for kind, body in (
        ("offer.made", {}),
        ("offer.accepted", {}),
        ("contract.signed", {"contract_id": f"C-{number}", "document_sha256": "cd" * 32}),
    ):
        lender.event(kind, {"application_id": asked["application_id"], **body}, at)
    return asked["application_id"]


def test_sixty_four_drawdowns_of_two_percent_fill_a_partners_cap_and_never_exceed_it(lender):
    amount = 500_000
    ids = [drawable(lender, number, amount) for number in range(64)]
    limit = 50 * amount
    lender.event("cap.set", {"cap": "partner/P-02", "limit_minor": limit, "currency": "CNY"})

    def draw(application_id):
        return lender.draw(
            application_id=application_id,
            amount_minor=amount,
            currency="CNY",
            partner="P-02",
            at="2026-01-06T11:00:00+08:00",
        )["outcome"]

    with ThreadPoolExecutor(64) as crowd:
        outcomes = list(crowd.map(draw, ids))
    used = outcomes.count("release") * amount
    assert 0.95 * limit <= used <= limit
    assert outcomes.count("release") + outcomes.count("refuse") == 64
    (cap,) = [c for c in lender.get("/v1/overview")["caps"] if c["cap"] == "partner/P-02"]
    assert cap["committed_minor"] == used
    assert cap["reserved_minor"] == 0


def outcome_of(answer):
    return (
        answer["outcome"],
        answer["limit_minor"],
        answer["rate_bp"],
        tuple(r["code"] for r in answer["reasons"]),
    )


def test_sixty_four_applications_by_one_person_are_decided_as_in_some_order(tmp_path, scorecard):
    from tests.app.conftest import Lender

    crowd = Lender(tmp_path / "crowd", scorecard, reservation_days=30)
    alone = Lender(tmp_path / "alone", scorecard, reservation_days=30)
    try:
        for lender in (crowd, alone):
            lender.event("cap.set", {"cap": "obligor/*", "limit_minor": 3_000_000, "currency": "CNY"})
        # The bureau's facts come with the form here, so that each request is decided at once.
        amounts = [300_000 + 10_000 * number for number in range(64)]

        def ask(lender, amount):
            fields = {**application()["fields"], **BUREAU}
            return lender.apply(person={"reference": "one"}, amount_minor=amount, fields=fields)

        with ThreadPoolExecutor(64) as threads:
            answers = list(threads.map(lambda amount: (amount, ask(crowd, amount)), amounts))
        assert len({answer["person_id"] for _, answer in answers}) == 1
        in_order = sorted(answers, key=lambda pair: pair[1]["known_seq"])
        serial = [ask(alone, amount) for amount, _ in in_order]
        assert [outcome_of(answer) for _, answer in in_order] == [outcome_of(answer) for answer in serial]
        assert {answer["outcome"] for answer in serial} == {"approve", "decline"}
    finally:
        crowd.close()
        alone.close()


def test_one_idempotency_key_at_once_gives_one_decision_and_equal_bytes(lender):
    def post(_):
        return lender.http.post(
            "/v1/applications",
            json=application(person={"reference": "again"}),
            headers={"idempotency-key": "one-attempt"},
        )

    with ThreadPoolExecutor(32) as threads:
        responses = list(threads.map(post, range(32)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.content for response in responses}) == 1
    changed = lender.http.post(
        "/v1/applications",
        json=application(person={"reference": "again"}, term_months=6),
        headers={"idempotency-key": "one-attempt"},
    )
    assert changed.status_code == 422
    assert changed.json()["code"] == "idempotency-key-reused"
