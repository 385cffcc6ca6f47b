"""Reading a request's body: its type, its size while it streams in, its JSON, its lines."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from litestar import Request

from obligor.app.service_protocol import Idempotency
from obligor.kernel import InvalidInput, TooLarge, parse, sha256_hex
from obligor.web.problems import UnsupportedMedia

__all__ = [
    "JSON",
    "JSON_BYTES",
    "LINES_BYTES",
    "LINES_MOST",
    "NDJSON",
    "Disconnected",
    "Headers",
    "headers_of",
    "idempotency",
    "json_body",
    "lines",
    "media_type",
    "read",
]

JSON = "application/json"
NDJSON = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
JSON_BYTES = 1_000_000
LINES_BYTES = 32_000_000
LINES_MOST = 10_000

Headers = Mapping[bytes, bytes]
# A string in quotes, as draft-ietf-httpapi-idempotency-key-header has it, or the same without them.
_KEY = re.compile(rb'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


class Disconnected(Exception):
    """The sender went away before the body was whole."""


def headers_of(request: Request[Any, Any, Any]) -> Headers:
    """The request's headers by lower-case name, the last of each."""
    return dict(request.scope["headers"])


def media_type(headers: Headers, accepted: frozenset[str]) -> str:
    """The body's media type.

    Raises:
        UnsupportedMedia: it is none of those accepted, not in UTF-8, or compressed.
    """
    sent = headers.get(b"content-type", b"").decode("latin-1")
    kind, _, parameters = sent.partition(";")
    kind = kind.strip().lower()
    if kind not in accepted or parameters.replace('"', "").strip().lower() not in {"", "charset=utf-8"}:
        raise UnsupportedMedia.field("Content-Type", sent, " or ".join(sorted(accepted)))
    if (coding := headers.get(b"content-encoding", b"identity").lower()) != b"identity":
        raise UnsupportedMedia.field("Content-Encoding", coding.decode("latin-1"), "identity")
    return kind


def idempotency(headers: Headers, body: bytes) -> Idempotency | None:
    """The idempotency key with the digest of the body that came with it, or None without a key.

    Raises:
        InvalidInput: the key is not 1 to 255 visible ASCII characters.
    """
    key = headers.get(b"idempotency-key")
    if key is None:
        return None
    match = _KEY.fullmatch(key)
    if match is None:
        shown = key.decode("latin-1")
        raise InvalidInput.field("Idempotency-Key", shown, "1 to 255 visible ASCII characters")
    return (match[1] or match[2]).decode(), sha256_hex(body)


async def chunks(request: Request[Any, Any, Any], headers: Headers, most: int) -> AsyncIterator[bytes]:
    """The body as it comes in, never more than `most` bytes of it.

    Raises:
        TooLarge: more was announced, or came.
        Disconnected: the sender went away.
    """
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(int(announced), most)
    taken = 0
    receive = request.receive
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        body = message["body"]
        taken += len(body)
        if taken > most:
            raise _too_large(taken, most)
        if body:
            yield body
        if not message["more_body"]:
            return


def _too_large(size: int, most: int) -> InvalidInput:
    return TooLarge.field("$", f"{size} bytes or more", f"at most {most} bytes")


async def read(request: Request[Any, Any, Any], headers: Headers, most: int = JSON_BYTES) -> bytes:
    """The whole body, of at most `most` bytes."""
    found = [part async for part in chunks(request, headers, most)]
    return found[0] if len(found) == 1 else b"".join(found)


async def json_body(request: Request[Any, Any, Any], headers: Headers) -> tuple[bytes, Any]:
    """The body as it came, and the plain values it says."""
    data = await read(request, headers)
    return data, parse(data, max_bytes=JSON_BYTES)


async def lines(
    request: Request[Any, Any, Any], headers: Headers, at_once: int
) -> AsyncIterator[list[bytes]]:
    """The body's lines in order, up to `at_once` of them in a list; the end of the last line may lack.

    Raises:
        TooLarge: a line is over the limit for one JSON body, or there are too many of them.
    """
    rest = b""
    found: list[bytes] = []
    count = 0
    async for chunk in chunks(request, headers, LINES_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        found += whole
        if len(rest) > JSON_BYTES:
            raise TooLarge.field(
                f"line {count + len(found) + 1}", f"{len(rest)} bytes", f"at most {JSON_BYTES}"
            )
        while len(found) >= at_once:
            count = _counted(count, at_once)
            yield found[:at_once]
            found = found[at_once:]
    if rest:
        found.append(rest)
    if found:
        _counted(count, len(found))
        yield found


def _counted(before: int, more: int) -> int:
    if before + more > LINES_MOST:
        raise TooLarge.field(
            "$",
            f"more than {LINES_MOST} lines",
            f"at most {LINES_MOST} lines; lines up to {before} were taken",
        )
    return before + more
