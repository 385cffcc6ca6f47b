"""The API's description says what the API does."""

import json
import re

import pytest

from obligor.app.wire import EVENT_BODIES
from obligor.kernel import InvariantBroken
from obligor.web.access import API, PUBLIC
from obligor.web.openapi import describe


@pytest.fixture(scope="module")
def described():
    return json.loads(describe(API, API))


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_is_served_to_everybody(client, described):
    client.headers.pop("authorization")
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == described
    assert described["openapi"].startswith("3.1.")


def test_every_served_route_is_in_it_and_no_other(described):
    said = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert said == set(API)


def test_a_route_that_it_does_not_know_stops_the_start():
    with pytest.raises(InvariantBroken, match="/v1/new"):
        describe([("GET", "/v1/new")], {("GET", "/v1/new"): "read"})


def test_every_reference_leads_somewhere(described):
    found = set(references(described))
    assert found
    for reference in found:
        where = described
        for part in reference.removeprefix("#/").split("/"):
            where = where[part]


def test_requests_refuse_unknown_fields_in_the_description_too(described):
    schemas = described["components"]["schemas"]
    for name in ("ApplicationRequest", "DrawdownRequest", "EventRequest", "PersonRef"):
        assert schemas[name]["additionalProperties"] is False


def test_patterns_are_those_of_ecma_262(described):
    patterns = re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(described))
    assert patterns
    assert not [pattern for pattern in patterns if r"\A" in pattern or r"\Z" in pattern]


def test_each_type_of_event_is_described_with_its_body(described):
    content = described["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    each = content["application/json"]["schema"]["oneOf"]
    assert {one["properties"]["type"]["const"] for one in each} == set(EVENT_BODIES)
    assert "application/x-ndjson" in content


def test_every_refusal_is_described_as_a_problem(described):
    for path, item in described["paths"].items():
        for method, operation in item.items():
            refused = {status for status in operation["responses"] if status >= "400"}
            assert {"405", "500"} <= refused
            assert ({"401", "403"} <= refused) == (API[method.upper(), path] != PUBLIC)
            for status in refused:
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


def test_what_a_key_needs_is_said(described):
    for path, item in described["paths"].items():
        for method, operation in item.items():
            scope = API[method.upper(), path]
            assert operation.get("x-scope", PUBLIC) == scope
            assert ("security" in operation) == (scope != PUBLIC)
