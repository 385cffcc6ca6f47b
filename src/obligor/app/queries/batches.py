"""The spines of recorded batches, from the journal alone: the book as each part of a close saw it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from obligor import loans
from obligor.app.batches import watched
from obligor.app.memories import Book
from obligor.app.queries.common import Books
from obligor.app.stages import reads_features, standing_facts
from obligor.decision import Spine
from obligor.events import BODIES, BatchDecided
from obligor.features import History
from obligor.kernel import Event, Fact
from obligor.loans import Loan
from obligor.strategy import Strategy

__all__ = ["spines"]

# What a loan's stream holds; which loans are open follows from these too.
LOAN_TYPES = tuple(sorted(name for name, body in BODIES.items() if body.__module__.endswith(".servicing")))


class _Look(NamedTuple):
    """A part of a batch (0: the listing of the loans) and the size that the journal had then."""

    known: int
    batch: int
    part: int


def spines(books: Books) -> Iterator[tuple[Event, Spine | None]]:
    """Every recorded batch with its spine; None instead of one where facts of it were erased.

    One pass over the events of all loans, which are kept in memory.
    """
    rewound = _Rewound(books, list(books.reader.events(books.tenant, types=(BatchDecided.TYPE,))))
    if rewound.batches:
        for event in books.reader.events(books.tenant, types=LOAN_TYPES):
            yield from rewound.upto(event.known_seq)
            rewound.take(event)
        yield from rewound.upto(None)


class _Rewound:
    def __init__(self, books: Books, batches: list[Event]) -> None:
        self.books = books
        self.batches = [_Recorded(event, books) for event in batches]
        looks = [
            _Look(known, number, part)
            for number, recorded in enumerate(self.batches)
            for part, known in enumerate(recorded.body.known_at)
        ]
        self.looks = sorted(looks, key=lambda look: (look.batch, look.part), reverse=True)
        self.book = Book()
        self.loans: dict[str, Loan] = {}

    def take(self, event: Event) -> None:
        """Follow an event of a loan."""
        self.book.apply(event)
        loan_id = event.stream.removeprefix("loan/")
        self.loans[loan_id] = loans.apply(self.loans.get(loan_id), event)

    def upto(self, known: int | None) -> Iterator[tuple[Event, Spine | None]]:
        """Look at all that was looked at before the journal had so many entries; give what is whole then."""
        while self.looks and (known is None or self.looks[-1].known <= known):
            look = self.looks.pop()
            recorded = self.batches[look.batch]
            if look.part == 0:
                recorded.listed = self.book.open
            else:
                recorded.look(look, self.loans)
            if look.part == len(recorded.body.known_at) - 1:
                yield recorded.event, recorded.spine()


class _Recorded:
    """A recorded batch while its spine is put together."""

    def __init__(self, event: Event, books: Books) -> None:
        self.event = event
        self.body: BatchDecided = event.body
        self.books = books
        self.strategy: Strategy = books.means.artifacts.strategy(self.body.strategy_sha256)
        self.listed: list[str] = []
        self.cases: list[str] = []
        self.facts: dict[str, list[Fact]] = {name: [] for name in self.strategy.inputs}
        self.erased = False

    def look(self, look: _Look, known: Mapping[str, Loan]) -> None:
        """Take the facts of a part as they were when it was looked at; 0 says that it could not be."""
        if not look.known:
            return
        begin = (look.part - 1) * self.body.part_rows
        for loan_id in self.listed[begin : begin + self.body.part_rows]:
            loan = known.get(loan_id)
            if loan is not None and watched(loan, self.body.as_of):
                facts = standing_facts(loan, self.body.as_of)
                if reads_features(self.strategy):
                    facts |= self.features(loan, look.known)
                self.cases.append(loan_id)
                for name in self.facts.keys() & facts.keys():
                    self.facts[name].append(facts[name])

    def features(self, loan: Loan, known: int) -> dict[str, Fact]:
        """The person's features as they were known then."""
        history = History(loan.person_id)
        for event in self.books.reader.events(self.books.tenant, subject=loan.person_id, upto=known):
            self.erased = self.erased or bool(event.erased)
            history.add(event)
        compute: Any = self.books.means.catalogue.compute
        found: dict[str, Fact] = compute(history, self.event.at, known, currency=loan.currency)
        return found

    def spine(self) -> Spine | None:
        """The spine; None where facts were erased."""
        if self.erased:
            return None
        count = len(self.cases)
        known = {name: values for name, values in self.facts.items() if len(values) == count}
        return Spine(self.body.as_of, self.cases, known)
