"""A real Chromium over a real socket. The service behind is the one in memory, so that pages are full."""

import shutil
import socket
import threading
import time

import pytest
import uvicorn

from obligor.web import create_app
from tests.conftest import ROOT
from tests.web.fake_more import FakeService

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium; journeys are skipped without one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: install the package chromium to run the browser tests")
    return found


@pytest.fixture(scope="session")
def axe():
    """The accessibility checker's script, which `make assets` fetches."""
    path = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("no axe-core here: `make assets` fetches it")
    return path.read_text(encoding="utf-8")


# Not for the session: while it is open, Playwright keeps an event loop that other files' tests would run
# into.
@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def books():
    return FakeService()


class Served:
    """An application on a socket of its own, on a thread."""

    def __init__(self, service):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        config = uvicorn.Config(create_app(service), log_config=None, access_log=False, server_header=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(10)


class Switch:
    now = None

    def __getattr__(self, name):
        return getattr(self.now, name)


SWITCH = Switch()


@pytest.fixture(scope="session")
def served():
    SWITCH.now = FakeService()
    with Served(SWITCH) as found:
        yield found


@pytest.fixture
def server_url(served, books):
    SWITCH.now = books
    return served.url


@pytest.fixture
def api_key():
    return "all"


@pytest.fixture
def sign_in(browser, server_url, api_key):
    """Open a signed-in tab; what it complains of on its console is in `tab.complaints`."""
    contexts = []

    def opened(**options):
        context = browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1440, "height": 900}, **options}
        )
        contexts.append(context)
        tab = context.new_page()
        tab.complaints = []
        tab.on(
            "console",
            lambda said: tab.complaints.append(said.text) if said.type in {"error", "warning"} else None,
        )
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.set_default_timeout(20_000)
        tab.goto(f"{server_url}/sign-in")
        tab.fill("#key", api_key)
        tab.click("button.go")
        tab.wait_for_url(f"{server_url}/")
        return tab

    yield opened
    for context in contexts:
        context.close()
