"""From what went wrong to what the sender is told: RFC 9457, and never more than that."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Mapping

import msgspec
from litestar.exceptions import HTTPException

from obligor.kernel import (
    Conflict,
    Corrupted,
    Forbidden,
    Gone,
    InvalidInput,
    KeyReused,
    Malformed,
    NotFound,
    Refusal,
    TooLarge,
    Unauthorised,
    Unavailable,
    Violation,
)

__all__ = [
    "CODES",
    "MEDIA_TYPE",
    "STATUS",
    "NotAcceptable",
    "Overloaded",
    "Problem",
    "RateLimited",
    "UnsupportedMedia",
    "of",
    "problem",
]

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("obligor.web")


class UnsupportedMedia(InvalidInput):
    """The body is of a type that this address does not take."""

    code = "unsupported-media-type"


class NotAcceptable(Refusal):
    """The answer cannot be had in this form."""

    code = "not-acceptable"


class RateLimited(Refusal):
    """The sender has used up what it may ask; `seconds` from now it may ask again."""

    code = "rate-limited"

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


class Overloaded(Unavailable):
    """More is asked of the server than it can answer in time; `seconds` from now it should be less."""

    code = "overloaded"

    def __init__(self, seconds: float) -> None:
        super().__init__("too many requests wait already; nothing of this one was looked at")
        self.seconds = seconds


# The most specific class of a refusal that stands here gives the status.
STATUS: Mapping[type[Refusal], int] = {
    Conflict: 409,
    Corrupted: 500,
    Forbidden: 403,
    Gone: 410,
    InvalidInput: 422,
    KeyReused: 422,
    Malformed: 400,
    NotAcceptable: 406,
    NotFound: 404,
    RateLimited: 429,
    Refusal: 422,
    TooLarge: 413,
    Unauthorised: 401,
    Unavailable: 503,
    UnsupportedMedia: 415,
}

# Each code with its title, which is the same for every occurrence (RFC 9457, 3.1.3).
CODES: Mapping[str, str] = {
    "conflict": "It does not fit what has happened so far",
    "corrupted": "A stored artifact is not what its digest says",
    "erased": "What this asks for was erased",
    "forbidden": "This key may not do this",
    "idempotency-key-reused": "The idempotency key came before with another body",
    "internal": "Something went wrong here",
    "invalid": "The request has fields that are not acceptable",
    "malformed": "The request cannot be read",
    "method-not-allowed": "This address does not take this method",
    "not-acceptable": "The answer cannot be had in this form",
    "not-found": "There is no such thing here",
    "overloaded": "More is asked of the server than it can answer in time",
    "rate-limited": "This sender has used up its quota",
    "refused": "The request was refused",
    "too-large": "The request is over a limit",
    "too-slow": "The request did not come in time",
    "unauthorised": "A valid API key is needed",
    "unavailable": "Not now; try again later",
    "unsupported-media-type": "The body is of a type that this address does not take",
}

_BY_STATUS = {400: "malformed", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
# How often a refusal of one code that is the server's fault is logged; those between are counted.
LOG_SECONDS = 1.0


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every 4xx and 5xx. `code` is stable; `violations` lists everything that was wrong."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    violations: tuple[Violation, ...] = ()
    instance: str | None = None


def problem(
    status: int,
    code: str,
    detail: str,
    violations: tuple[Violation, ...] = (),
    instance: str | None = None,
) -> Problem:
    """The problem of a code, with its type and title."""
    return Problem(
        type=f"urn:obligor:problem:{code}",
        title=CODES.get(code, CODES["refused"]),
        status=status,
        detail=detail,
        code=code,
        violations=violations,
        instance=instance,
    )


def _status(refusal: Refusal) -> int:
    return next(STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS)


def of(error: BaseException, path: str) -> tuple[Problem, dict[str, str]]:
    """The problem that an exception is to its sender, and the headers that go with it.

    What nobody meant to raise becomes a bare 500 with a number that stands in the log beside the traceback.
    """
    if isinstance(error, Refusal):
        status = _status(error)
        if status >= 500:
            _QUIETLY.warn(error.code, path, status)
        headers = {}
        if status == 401:
            headers["www-authenticate"] = 'Bearer realm="obligor"'
        elif status in {429, 503}:
            headers["retry-after"] = str(max(1, math.ceil(getattr(error, "seconds", 1))))
        return problem(status, error.code, error.detail, error.violations), headers
    if isinstance(error, HTTPException) and error.status_code < 500:
        code = _BY_STATUS.get(error.status_code, "malformed")
        headers = {key: str(value) for key, value in (error.headers or {}).items()}
        if "allow" in headers:
            headers["allow"] = _allowed(headers["allow"])
        return problem(error.status_code, code, CODES[code]), headers
    number = secrets.token_hex(8)
    log.error("failure %s", number, exc_info=error, extra={"path": path, "failure": number})
    detail = "The failure was written to the log under the number that `instance` ends with."
    return problem(500, "internal", detail, instance=f"urn:obligor:failure:{number}"), {}


def _allowed(methods: str) -> str:
    """What may be asked of an address: a GET that is served answers HEAD as well."""
    found = {method.strip() for method in methods.split(",")}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))


class _Quietly:
    """Logs a refusal once a second for each code: a crowd of them must not fill the disk."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[float, int]] = {}

    def warn(self, code: str, route: str, status: int) -> None:
        now = time.monotonic()
        at, more = self._said.get(code, (-LOG_SECONDS, 0))
        if now - at < LOG_SECONDS:
            self._said[code] = (at, more + 1)
            return
        self._said[code] = (now, 0)
        log.warning("refused: %s", code, extra={"route": route, "status": status, "before": more})


_QUIETLY = _Quietly()
