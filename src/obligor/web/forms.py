"""What people send from the console: signing in and out, and what they made of an alert."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import Principal, Service
from obligor.kernel import Forbidden, InvalidInput, Malformed
from obligor.web.access import principal_of
from obligor.web.answer import Answer, cookie, redirect
from obligor.web.body import headers_of, media_type, read
from obligor.web.session import COOKIE, SECONDS, Sessions, cookies
from obligor.web.waiting import answer_of

__all__ = ["DISPOSITIONS", "Forms"]

log = logging.getLogger("obligor.web")
Sent = Request[Any, Any, Any]
FORM = frozenset({"application/x-www-form-urlencoded"})
FORM_BYTES = 16_384
DISPOSITIONS = ("not_suspicious", "insufficient_evidence", "referred", "confirmed")


class Forms:
    """The handlers of the console's forms. `bare` makes a page outside of the frame."""

    def __init__(self, service: Service, sessions: Sessions, bare: Callable[..., Answer]) -> None:
        self._service = service
        self._sessions = sessions
        self._bare = bare

    async def _form(self, request: Sent) -> dict[str, str]:
        """The fields of a form that was sent from a page of this site.

        Raises:
            Forbidden: another site sent it.
        """
        headers = headers_of(request)
        site = headers.get(b"sec-fetch-site", b"same-origin")
        origin = headers.get(b"origin", b"")
        host = headers.get(b"host", b"")
        if site not in {b"same-origin", b"none"} or (origin and origin.partition(b"://")[2] != host):
            raise Forbidden("this form was sent from another site")
        media_type(headers, FORM)
        body = await read(request, headers, FORM_BYTES)
        try:
            return dict(
                parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
            )
        except ValueError:
            raise Malformed.field("$", "(form)", "at most 20 fields in UTF-8") from None

    def _begun(self, request: Sent, principal: Principal) -> tuple[bytes, bytes]:
        secure = request.scope["scheme"] == "https"
        return cookie(COOKIE, self._sessions.begin(principal), secure=secure, seconds=SECONDS)

    def handlers(self) -> list[HTTPRouteHandler]:
        """The handlers of these routes."""

        @get("/sign-in")
        async def sign_in(request: Sent) -> Answer:
            return self._bare(
                request, "sign_in.html", failed=False, next=request.query_params.get("next", "/")
            )

        @post("/sign-in")
        async def sign_in_now(request: Sent) -> Answer:
            form = await self._form(request)
            to = _local(form.get("next", "/"))
            principal = self._service.authenticate(form.get("key", "").strip())
            if principal is None or "read" not in principal.scopes:
                log.warning("a sign-in failed")
                return self._bare(request, "sign_in.html", 401, failed=True, next=to)
            return redirect(to, [self._begun(request, principal)])

        @get("/enter")
        async def enter(request: Sent) -> Answer:
            # A page, not a redirect: after a link on another site, a strict cookie would not go along.
            principal = self._service.redeem_ticket(request.query_params.get("ticket", ""))
            if principal is None:
                return self._bare(request, "sign_in.html", 401, failed=True, next="/")
            page = self._bare(request, "entered.html")
            page.headers.append(self._begun(request, principal))
            return page

        @post("/sign-out")
        async def sign_out(request: Sent) -> Answer:
            await self._form(request)
            self._sessions.end(cookies(request.scope))
            secure = request.scope["scheme"] == "https"
            return redirect("/sign-in", [cookie(COOKIE, "", secure=secure, seconds=0)])

        @post("/alerts/{name:str}")
        async def dispose(request: Sent) -> Answer:
            form = await self._form(request)
            if not self._sessions.form_token_is(cookies(request.scope), form.get("token", "")):
                raise Forbidden("this form belongs to another session; load the page again")
            principal = principal_of(request.scope)
            alert_id = request.scope["path_params"]["name"]
            note = form.get("note", "").strip()
            if not note:
                raise InvalidInput.field("note", note, "a reason, in a sentence")
            body = {
                "alert_id": alert_id,
                "disposition": form.get("disposition", ""),
                "officer": principal.name,
                "note": note,
            }
            payload = {
                "type": "alert.cleared",
                "source": "console",
                "source_ref": secrets.token_hex(16),
                "body": body,
            }
            await answer_of(self._service.submit(principal, "event", payload, None))
            return redirect(f"/alerts/{alert_id}")

        return [sign_in, sign_in_now, enter, sign_out, dispose]


def _local(address: str) -> str:
    """An address on this site; the first page in place of any other."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"
