"""A characteristic as it is declared: its type, its special codes, and the words for what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from obligor.kernel import MAX_INTEGER, InvalidInput, Violation

__all__ = ["Characteristic", "Kind", "Reason", "Value", "check"]

Kind = Literal["int", "decimal", "category", "bool"]
Value = int | str | None  # what a table looks up: a scaled integer, a category, or nothing
_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,18}))?")


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a score is not higher, for the applicant: a stable code with its texts."""

    code: Annotated[str, Meta(pattern=r"\A[A-Z][A-Z0-9_]{0,31}\Z")]
    en: Annotated[str, Meta(min_length=1, max_length=300)]
    zh: Annotated[str, Meta(min_length=1, max_length=300)]


class Characteristic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input of a score.

    `kind` is what a fact of it is: an integer, a decimal (a text such as "0.25", or an integer that is
    already times 10 to the `scale`), a category, or a boolean. `specials` are codes that mean something else
    than their quantity, as scaled integers or categories: each has a bin of its own. `risk` says how the
    bad rate moves with a number: `rising`, `falling`, either of them (`monotone`, whichever tells more), or
    `free`. `unseen` says what a category that training did not know counts as: `other`, the bin of the rare
    ones, or `missing`.
    """

    name: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,62}\Z")]
    kind: Kind
    reason: Reason
    scale: Annotated[int, Meta(ge=0, le=9)] = 0
    specials: tuple[int | str, ...] = ()
    risk: Literal["monotone", "rising", "falling", "free"] = "monotone"
    unseen: Literal["other", "missing"] = "other"

    @property
    def is_number(self) -> bool:
        """Whether its table has thresholds, rather than groups of categories."""
        return self.kind in ("int", "decimal")

    def problems(self) -> Iterator[Violation]:
        """What is contradictory in the declaration, named by its path."""
        path = f"characteristics.{self.name}"
        if self.scale and self.kind != "decimal":
            yield Violation.of(f"{path}.scale", self.scale, "0, unless it is a decimal")
        if self.risk != "monotone" and not self.is_number:
            yield Violation.of(
                f"{path}.risk", self.risk, "a number: categories are grouped by their own risk"
            )
        wanted = int if self.is_number else str
        for special in self.specials:
            if special.__class__ is not wanted:
                meant = "an integer, times 10 to the scale" if self.is_number else "a category"
                yield Violation.of(f"{path}.specials", special, meant)
        if len(set(self.specials)) < len(self.specials):
            yield Violation.of(f"{path}.specials", list(self.specials), "each code once")

    def value(self, fact: Any) -> Value:
        """A fact as its table looks it up.

        Raises:
            InvalidInput: the fact is of another type; fractions (floats) are never accepted.
        """
        if fact is None:
            return None
        kind = fact.__class__
        if self.kind == "bool" and kind is bool:
            return "true" if fact else "false"
        if self.kind == "category" and kind is str:
            return str(fact)
        if self.is_number and kind is int and -MAX_INTEGER <= fact <= MAX_INTEGER:
            return int(fact)
        if self.kind == "decimal" and kind is str:
            return self._scaled(fact)
        raise InvalidInput.field(self.name, fact, self._accepted)

    def _scaled(self, text: str) -> int:
        found = _DECIMAL.fullmatch(text)
        places = "" if found is None or found[3] is None else found[3].rstrip("0")
        if found is None or len(places) > self.scale:
            raise InvalidInput.field(self.name, text, self._accepted)
        digits = int(found[2] + places.ljust(self.scale, "0"))
        if digits > MAX_INTEGER:
            raise InvalidInput.field(self.name, text, self._accepted)
        return -digits if found[1] else digits

    @property
    def _accepted(self) -> str:
        match self.kind:
            case "int":
                return "an integer or null"
            case "decimal":
                return f'a decimal as a text with at most {self.scale} places, such as "0.5", or null'
            case "category":
                return "a text or null"
            case "bool":
                return "true, false or null"


def check(characteristics: tuple[Characteristic, ...]) -> None:
    """Refuse declarations that contradict themselves or each other.

    Raises:
        InvalidInput: with one violation for everything that is wrong.
    """
    wrong = [problem for characteristic in characteristics for problem in characteristic.problems()]
    for what in ("name", "code"):
        values = [c.name if what == "name" else c.reason.code for c in characteristics]
        wrong += [
            Violation.of(f"characteristics.{what}", value, "each once")
            for value in sorted({value for value in values if values.count(value) > 1})
        ]
    if not characteristics:
        wrong.append(Violation.of("characteristics", [], "at least one"))
    if wrong:
        raise InvalidInput("the characteristics contradict themselves", wrong)
