"""What ties a request to its lines in the logs: an id of its own, and the trace that it belongs to."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterable

__all__ = ["Correlation", "correlate", "new_id"]

# Only what cannot be anything else is taken from the sender: a UUID, with or without its dashes.
_ID = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# W3C Trace Context, section 3.2: later versions may say more, after another dash.
_PARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
# Ids need to be different, not secret: one seed from the system, and no system call for each.
_CHANCE = random.Random(os.urandom(32))  # noqa: S311


class Correlation:
    """A request's id and its place in a trace, in lower-case hex in ASCII.

    `parent_id` is whose part it is, `span_id` its own. Without a `traceparent` the request begins a trace
    that is called as the request is, and has no parent.
    """

    __slots__ = ("_flags", "parent_id", "request_id", "span_id", "trace_id")

    def __init__(self, request_id: bytes | None, parent: re.Match[bytes] | None) -> None:
        self.request_id = request_id or new_id()
        if parent is None:
            self.trace_id, self.parent_id, self.span_id = self.request_id.replace(b"-", b""), b"", b""
            self._flags = b"00"
        else:
            self.trace_id, self.parent_id, self._flags = parent[1], parent[2], parent[3]
            self.span_id = b"%016x" % (_CHANCE.getrandbits(64) | 1)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the answer says of it: its id, and its place where somebody keeps a trace."""
        found = [(b"x-request-id", self.request_id)]
        if self.span_id:
            found.append((b"traceparent", b"00-%b-%b-%b" % (self.trace_id, self.span_id, self._flags)))
        return found


def new_id() -> bytes:
    """An id that nothing else has: 128 random bits as lower-case hex."""
    return b"%032x" % _CHANCE.getrandbits(128)


def correlate(headers: Iterable[tuple[bytes, bytes]]) -> Correlation:
    """The ids of a request: the sender's where they are well formed, or else new ones."""
    request_id: bytes | None = None
    parent: re.Match[bytes] | None = None
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value if _ID.fullmatch(value) else None
        elif name == b"traceparent":
            parent = _PARENT.fullmatch(value)
            # Version 00 says no more than this.
            if parent is not None and parent[4] is not None and value.startswith(b"00"):
                parent = None
    return Correlation(request_id, parent)
