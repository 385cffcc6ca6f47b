"""How much each sender may ask: a bucket that fills evenly, for every key and every stranger's address."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from obligor.app.limits import Limits
from obligor.app.service_protocol import Principal

__all__ = ["WINDOW_SECONDS", "Bucket", "Quotas"]

WINDOW_SECONDS = 60
ADDRESSES_MOST = 10_000
SWEEP_SECONDS = 1.0


class Bucket:
    """A quota of so many requests a minute: full at first, refilled evenly, never over its quota.

    `policy` is the value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10).
    """

    __slots__ = ("_at", "_left", "_name", "_per_second", "policy", "quota")

    def __init__(self, name: str, quota: int, now: float) -> None:
        self.quota = quota
        self.policy = f'"{name}";q={quota};w={WINDOW_SECONDS}'.encode()
        self._name = name
        self._per_second = quota / WINDOW_SECONDS
        self._left = float(quota)
        self._at = now

    def take(self, now: float) -> float:
        """Take one; 0.0 when it was there, else how many seconds it will take until one is."""
        self._fill(now)
        if self._left < 1.0:
            return (1.0 - self._left) / self._per_second
        self._left -= 1.0
        return 0.0

    def owe(self, count: int) -> None:
        """Take so many that are known only now; what is not there has to be refilled before the next."""
        self._left -= count

    def full(self, now: float) -> bool:
        """Whether nothing has been taken of late: forgetting it then loses nothing."""
        self._fill(now)
        return self._left >= self.quota

    def told(self) -> bytes:
        """The value of the RateLimit header: what was left, and when there is one again, or all of it."""
        left = self._left
        if left < 1.0:
            return f'"{self._name}";r=0;t={math.ceil((1.0 - left) / self._per_second)}'.encode()
        return f'"{self._name}";r={int(left)};t={math.ceil((self.quota - left) / self._per_second)}'.encode()

    def _fill(self, now: float) -> None:
        self._left = min(float(self.quota), self._left + (now - self._at) * self._per_second)
        self._at = now


class Quotas:
    """The buckets of one server. Keys have two each, for what reads and what writes."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self.now = now
        self._keys: dict[tuple[str, str, str], Bucket] = {}
        self._strangers: dict[str, Bucket] = {}
        self._others = Bucket("strangers", max(1, limits.quota_strangers), now())
        self._swept = now()

    def of_key(self, principal: Principal, kind: str) -> Bucket | None:
        """The bucket of a key for `reads` or `writes`; None without a quota."""
        found = self._keys.get((principal.tenant, principal.name, kind))
        if found is None:
            limits = self._limits
            given = limits.quota_writes if kind == "writes" else limits.quota_reads
            quota = given if principal.quota is None else principal.quota
            if not quota:
                return None
            found = Bucket(kind, quota, self.now())
            self._keys[principal.tenant, principal.name, kind] = found
        return found

    def of_stranger(self, address: str) -> Bucket | None:
        """The bucket of an address (of IPv6 its first 64 bits); None without a quota.

        The table is bounded. Who comes when it is full of addresses that asked of late shares one bucket with
        all others who do.
        """
        if not self._limits.quota_strangers:
            return None
        key = _network(address)
        found = self._strangers.get(key)
        if found is None:
            if len(self._strangers) >= ADDRESSES_MOST and not self._made_room():
                return self._others
            found = Bucket("strangers", self._limits.quota_strangers, self.now())
            self._strangers[key] = found
        return found

    def _made_room(self) -> bool:
        """Forget the addresses that have not asked of late, at most once a second."""
        now = self.now()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            self._strangers = {key: bucket for key, bucket in self._strangers.items() if not bucket.full(now)}
        return len(self._strangers) < ADDRESSES_MOST


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped) if found.ipv4_mapped else str(int(found) >> 64)
    return address
