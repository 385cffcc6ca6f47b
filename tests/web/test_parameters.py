"""An address that takes no parameters says so, as the others name those that they take."""

import pytest

ADDRESSES = [
    ("GET", "/v1/summary"),
    ("GET", "/v1/checkpoint"),
    ("GET", "/v1/features"),
    ("GET", "/v1/strategies"),
    ("POST", "/v1/audits"),
    ("POST", "/v1/replays"),
]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_a_parameter_that_is_not_taken_is_refused_by_name(client, service, method, path):
    service.summary = service.audit = service.replay = lambda _tenant: {"made": "up"}
    assert client.request(method, path).status_code == 200
    answer = client.request(method, f"{path}?on=2026-01-31")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    (violation,) = answer.json()["violations"]
    assert (violation["field"], violation["accepted"]) == ("on", "no parameters")


def test_a_parameter_of_another_address_is_refused_where_some_are_taken(client):
    answer = client.get("/v1/overview?limit=5")
    assert answer.status_code == 422
    assert answer.json()["violations"][0]["field"] == "limit"
