"""A referral opens a case, and its answer names it: that is what an officer's events take."""

from tests.applicants import BUREAU, FIELDS


def decide(lender, **changes):
    """What the application of somebody with other fields is answered, once the bureau has told of them."""
    asked = lender.apply(person={"reference": f"cases-{changes}"}, fields={**FIELDS, **changes})
    body = {"application_id": asked["application_id"], "name": "bureau", "facts": BUREAU}
    return lender.event("source.answered", body, "2026-01-05T11:00:00+08:00")


def test_the_case_of_a_referral_is_assigned_and_closed_under_the_id_that_its_answer_told(lender):
    decided = decide(lender, months_employed=1)
    assert decided["outcome"] == "refer"
    case = {"case_id": decided["case_id"], "officer": "officer-07"}
    assert lender.event("case.assigned", case)["case_id"] == decided["case_id"]
    lender.event("case.closed", {**case, "outcome": "declined"})
    lender.event("case.closed", {**case, "outcome": "declined"}, status=409)


def test_who_is_approved_has_no_case(lender):
    decided = decide(lender)
    assert decided["outcome"] == "approve"
    assert "case_id" not in decided
