"""Text to syntax trees: FEEL formulas and S-FEEL unary tests, a subset of each (DMN 1.5, clauses 9 and 10).

Nothing here knows types or names; `check` and `cells` give the trees their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from obligor.strategy.problems import Flaw

__all__ = ["WORDS", "Ast", "Item", "Unary", "parse_formula", "parse_literal", "parse_unary"]

Found = TypeVar("Found")

MAX_TEXT = 4000
MAX_NESTING = 25
MAX_LEVELS = 60
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
# Words that no input, parameter or formula may be called.
WORDS = frozenset(
    {
        *("and", "or", "not", "if", "then", "else", "in", "between", "true", "false", "null", "missing"),
        *("min", "max", "abs", "round", "floor", "ceiling", "default", "known", "date", "outcome"),
    }
)
_WHOLE = re.compile(r"\s*(?P<number>[0-9]+)")
_TOKEN = re.compile(
    r"""\s*(?:(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})
      |(?P<number>[0-9]+(?:\.[0-9]+)?)
      |"(?P<string>[^"]*)"
      |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
      |(?P<mark>\.\.|\*\*|<=|>=|!=|[-+*/=<>()\[\],]))""",
    re.VERBOSE,
)


class Ast(msgspec.Struct, frozen=True):
    """A node of a formula's tree and the span of text that it came from.

    `op` is a literal's kind ("number", "string", "boolean", "null", "date"), "name", "call", "in", "between",
    "if", "neg", or the operator itself. `text` is a literal's text or a name, `items` are the tests of "in".
    `levels` counts how deep the tree is.
    """

    op: str
    start: int
    end: int
    args: tuple[Ast, ...] = ()
    text: str = ""
    items: tuple[Item, ...] = ()
    levels: int = 1


class Item(msgspec.Struct, frozen=True):
    """One unary test: "any", "null", "range" with two ends, or a comparison with one."""

    op: str
    ends: tuple[Ast, ...] = ()
    low_closed: bool = True
    high_closed: bool = True


class Unary(msgspec.Struct, frozen=True):
    """Unary tests of which one has to hold; `negated`: none may."""

    items: tuple[Item, ...]
    negated: bool = False


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    start: int
    end: int


def parse_formula(text: str) -> Ast:
    """A formula's tree.

    Raises:
        Flaw: the text is no formula of the subset.
    """
    reader = _Reader(text, bare_dates=False)
    return reader.whole(reader.expression())


def parse_unary(text: str) -> Unary:
    """A cell's unary tests.

    Raises:
        Flaw: the text is no list of unary tests; an empty cell is none either.
    """
    if not text.strip():
        raise Flaw("syntax", "an empty cell says nothing: write - where any value will do", text)
    reader = _Reader(text, bare_dates=True)
    return reader.whole(reader.cell())


def parse_literal(text: str) -> Ast:
    """A cell's or a parameter's single value: a number, date, boolean, null, quoted text or bare word.

    Raises:
        Flaw: anything else.
    """
    if not text.strip():
        raise Flaw("syntax", "an empty cell says nothing: write a value, or null where there is none", text)
    reader = _Reader(text, bare_dates=True)
    return reader.whole(reader.null() or reader.endpoint())


class _Reader:
    """A recursive-descent parser over one text, one token ahead."""

    def __init__(self, text: str, *, bare_dates: bool) -> None:
        if len(text) > MAX_TEXT:
            raise Flaw("syntax", f"longer than {MAX_TEXT} characters", text[:40])
        self.text = text
        self.tokens = list(self._scan(bare_dates))
        self.place = 0
        self.depth = 0

    def _scan(self, bare_dates: bool) -> Iterator[_Token]:
        position, stop = 0, len(self.text.rstrip())
        while position < stop:
            match = _TOKEN.match(self.text, position)
            if match is not None and match.lastgroup == "day" and not bare_dates:
                match = _WHOLE.match(self.text, position)
            if match is None or match.lastgroup is None:
                raise Flaw("syntax", "cannot be read here", self.text[position : position + 20].strip())
            kind = match.lastgroup
            yield _Token(kind, match[kind], match.end() - len(match[0].lstrip()), match.end())
            position = match.end()
        yield _Token("end", "", stop, stop)

    # ---- tokens

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.next
        self.place += 1
        return token

    def sees(self, *texts: str, ahead: int = 0) -> bool:
        token = self.tokens[min(self.place + ahead, len(self.tokens) - 1)]
        return token.kind in {"mark", "name"} and token.text in texts

    def accept(self, *texts: str) -> _Token | None:
        return self.take() if self.sees(*texts) else None

    def expect(self, *texts: str) -> _Token:
        if token := self.accept(*texts):
            return token
        raise self.flaw(f"expected {' or '.join(texts)}")

    def flaw(self, what: str) -> Flaw:
        rest = self.text[self.next.start :].strip()
        return Flaw("syntax", f"{what} before {rest[:20]!r}" if rest else f"{what} at the end", self.text)

    def whole(self, found: Found) -> Found:
        """What was read, if nothing is left."""
        if self.next.kind != "end":
            raise self.flaw("nothing more was expected")
        return found

    def node(self, op: str, start: int, *args: Ast, text: str = "", items: tuple[Item, ...] = ()) -> Ast:
        levels = 1 + max((arg.levels for arg in args), default=0)
        if levels > MAX_LEVELS:
            message = f"more than {MAX_LEVELS} operations one after the other: give a part a name of its own"
            raise Flaw("syntax", message, self.text[:40])
        return Ast(op, start, self.tokens[self.place - 1].end, args, text, items, levels)

    def nest(self, read: Callable[[], Ast]) -> Ast:
        """Read what lies one level deeper, as far as nesting may go."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Flaw("syntax", f"nested deeper than {MAX_NESTING} levels", self.text[:40])
        tree = read()
        self.depth -= 1
        return tree

    # ---- formulas, from the loosest to the tightest binding

    def expression(self) -> Ast:
        return self.nest(self.choice)

    def choice(self) -> Ast:
        start = self.next.start
        if not self.accept("if"):
            return self.disjunction()
        condition = self.expression()
        self.expect("then")
        yes = self.expression()
        self.expect("else")
        return self.node("if", start, condition, yes, self.expression())

    def disjunction(self) -> Ast:
        return self.chain(self.conjunction, "or")

    def conjunction(self) -> Ast:
        return self.chain(self.negation, "and")

    def negation(self) -> Ast:
        start = self.next.start
        if self.accept("not"):
            return self.node("not", start, self.nest(self.negation))
        return self.comparison()

    def comparison(self) -> Ast:
        start = self.next.start
        left = self.sum()
        if operator := self.accept(*COMPARISONS):
            return self.node(operator.text, start, left, self.sum())
        if self.accept("between"):
            low = self.sum()
            self.expect("and")
            return self.node("between", start, left, low, self.sum())
        if self.accept("in"):
            items = self.choices()
            return self.node("in", start, left, items=items)
        return left

    def sum(self) -> Ast:
        return self.chain(self.product, "+", "-")

    def product(self) -> Ast:
        return self.chain(self.power, "*", "/")

    def power(self) -> Ast:
        return self.chain(self.unary, "**")

    def chain(self, part: Callable[[], Ast], *operators: str) -> Ast:
        """Parts joined by operators of one rank, from the left."""
        start = self.next.start
        tree = part()
        while operator := self.accept(*operators):
            tree = self.node(operator.text, start, tree, part())
        return tree

    def unary(self) -> Ast:
        start = self.next.start
        if self.accept("-"):
            return self.node("neg", start, self.primary())
        return self.primary()

    def primary(self) -> Ast:
        start = self.next.start
        if self.accept("("):
            tree = self.expression()
            self.expect(")")
            return tree
        if self.next.kind == "name" and self.next.text != "date" and self.sees("(", ahead=1):
            name = self.take().text
            self.take()
            args = [self.expression()]
            while self.accept(","):
                args.append(self.expression())
            self.expect(")")
            return self.node("call", start, *args, text=name)
        return self.null() or self.endpoint()

    def null(self) -> Ast | None:
        start = self.next.start
        return self.node("null", start) if self.accept("null", "missing") else None

    # ---- unary tests

    def cell(self) -> Unary:
        if self.sees("-") and self.tokens[self.place + 1].kind == "end":
            self.take()
            return Unary((Item("any"),))
        if self.accept("not"):
            self.expect("(")
            items = self.tests()
            self.expect(")")
            return Unary(items, negated=True)
        return Unary(self.tests())

    def tests(self) -> tuple[Item, ...]:
        items = [self.test()]
        while self.accept(","):
            items.append(self.test())
        return tuple(items)

    def test(self) -> Item:
        if self.null():
            return Item("null")
        if operator := self.accept(*COMPARISONS):
            return Item(operator.text, (self.endpoint(),))
        if opening := self.accept("[", "(", "]"):
            return self.range(opening, self.endpoint())
        return Item("=", (self.endpoint(),))

    def range(self, opening: _Token, low: Ast) -> Item:
        self.expect("..")
        high = self.endpoint()
        closing = self.expect("]", ")", "[")
        return Item("range", (low, high), opening.text == "[", closing.text == "]")

    def choices(self) -> tuple[Item, ...]:
        """What may follow `in`: a test, or tests in parentheses or brackets."""
        opening = self.accept("(", "[")
        if opening is None:
            return (self.test(),)
        if self.sees("(", "[", "]", "null", "missing", *COMPARISONS):
            items = self.tests()
        else:
            first = self.endpoint()
            if self.sees(".."):
                return (self.range(opening, first),)
            items = (Item("=", (first,)), *(self.tests() if self.accept(",") else ()))
        self.expect(")" if opening.text == "(" else "]")
        return items

    def endpoint(self) -> Ast:
        """A literal or a name."""
        start = self.next.start
        sign = "-" if self.accept("-") else ""
        token = self.next
        if token.kind == "number":
            self.take()
            return self.node("number", start, text=sign + token.text)
        if not sign and token.kind in {"string", "day"}:
            self.take()
            return self.node("date" if token.kind == "day" else "string", start, text=token.text)
        if not sign and token.kind == "name":
            if token.text == "date":
                return self.date()
            if token.text in {"true", "false"}:
                self.take()
                return self.node("boolean", start, text=token.text)
            if token.text == "outcome" or token.text not in WORDS:
                self.take()
                return self.node("name", start, text=token.text)
        raise self.flaw("expected a number" if sign else "expected a value")

    def date(self) -> Ast:
        start = self.take().start
        self.expect("(")
        if self.next.kind != "string":
            raise self.flaw('expected a date such as "2026-11-23"')
        text = self.take().text
        self.expect(")")
        return self.node("date", start, text=text)
