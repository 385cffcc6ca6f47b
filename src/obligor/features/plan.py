"""What a kernel carries along its walk: registers, shared by all features that see the same rows.

Walking back from `as_of`, a shorter window is a beginning of a longer one. So one register serves every
window: its value is noted where the walk passes the window's edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from obligor.features.measure import DIRECTIONS, SOURCES, Between, Measure

__all__ = ["Group", "Plan", "Register", "Text", "texts_of"]

# A text that filters ask for, with the column in which they do: the same text may have two codes.
Text = tuple[str, str]


class Register(NamedTuple):
    """A number that rows change. `stamp` is its row of the table of codes seen, of a distinct one."""

    name: str
    step: str  # count, sum, max, min, last, first, distinct, day, latest, earliest
    column: str | None
    stamp: int
    windows: set[int | None]

    @property
    def at_once(self) -> bool:
        """Whether its first row decides it, so that an unbounded walk may end there."""
        return self.step in ("last", "latest")

    def noted(self, window: int | None) -> str:
        """The name of its value over a window."""
        return self.name if window is None else f"{self.name}_{window}"


class Group(NamedTuple):
    """The registers that see the same rows: of one source, through one filter."""

    source: str
    conditions: tuple[str, ...]
    registers: dict[tuple[str, str | None], Register]

    @property
    def longest(self) -> int | None:
        """The longest window that any of them needs, None for all time."""
        windows = {window for register in self.registers.values() for window in register.windows}
        return None if None in windows else max(window for window in windows if window is not None)


class Plan:
    """The registers of the features of one function."""

    def __init__(self, texts: Mapping[Text, int], stamps: int) -> None:
        """`stamps` is how many rows of the table of codes seen others have taken."""
        self._texts = texts
        self._groups: dict[tuple[str, tuple[str, ...]], Group] = {}
        self._count = 0
        self.stamps = stamps
        self.codes: set[int] = set()  # the texts that its conditions compare with, by number

    @property
    def registers(self) -> list[Register]:
        """All registers, in the order of their names."""
        return [register for group in self._groups.values() for register in group.registers.values()]

    @property
    def windows(self) -> list[int]:
        """The windows whose edges have to be noticed, from the shortest."""
        found = {window for register in self.registers for window in register.windows}
        return sorted(window for window in found if window is not None)

    def groups(self, source: str) -> list[Group]:
        """The groups that read a source."""
        return [group for group in self._groups.values() if group.source == source]

    def value(self, measure: Measure, step: str, window: int | None) -> str:
        """The name of what a step gives over a window; makes the register if there is none."""
        conditions = tuple(self._conditions(measure))
        group = self._groups.setdefault((measure.source, conditions), Group(measure.source, conditions, {}))
        column = measure.column if step not in ("count", "latest", "earliest") else None
        register = group.registers.get((step, column))
        if register is None:
            register = Register(f"r{self._count}", step, column, self.stamps, set())
            self._count += 1
            self.stamps += step == "distinct"
            group.registers[step, column] = register
        register.windows.add(window)
        return register.noted(window)

    def _conditions(self, measure: Measure) -> Iterator[str]:
        if measure.reads_money:
            yield "ours"
        for field, wanted in sorted(measure.filter.items()):
            column = SOURCES[measure.source][field]
            if isinstance(wanted, Between):
                if wanted.at_least is not None:
                    yield f"({column} >= {wanted.at_least})"
                if wanted.at_most is not None:
                    yield f"({column} <= {wanted.at_most})"
            else:
                codes = [self._code(column, text) for text in measure.texts(field)]
                one = " | ".join(f"({column} == {code})" for code in codes)
                yield one if len(codes) == 1 else f"({one})"

    def _code(self, column: str, text: str | None) -> str:
        if text is None:
            return "0"
        if column == "direction":
            return str(DIRECTIONS[text])
        number = self._texts[column, text]
        self.codes.add(number)
        return f"c{number}"


def texts_of(measures: Sequence[Measure]) -> dict[Text, int]:
    """The texts that filters ask for, numbered."""
    texts: dict[Text, int] = {}
    for measure in measures:
        for field in measure.filter:
            column = SOURCES[measure.source][field]
            if column in ("category", "party"):
                for text in measure.texts(field):
                    if text is not None:
                        texts.setdefault((column, text), len(texts))
    return texts
