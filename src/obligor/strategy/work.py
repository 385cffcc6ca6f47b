"""The state of one compilation: the names that exist so far, and what was found wrong."""

from __future__ import annotations

from collections.abc import Mapping

from obligor.strategy.cells import Constant
from obligor.strategy.check import Names
from obligor.strategy.form import Form
from obligor.strategy.narrow import Scope
from obligor.strategy.problems import Flaw, Place, Problems
from obligor.strategy.schema import Input
from obligor.strategy.source import Sheet
from obligor.strategy.types import Type, category

__all__ = ["Tracked", "Work"]


class Tracked(dict[str, Constant]):
    """Parameters that remember which of them were looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Constant:
        self.used.add(name)
        return super().__getitem__(name)


class Work:
    """What the steps so far have defined.

    `possible` are the outcomes (indices) that may hold; `warnings` are problems that do not stop a strategy.
    """

    def __init__(
        self,
        inputs: Mapping[str, Input],
        outcomes: tuple[str, ...],
        sheets: Mapping[str, Sheet | None],
        problems: Problems,
    ) -> None:
        self.inputs = inputs
        self.outcomes = outcomes
        self.sheets = sheets
        self.problems = problems
        self.warnings = Problems()
        self.constants = Tracked()
        self.broken: set[str] = set()
        self.defined: dict[str, Place] = {}
        self.opened: set[str] = set()
        self.codes: dict[str, Place] = {}
        self.possible: set[int] = {0}
        self.scored = False
        self.scope: Scope = {name: item.kind for name, item in inputs.items() if item.source != "score"}

    def names(self) -> Names:
        """What a formula may speak of here."""
        current = category(*(self.outcomes[index] for index in sorted(self.possible)))
        return Names({**self.scope, "outcome": current}, self.constants, frozenset(self.broken))

    def define(self, name: str, kind: Type, place: Place) -> None:
        """Give a name to a result."""
        if self.claim(name, place):
            self.scope = {**self.scope, name: kind}

    def lose(self, name: str, place: Place) -> None:
        """Give a name to a result that has a problem: what reads it has none of its own."""
        if self.claim(name, place):
            self.broken.add(name)

    def claim(self, name: str, place: Place) -> bool:
        """Whether a name is still free; if not, that is a problem."""
        if name in self.inputs or name in self.constants or name in self.defined:
            self.problems.add("name", place, name, "a name that no input, parameter or earlier result has")
            return False
        self.defined[name] = place
        return True

    def flaw(self, flaw: Flaw, place: Place, text: object) -> None:
        """Note a flaw, with what only the whole strategy knows about it."""
        name = flaw.text or ""
        if flaw.code == "unknown-name" and name in self.inputs:
            flaw.message = f"{name} comes from the model: a step with `model:` has to stand before"
        self.problems.flaw(flaw, place, text)

    def sheet(self, form: Form, key: str) -> Sheet | None:
        """The CSV file that a step names; None where that is a problem."""
        name = form.text(key)
        if name in self.sheets:
            self.opened.add(name)
            return self.sheets[name]
        if name and name not in self.opened:
            have = ", ".join(self.sheets) or "none"
            form.wrong(key, name, f"a CSV file of the strategy's directory: {have}", "file")
        return None
