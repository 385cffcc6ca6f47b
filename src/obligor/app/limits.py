"""What a server takes from whom, and for how long it waits: the settings under `limits`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["Limits"]

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
PerMinute = Annotated[int, Meta(ge=0, le=100_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of a server towards its senders. A quota of 0 is none.

    A request is refused at once when those before it would keep it waiting for more than `wait_most_ms`, or
    `requests_most` wait. `quota_writes` and `quota_reads` are of one API key, `quota_strangers` of one
    address that shows none, all a minute; a key may have quotas of its own. Lines count like requests.

    A connection is closed when a request's headers are not whole after `header_seconds` or have more than
    `header_bytes_most`; when its body is not whole after `body_seconds` and comes more slowly than
    `bytes_per_second_least`; when nothing of an answer was taken for `answer_seconds`; when no request came
    for `idle_seconds`. Of more than `connections_most` connections, the one that waited longest without a
    request has to go.
    """

    wait_most_ms: Annotated[int, Meta(ge=1, le=600_000)] = 1000
    requests_most: Count = 4096
    quota_writes: PerMinute = 600_000
    quota_reads: PerMinute = 600_000
    quota_strangers: PerMinute = 3_000
    connections_most: Count = 2_000
    header_bytes_most: Annotated[int, Meta(ge=1024, le=1_000_000)] = 32_768
    header_seconds: Seconds = 10.0
    body_seconds: Seconds = 20.0
    bytes_per_second_least: Count = 1_000
    answer_seconds: Seconds = 20.0
    idle_seconds: Seconds = 60.0
