"""A service that keeps every request waiting until a test lets it go."""

from concurrent.futures import Future

from tests.web.fake_more import FakeService


class Stuck(FakeService):
    """A service whose writer answers nobody: what it was asked stands in `waiting`."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def submit(self, principal, kind, payload, idempotency):
        future = Future()
        self.waiting.append(future)
        return future
