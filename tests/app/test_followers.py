"""What says which types of events it follows is changed by no other."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from obligor.app.memories import Book
from obligor.app.projections import all_of
from obligor.events import BODIES
from obligor.kernel import Event
from obligor.limits import CapBook
from tests.events.samples import sample

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Strict:
    """States that nobody may ask."""

    tenant = "main"

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name} of an event that changes nothing")


def event_of(name: str) -> Event:
    return Event(
        id="e-1",
        tenant="main",
        stream="any/1",
        stream_version=1,
        subjects=("p-1",),
        type=name,
        schema=1,
        at=NOW,
        recorded_at=NOW,
        known_seq=7,
        source="tests",
        source_ref=None,
        actor="tests",
        cause=None,
        replaces=None,
        body=sample(BODIES[name]),
    )


def unfollowed(types: frozenset[str]) -> list[Event]:
    return [event_of(name) for name in sorted(set(BODIES) - types)]


@pytest.mark.parametrize("made", [each for each in all_of("UTC") if each.types], ids=lambda each: each.name)
def test_a_projection_writes_nothing_for_a_type_it_does_not_follow(made: Any) -> None:
    assert made.types <= set(BODIES)
    if made.name == "cap":
        book = CapBook()
        assert [book.changed(event) for event in unfollowed(made.types)] == [()] * len(unfollowed(made.types))
        return
    assert [list(made.project(event, Strict())) for event in unfollowed(made.types)] == [[]] * len(
        unfollowed(made.types)
    )


def test_the_book_is_changed_by_no_type_it_does_not_follow() -> None:
    assert set(BODIES) >= Book.TYPES
    book = Book()
    before = copy.deepcopy(vars(book))
    for event in unfollowed(Book.TYPES):
        book.apply(event)
    assert vars(book) == before


def test_the_caps_are_changed_by_no_type_they_do_not_follow() -> None:
    assert set(BODIES) >= CapBook.TYPES
    book = CapBook()
    for event in unfollowed(CapBook.TYPES):
        book.apply(event)
    assert list(book.rows()) == []
