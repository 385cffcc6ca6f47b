"""What goes between the world and whoever plays the lender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = ["Answer", "Request"]


class Request(msgspec.Struct, frozen=True):
    """Something to post: `POST /v1/applications`, `/v1/drawdowns` or `/v1/events`, by `kind`.

    `id` is stable for a seed and a course of answers: use it as the idempotency key. An event's
    `source_ref` is its id. `payload` is JSON in the wire format.
    """

    id: str
    kind: Literal["application", "drawdown", "event"]
    payload: dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """What the lender said to a request: the body of its response.

    The request is one of the world's, or one that the lender made itself (`offer.made`, `loan.disbursed`, …).
    """

    request: Request
    response: Mapping[str, Any]

    @property
    def refused(self) -> bool:
        """Whether this is a refusal: a problem document, or an NDJSON line that was refused."""
        status = self.response.get("status")
        return status == "refused" or (isinstance(status, int) and status >= 400)
