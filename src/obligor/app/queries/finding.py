"""What an id stands for: a whole one, or the short form that pages show."""

from __future__ import annotations

from obligor.app.queries.common import Books
from obligor.app.service_protocol import Found
from obligor.kernel import short

__all__ = ["find"]

SHORT_CHARACTERS = 8
CANDIDATES_MOST = 2
_WHERE = (
    ("decision", "p_decision", "decision_id"),
    ("loan", "p_loan", "loan_id"),
    ("application", "p_decision_application", "application_id"),
    ("alert", "p_alert", "alert_id"),
    ("person", "p_decision_application", "person_id"),
)


def find(books: Books, text: str) -> Found | None:
    """The thing of an id; of a short form only if one thing has it."""
    wanted = text.strip()
    if not wanted:
        return None
    for kind, table, column in _WHERE:
        if books.one(f"SELECT 1 AS found FROM {table} WHERE tenant = ? AND {column} = ? LIMIT 1", wanted):
            return Found(kind, wanted)
    if books.one("SELECT 1 AS found FROM event WHERE tenant = ? AND id = ? LIMIT 1", wanted):
        return Found("event", wanted)
    if len(wanted) != SHORT_CHARACTERS:
        return None
    ending = _ending(wanted.upper())
    if ending is None:
        return None
    found: list[Found] = []
    for kind, table, column in _WHERE:
        rows = books.rows(
            f"SELECT DISTINCT {column} AS id FROM {table} WHERE tenant = ? AND {column} LIKE ?"
            f" LIMIT {CANDIDATES_MOST}",
            f"%{ending}",
        )
        found += [Found(kind, row["id"]) for row in rows if short(row["id"]) == wanted.upper()]
    return found[0] if len(found) == 1 else None


def _ending(text: str) -> str | None:
    """The last ten hexadecimal digits that a short form was made from."""
    number = 0
    for character in text:
        place = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(character)
        if place < 0:
            return None
        number = number << 5 | place
    return f"{number:010x}"
