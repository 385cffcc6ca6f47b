"""A real lender's system over HTTP: a server in this process, a data directory of its own."""

import contextlib
import socket
import threading
import time

import httpx
import pytest
import uvicorn

from obligor.app.service import Service
from obligor.app.service_protocol import SCOPES
from obligor.app.settings import Settings
from obligor.cli.playing.scorecard import from_world
from obligor.web import create_app, server_config
from obligor.world import World
from tests.applicants import FIELDS


@pytest.fixture(scope="session")
def scorecard():
    """A scorecard trained on a simulated past."""
    from datetime import date

    world = World(seed=3, people=10, start=date(2026, 1, 1))
    return from_world(world.history(1500), date(2026, 1, 1))


class Lender:
    """A running system: its service, its address, and the words a client would send."""

    def __init__(self, directory, scorecard, **settings):
        given = {"label": "Simulated data", "future_days_most": 36_500, "port": 0, **settings}
        self.directory = directory
        self.service = Service(directory, Settings(**given))
        self.service.start()
        if scorecard is not None and "application" not in self.service.active().models:
            from obligor.app.activation import use_model

            use_model(self.service, scorecard, "1")
        existing = {key.name for key in self.service.keys.list()}
        self.token = self.service.keys.create(f"tests-{len(existing)}", "main", SCOPES)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.app = create_app(self.service, limits=self.service.settings.limits)
        self._server = uvicorn.Server(server_config(self.app, self.app.gate))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.http = httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=30, trust_env=False
        )
        while not self._server.started:
            time.sleep(0.01)
        self._count = 0

    def close(self):
        self.http.close()
        self._server.should_exit = True
        self._thread.join(20)
        self.service.close()

    def apply(self, **changes):
        request = application(**changes)
        response = self.http.post("/v1/applications", json=request)
        assert response.status_code in (201, 202), response.text
        return response.json()

    def event(self, kind, body, at=None, *, status=201, source="tests", ref=None):
        self._count += 1
        sent = {"type": kind, "source": source, "source_ref": ref or f"t-{self._count}", "body": body}
        if at:
            sent["at"] = at
        response = self.http.post("/v1/events", json=sent)
        assert response.status_code == status, response.text
        return response.json()

    def draw(self, status=201, **request):
        response = self.http.post("/v1/drawdowns", json=request)
        assert response.status_code == status, response.text
        return response.json()

    def get(self, path, **query):
        response = self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def settle(self):
        """Wait until the processors have seen everything."""
        for _ in range(2000):
            if self.service.behind() == 0 and self.service.journal.waiting == 0:
                return
            time.sleep(0.01)
        raise AssertionError("the processors did not catch up")

    def postings_sum(self):
        return self.get("/v1/summary")["postings_sum_minor"]


def application(**changes):
    """An application that the starter strategy can decide once the bureau has answered."""
    base = {
        "person": {"reference": "customer-1", "kind": "person"},
        "product": "instalment",
        "channel": "app",
        "amount_minor": 1_200_000,
        "currency": "CNY",
        "term_months": 12,
        "purpose": "shopping",
        "fields": FIELDS,
        "at": "2026-01-05T10:00:00+08:00",
    }
    return {**base, **changes}


@pytest.fixture
def store():
    """Where the journal is: the embedded store. A module says `store = either_store` to run on both."""
    return ""


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request):
    """The embedded store, or a new database of a real server."""
    return request.getfixturevalue("database") if request.param == "postgresql" else ""


@pytest.fixture
def lender(tmp_path, scorecard, store):
    """A lender with a scorecard and no history."""
    made = Lender(tmp_path / "var", scorecard, store=store)
    with contextlib.closing(made):
        yield made
