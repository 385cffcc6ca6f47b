"""The server does what the description that it serves says, whatever is sent: schemathesis, all checks on."""

import copy

import pytest

from tests.contract.conftest import either_store_at_length
from tests.contract.driving import PLAIN, Run, check, loaded, narrowed

__all__ = ["either_store_at_length"]


@pytest.mark.parametrize("name", PLAIN)
def test_every_answer_is_as_described(lender, stock, described, name):
    check(lender, stock, described, name, 25, covered=name.startswith("GET"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PLAIN)
def test_every_answer_is_as_described_at_length(lender, stock, described, name):
    check(lender, stock, described, name, 500, covered=True)


@pytest.mark.parametrize("count", [5, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_what_an_answer_names_can_be_asked_for(lender, stock, described, count):
    off = {"enabled": False}
    described = copy.deepcopy(described)
    del described["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/x-ndjson"]
    phases = {"examples": off, "coverage": off, "fuzzing": off, "stateful": {"enabled": True}}
    run = Run(loaded(lender, described, count, **phases), stock)
    print(*run.followed.items(), sep="\n")
    assert not run.wrong, "\n\n".join(run.wrong[:5])
    assert run.followed


def lie_about_answers(operation, schemas):
    del operation["responses"]["422"]
    operation["responses"]["200"]["headers"]["X-Promised"] = {"required": True, "schema": {"type": "string"}}
    schemas["Loan"]["properties"]["loan_id"] = {"type": "integer"}


def lie_about_requests(operation, schemas):
    sent = schemas["DrawdownRequest"]["properties"]
    sent["amount_minor"] = {"type": "integer", "minimum": 1, "maximum": 9}
    sent["partner"] = {"type": "string"}


def lie_about_media_types(operation, schemas):
    content = operation["responses"]["200"]["content"]
    content["text/plain"] = content.pop("application/json")


@pytest.mark.parametrize(
    ("name", "lie", "found"),
    [
        (
            "GET /v1/loans/{loan_id}",
            lie_about_answers,
            {"Undocumented status code", "Missing required response headers", "Response violates schema"},
        ),
        (
            "POST /v1/drawdowns",
            lie_about_requests,
            {"Schema-valid request rejected", "Schema-violating request accepted"},
        ),
        ("GET /v1/summary", lie_about_media_types, {"Undocumented Content-Type"}),
    ],
)
def test_the_control_a_description_that_lies_is_found_out(lender, stock, described, name, lie, found):
    document = copy.deepcopy(narrowed(described, name))
    (operations,) = document["paths"].values()
    (operation,) = operations.values()
    lie(operation, document["components"]["schemas"])
    run = Run(loaded(lender, document, 25), stock)
    assert found <= {wrong.partition("\n")[0] for wrong in run.wrong}
