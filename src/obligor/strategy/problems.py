"""What is wrong with a strategy, and where: file, line and cell."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from obligor.kernel import InvalidInput, Violation

__all__ = ["Flaw", "Place", "Problem", "Problems", "StrategyError"]


class Place(msgspec.Struct, frozen=True):
    """A spot in a strategy's files. `cell` is a spreadsheet cell ("C7") or a path ("steps.grade.table")."""

    file: str
    line: int
    cell: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.cell}"


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong: its stable code, the place, the text that stands there, and what would do."""

    code: str
    place: Place
    text: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.code}]"


class StrategyError(InvalidInput):
    """A strategy that cannot be used. `problems` lists everything that was found wrong with it."""

    code = "invalid-strategy"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        first, more = self.problems[0], len(self.problems) - 1
        detail = f"{first}{f' (and {more} more)' if more else ''}"
        super().__init__(
            detail,
            (Violation.of(str(found.place), found.text, found.message) for found in self.problems),
        )


class Flaw(Exception):
    """Something wrong found by a part that does not know the place: it is caught where the place is known.

    A flaw without a code follows from a problem that is reported already.
    """

    def __init__(self, code: str = "", message: str = "", text: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.text = text


class Problems:
    """Collects problems, so that an author sees all of them at once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, code: str, place: Place, text: object, message: str) -> None:
        """Note a problem; one that is noted already is not noted twice."""
        problem = Problem(code, place, str(text), message)
        if problem not in self.found:
            self.found.append(problem)

    def flaw(self, flaw: Flaw, place: Place, text: object) -> None:
        """Note a flaw at its place, unless it only follows from another one."""
        if flaw.code:
            self.add(flaw.code, place, flaw.text if flaw.text is not None else text, flaw.message)

    def stop(self) -> None:
        """Raise what was found, if anything was.

        Raises:
            StrategyError: something was found.
        """
        if self.found:
            raise StrategyError(
                sorted(self.found, key=lambda problem: (problem.place.file, problem.place.line))
            )
