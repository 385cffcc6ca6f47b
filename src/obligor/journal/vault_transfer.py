"""A vault as it is copied: its stored rows from one place into an empty one, the keys wrapped as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from obligor.journal.key_rows import SqliteKeyRows, VaultPlace
from obligor.kernel import Conflict

__all__ = ["PersonKey", "TenantKey", "VaultRow", "fill_vault", "vault_rows"]

PAGE = 1_000


class PersonKey(NamedTuple):
    """A person's key of a class as it is stored; None once it was destroyed."""

    tenant: str
    person: str
    kind: str
    wrapped: bytes | None


class TenantKey(NamedTuple):
    """A tenant's key for a purpose as it is stored."""

    tenant: str
    purpose: str
    wrapped: bytes


VaultRow = PersonKey | TenantKey


def vault_rows(at: Path | VaultPlace) -> Iterator[VaultRow]:
    """The rows of a vault, beside processes that write it; without the key that could unwrap them.

    Every row that was there at the beginning comes, as it is then or destroyed since. No transaction holds
    them together: that would be in the way of an erasure, which has to leave no trace.

    Raises:
        NotFound: there is no vault.
        Conflict: it was written by another release.
    """
    rows = SqliteKeyRows.open_read_only(at) if isinstance(at, Path) else at.open_read_only()
    try:
        yield from (TenantKey(*row) for row in rows.tenant_keys())
        last = ("", "", "")
        while True:
            page = [PersonKey(*row) for row in rows.persons(last, PAGE)]
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1][:3]
    finally:
        rows.close()


def fill_vault(at: Path | VaultPlace, source: Iterable[VaultRow]) -> None:
    """Write rows into a new vault, durably.

    Raises:
        Conflict: there are keys already.
    """
    rows = SqliteKeyRows.open(at) if isinstance(at, Path) else at.open()
    try:
        if rows.tenant_keys() or rows.persons(("", "", ""), 1):
            raise Conflict("there is a vault with keys already; what is restored goes into an empty place")
        given = iter(source)
        while page := list(islice(given, PAGE)):
            persons = [(*row,) for row in page if isinstance(row, PersonKey)]
            if persons:
                rows.add(persons)
            for row in page:
                if isinstance(row, TenantKey):
                    rows.add_tenant_key(*row)
    finally:
        rows.close()
