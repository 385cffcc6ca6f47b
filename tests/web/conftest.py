"""The web over a service in memory."""

import pytest
from litestar.testing import TestClient

from obligor.web import create_app
from tests.web.fake_more import FakeService

APPLICATION = {
    "person": {"reference": "c-1", "national_id": "110101199003070011"},
    "product": "instalment-12",
    "channel": "P-01",
    "amount_minor": 36_000_00,
    "currency": "CNY",
    "term_months": 12,
    "fields": {"income_month_minor": 1_140_000, "housing": "rent", "months_employed": None},
    "at": "2026-11-20T16:28:03+08:00",
}


class Switch:
    """Stands for the service of the test that runs: making the application takes longer than most tests."""

    now = None

    def __getattr__(self, name):
        return getattr(self.now, name)


SWITCH = Switch()


@pytest.fixture
def service():
    SWITCH.now = FakeService()
    return SWITCH.now


@pytest.fixture(scope="session")
def shared_app():
    return create_app(SWITCH)


@pytest.fixture(scope="session")
def shared_client(shared_app):
    with TestClient(shared_app, base_url="http://testserver.local", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def app(service, shared_app):
    return shared_app


@pytest.fixture
def client(service, shared_client):
    """A program with a key that may do everything."""
    shared_client.cookies.clear()
    shared_client.headers.clear()
    shared_client.headers["authorization"] = "Bearer all"
    return shared_client


@pytest.fixture
def page(service, shared_client):
    """A browser without scripts, signed in, in English."""
    shared_client.cookies.clear()
    shared_client.headers.clear()
    shared_client.headers.update({"accept": "text/html", "accept-language": "en"})
    assert shared_client.post("/sign-in", data={"key": "all"}, follow_redirects=False).status_code == 303
    return shared_client


@pytest.fixture
def application():
    return {**APPLICATION, "person": dict(APPLICATION["person"]), "fields": dict(APPLICATION["fields"])}
