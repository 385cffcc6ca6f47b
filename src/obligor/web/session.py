"""The console's sessions: a signed cookie that scripts cannot read and other sites cannot send."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Callable, Mapping

import msgspec
from litestar.types import Scope

from obligor.app.service_protocol import Principal, Service

__all__ = ["COOKIE", "LANGUAGE", "Sessions", "cookies"]

COOKIE = "obligor_session"
LANGUAGE = "obligor_lang"
SECONDS = 12 * 3600


class _Session(msgspec.Struct, frozen=True, array_like=True):
    id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    until: int
    quota: int | None


class Sessions:
    """Makes and reads sessions. They end with the process, when they are signed out, and after 12 hours.

    The cookie says who it is under a MAC (HMAC-SHA256) whose key is made by the process and never stored.
    """

    def __init__(self, service: Service, now: Callable[[], float] = time.time) -> None:
        self._service = service
        self._key = secrets.token_bytes(32)
        self._now = now
        self._ended: dict[str, int] = {}

    def begin(self, principal: Principal) -> str:
        """The value of a new session's cookie."""
        until = int(self._now()) + SECONDS
        session = _Session(
            secrets.token_urlsafe(16),
            principal.tenant,
            principal.name,
            tuple(sorted(principal.scopes)),
            until,
            principal.quota,
        )
        said = base64.urlsafe_b64encode(msgspec.json.encode(session)).decode()
        return f"{said}.{self._mac(said, 'session')}"

    def principal(self, sent: Mapping[str, str]) -> Principal | None:
        """Whose session the cookies carry, if it is one of ours and still holds."""
        session = self._read(sent.get(COOKIE, ""))
        if session is None or session.until <= self._now() or session.id in self._ended:
            return None
        principal = Principal(session.tenant, session.name, frozenset(session.scopes), session.quota)
        return principal if self._service.still_valid(principal) else None

    def end(self, sent: Mapping[str, str]) -> None:
        """Sign out: the session is over even for who copied its cookie."""
        if (session := self._read(sent.get(COOKIE, ""))) is None:
            return
        now = self._now()
        self._ended = {id_: until for id_, until in self._ended.items() if until > now}
        self._ended[session.id] = session.until

    def form_token(self, sent: Mapping[str, str]) -> str:
        """What a form of this session must carry to be taken; worth nothing in another session."""
        return self._mac(sent.get(COOKIE, ""), "form")

    def form_token_is(self, sent: Mapping[str, str], token: str) -> bool:
        """Whether a form came from a page of the same session."""
        return hmac.compare_digest(self.form_token(sent), token)

    def _mac(self, said: str, use: str) -> str:
        mac = hmac.digest(self._key, f"{use}|{said}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")

    def _read(self, value: str) -> _Session | None:
        said, _, mac = value.partition(".")
        if not mac or not mac.isascii() or not hmac.compare_digest(self._mac(said, "session"), mac):
            return None
        return msgspec.json.decode(base64.urlsafe_b64decode(said), type=_Session)


def cookies(scope: Scope) -> dict[str, str]:
    """The cookies of a request by name; of two with one name the first."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                found.setdefault(key, text)
    return found
