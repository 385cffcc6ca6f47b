"""A group's statements taken together: equal ones stand together, and one takes the place of several.

Only statements that may pass each other are moved. Those that a `Gathering` does not know stay where they
are: nothing passes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import add
from typing import Any, NamedTuple

__all__ = ["EACH", "Gathering", "Rule", "last", "total"]

Values = tuple[Any, ...]
Statement = tuple[str, Values]


class Rule(NamedTuple):
    """How one statement's values are taken together.

    Without a `key` each of them is kept. With one, of those with an equal key only the last is; `rows` names
    what is keyed, so that statements that write the same rows take each other's place. `sums` are the last
    values, numbers that are added up instead.
    """

    rows: str = ""
    key: slice | None = None
    sums: slice | None = None


EACH = Rule()


def last(rows: str, key: slice) -> Rule:
    """Only the last statement on a row counts: it sets all that those before have set."""
    return Rule(rows, key)


def total(rows: str, key: slice, sums: slice) -> Rule:
    """The statement adds to a row; several add their sum."""
    return Rule(rows, key, sums)


class Gathering:
    """Takes statements together by the rules of their text, and puts them in the order of the rules.

    Whoever writes the rules says that any two statements which they know may change places where their keys
    differ, and that otherwise they come in the order of the rules.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules

    def __call__(self, statements: list[Statement]) -> list[Statement]:
        """The statements that come to the same."""
        if len(statements) < 2:
            return statements
        found: list[Statement] = []
        each: dict[str, list[Values]] = {}
        keyed: dict[tuple[str, Values], tuple[str, Values]] = {}
        for sql, values in statements:
            rule = self._rules.get(sql)
            if rule is None:
                self._put(found, each, keyed)
                found.append((sql, values))
            elif rule.key is None:
                each.setdefault(sql, []).append(values)
            else:
                place = (rule.rows, values[rule.key])
                now = values
                if rule.sums is not None and (before := keyed.get(place)) is not None:
                    now = (*values[: rule.sums.start], *map(add, before[1][rule.sums], values[rule.sums]))
                keyed[place] = (sql, now)
        self._put(found, each, keyed)
        return found

    def _put(
        self,
        found: list[Statement],
        each: dict[str, list[Values]],
        keyed: dict[tuple[str, Values], tuple[str, Values]],
    ) -> None:
        for sql, values in keyed.values():
            each.setdefault(sql, []).append(values)
        for sql in self._rules:
            found += [(sql, values) for values in each.get(sql, ())]
        each.clear()
        keyed.clear()
