"""How a server stands, read when its metrics are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from obligor.app.metrics import CAPS_MOST, Standing
from obligor.app.processors import Watch
from obligor.journal import Journal, Reader, StoreFailed, Vault

__all__ = ["of_standby", "of_writer"]

# A cap of one person is named after the person, and stays out.
_CAPS = (
    "SELECT cap, CAST(committed_minor + reserved_minor AS DOUBLE PRECISION) / limit_minor AS ratio"
    " FROM p_cap WHERE tenant = :tenant AND limit_minor > 0"
    " AND (cap NOT LIKE 'obligor/%' OR cap = 'obligor/*')"
    f" ORDER BY ratio DESC, cap LIMIT {CAPS_MOST}"
)


def of_writer(journal: Journal, vault: Vault, tenant: str, store: str, watched: Sequence[Watch]) -> Standing:
    """The standing of the server that writes."""
    return Standing(
        role="writer",
        store=_kind(store),
        entries=journal.size(tenant),
        waiting=journal.waiting,
        erasures=journal.erasures,
        keys_cached=vault.cached,
        keys_loaded=vault.loads,
        processors={watch.name: (watch.behind(), watch.age()) for watch in watched},
        caps=_caps(journal.reader(), tenant),
    )


def of_standby(reader: Reader, tenant: str, store: str) -> Standing:
    """The standing of a server that reads and stands by."""
    return Standing(
        role="standby", store=_kind(store), entries=_size(reader, tenant), caps=_caps(reader, tenant)
    )


def _kind(store: str) -> str:
    return "postgresql" if store else "sqlite"


def _size(reader: Reader, tenant: str) -> float:
    try:
        return reader.size(tenant)
    except StoreFailed:
        return math.nan


def _caps(reader: Reader, tenant: str) -> tuple[tuple[str, float], ...]:
    """The fullest caps; none while the store is out of reach, which other metrics tell."""
    try:
        rows = reader.query(_CAPS, {"tenant": tenant})
    except StoreFailed:
        return ()
    return tuple((str(row["cap"]), float(row["ratio"])) for row in rows)
