"""An answer on the wire, and nothing around it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from litestar.types import Receive, Scope, Send

__all__ = ["Answer", "cookie", "json", "redirect"]

ENCODE = msgspec.json.Encoder().encode


class Answer:
    """Status, headers and body, sent as they are; kept out of caches unless it says otherwise."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: bytes,
        media_type: str,
        status: int = 200,
        headers: Iterable[tuple[bytes, bytes]] = (),
        cache: bytes = b"no-store",
    ) -> None:
        self.body = body
        self.status = status
        self.headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", cache),
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  as ASGI has it
        """Send it; an ASGI application."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def json(value: object, status: int = 200) -> Answer:
    """A value as JSON."""
    return Answer(ENCODE(value), "application/json", status)


def redirect(to: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """See another page, by GET."""
    return Answer(b"", "text/plain", 303, [(b"location", to.encode()), *headers])


def cookie(name: str, value: str, *, secure: bool, seconds: int, hidden: bool = True) -> tuple[bytes, bytes]:
    """A cookie for this site alone; scripts cannot read a `hidden` one. 0 seconds takes it away."""
    parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "SameSite=Strict"]
    parts += ["HttpOnly"] if hidden else []
    parts += ["Secure"] if secure else []
    return b"set-cookie", "; ".join(parts).encode("latin-1")
