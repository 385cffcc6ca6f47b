"""A real lender over HTTP, served as `obligor up` serves it, with nobody limited."""

import contextlib
import itertools
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from obligor.app.activation import use_model
from obligor.app.limits import Limits
from obligor.app.service import Service
from obligor.app.service_protocol import SCOPES
from obligor.app.settings import Settings
from obligor.scoring import PointsModel
from obligor.web import create_app, server_config
from tests.contract.stock import Stock
from tests.postgres import fresh_database

SCORECARD = Path(__file__).with_name("scorecard.json")
UNLIMITED = Limits(quota_writes=0, quota_reads=0, quota_strangers=0, wait_most_ms=600_000)


class Lender:
    """A running system: its service, its address, a client whose key may do everything."""

    def __init__(self, directory, scorecard, store):
        settings = Settings(label="Simulated data", future_days_most=36_500, port=0, store=store)
        self.service = Service(directory, settings)
        self.service.start()
        use_model(self.service, scorecard, "1")
        self._keys = itertools.count()
        self.token = self.key()
        app = create_app(self.service, limits=UNLIMITED)
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(server_config(app, app.gate))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        self.http, self.stranger = self.client(self.token), self.client()
        while not self._server.started:
            time.sleep(0.01)

    def key(self, *scopes, tenant="main", name=None):
        """The token of a new key."""
        return self.service.keys.create(name or f"key-{next(self._keys)}", tenant, scopes or SCOPES)

    def client(self, token=None):
        """A client with a key, or without one."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def size(self):
        """How many entries the journal has, once nothing more is on its way into it."""
        for _ in range(2000):
            if self.service.behind() == 0 and self.service.journal.waiting == 0:
                return self.service.journal.size("main")
            time.sleep(0.01)
        raise AssertionError("the processors did not catch up")

    def close(self):
        self.http.close()
        self.stranger.close()
        self._server.should_exit = True
        self._thread.join(20)
        self.service.close()


@pytest.fixture(scope="session")
def scorecard():
    """A scorecard that was trained on 300 simulated loans: any that scores will do here."""
    return PointsModel.from_json(SCORECARD.read_bytes())


@pytest.fixture(scope="module")
def store():
    """Where the journal is: the embedded store, unless a module imports another of these fixtures."""
    return ""


def _place(request):
    if request.param == "sqlite":
        yield ""
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield url


POSTGRESQL_AT_LENGTH = pytest.param("postgresql", marks=pytest.mark.slow)
# The embedded store, or a new database of a real server; the second leaves the server to the long form.
either_store = pytest.fixture(_place, scope="module", params=["sqlite", "postgresql"], name="store")
either_store_at_length = pytest.fixture(
    _place, scope="module", params=["sqlite", POSTGRESQL_AT_LENGTH], name="store"
)


@pytest.fixture(scope="module")
def lender(tmp_path_factory, scorecard, store):
    """A lender for one module's tests."""
    made = Lender(tmp_path_factory.mktemp("contract") / "var", scorecard, store)
    with contextlib.closing(made):
        yield made


@pytest.fixture(scope="module")
def stock(lender, scorecard):
    """What the lender has, made as it is needed."""
    return Stock(lender, scorecard)


@pytest.fixture(scope="module")
def described(lender):
    """The description as the running server serves it."""
    return lender.stranger.get("/openapi.json").json()
