"""Text to syntax trees: the FEEL subset of formulas and the S-FEEL unary tests of cells (DMN 1.5, clauses 9, 10).

Nothing here knows types or names; `check` and `cells` give the trees their meaning.
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from obligor.strategy.problems import Flaw

__all__ = ["Ast", "Item", "Tests", "WORDS", "parse_formula", "parse_literal", "parse_tests"]

MAX_TEXT = 4000
MAX_DEPTH = 40
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
# Words that no input, parameter or formula may be called.
WORDS = frozenset(
    {
        *("and", "or", "not", "if", "then", "else", "in", "between", "true", "false", "null", "missing"),
        *("min", "max", "abs", "round", "floor", "ceiling", "default", "known", "date", "outcome"),
    }
)
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
    "if", "neg", or the operator itself. `value` is a literal's text, a name, or the tests of "in".
    """

    op: str
    start: int
    end: int
    args: tuple[Ast, ...] = ()
    value: object = None


class Item(msgspec.Struct, frozen=True):
    """One unary test: "any", "null", "range" with both ends, or a comparison with `low`."""

    op: str
    low: Ast | None = None
    high: Ast | None = None
    low_closed: bool = True
    high_closed: bool = True


class Tests(msgspec.Struct, frozen=True):
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
    tree = reader.expression()
    reader.finish()
    return tree


def parse_tests(text: str) -> Tests:
    """A cell's unary tests.

    Raises:
        Flaw: the text is no list of unary tests; an empty cell is none either.
    """
    if not text.strip():
        raise Flaw("syntax", "an empty cell says nothing: write - where any value will do", text)
    reader = _Reader(text, bare_dates=True)
    tests = reader.cell()
    reader.finish()
    return tests


def parse_literal(text: str) -> Ast:
    """A cell's or a parameter's single value: a number, date, boolean, null, quoted text or bare word.

    Raises:
        Flaw: anything else.
    """
    if not text.strip():
        raise Flaw("syntax", "an empty cell says nothing: write a value, or null where there is none", text)
    reader = _Reader(text, bare_dates=True)
    tree = reader.null() or reader.endpoint()
    reader.finish()
    return tree


class _Reader:
    """A recursive-descent parser over one text, one token ahead."""

    def __init__(self, text: str, *, bare_dates: bool) -> None:
        if len(text) > MAX_TEXT:
            raise Flaw("syntax", f"longer than {MAX_TEXT} characters", text[:40])
        self.text = text
        self.tokens = list(self._scan(bare_dates))
        self.place = 0
        self.depth = 0

    def _scan(self, bare_dates: bool) -> list[_Token]:
        tokens: list[_Token] = []
        position, stop = 0, len(self.text.rstrip())
        while position < stop:
            match = _TOKEN.match(self.text, position)
            if match is not None and match.lastgroup == "day" and not bare_dates:
                match = re.compile(r"\s*(?P<number>[0-9]+)").match(self.text, position)
            if match is None or match.lastgroup is None:
                raise Flaw("syntax", "cannot be read here", self.text[position : position + 20].strip())
            tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(), match.end()))
            position = match.end()
        tokens.append(_Token("end", "", stop, stop))
        return tokens

    # ---- tokens

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.next
        self.place += 1
        return token

    def sees(self, *texts: str) -> bool:
        token = self.next
        return token.kind in {"mark", "name"} and token.text in texts

    def accept(self, *texts: str) -> _Token | None:
        return self.take() if self.sees(*texts) else None

    def expect(self, *texts: str) -> _Token:
        return self.accept(*texts) or self.fail(f"expected {' or '.join(texts)}")

    def fail(self, what: str) -> NoReturn:
        rest = self.text[self.next.start :].strip()
        raise Flaw("syntax", f"{what} before {rest[:20]!r}" if rest else f"{what} at the end", self.text)

    def finish(self) -> None:
        if self.next.kind != "end":
            self.fail("nothing more was expected")

    def node(self, op: str, start: int, *args: Ast, value: object = None) -> Ast:
        while start < len(self.text) and self.text[start].isspace():
            start += 1
        return Ast(op, start, self.tokens[self.place - 1].end, args, value)

    # ---- formulas, from the loosest to the tightest binding

    def expression(self) -> Ast:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Flaw("syntax", f"nested deeper than {MAX_DEPTH} levels", self.text[:40])
        start = self.next.start
        if self.accept("if"):
            condition = self.expression()
            self.expect("then")
            yes = self.expression()
            self.expect("else")
            tree = self.node("if", start, condition, yes, self.expression())
        else:
            tree = self.disjunction()
        self.depth -= 1
        return tree

    def disjunction(self) -> Ast:
        start = self.next.start
        tree = self.conjunction()
        while self.accept("or"):
            tree = self.node("or", start, tree, self.conjunction())
        return tree

    def conjunction(self) -> Ast:
        start = self.next.start
        tree = self.negation()
        while self.accept("and"):
            tree = self.node("and", start, tree, self.negation())
        return tree

    def negation(self) -> Ast:
        start = self.next.start
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Flaw("syntax", f"nested deeper than {MAX_DEPTH} levels", self.text[:40])
        tree = self.node("not", start, self.negation()) if self.accept("not") else self.comparison()
        self.depth -= 1
        return tree

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
            return self.node("in", start, left, value=Tests(items))
        return left

    def sum(self) -> Ast:
        start = self.next.start
        tree = self.product()
        while operator := self.accept("+", "-"):
            tree = self.node(operator.text, start, tree, self.product())
        return tree

    def product(self) -> Ast:
        start = self.next.start
        tree = self.power()
        while operator := self.accept("*", "/"):
            tree = self.node(operator.text, start, tree, self.power())
        return tree

    def power(self) -> Ast:
        start = self.next.start
        tree = self.unary()
        while self.accept("**"):
            tree = self.node("**", start, tree, self.unary())
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
        if (
            self.next.kind == "name"
            and self.next.text != "date"
            and self.tokens[self.place + 1].text == "("
            and self.tokens[self.place + 1].kind == "mark"
        ):
            name = self.take().text
            self.take()
            args = [self.expression()]
            while self.accept(","):
                args.append(self.expression())
            self.expect(")")
            return self.node("call", start, *args, value=name)
        return self.null() or self.endpoint()

    def null(self) -> Ast | None:
        start = self.next.start
        return self.node("null", start) if self.accept("null", "missing") else None

    # ---- unary tests

    def cell(self) -> Tests:
        if self.sees("-") and self.tokens[self.place + 1].kind == "end":
            self.take()
            return Tests((Item("any"),))
        if self.accept("not"):
            self.expect("(")
            items = self.tests()
            self.expect(")")
            return Tests(items, negated=True)
        return Tests(self.tests())

    def tests(self) -> tuple[Item, ...]:
        items = [self.test()]
        while self.accept(","):
            items.append(self.test())
        return tuple(items)

    def test(self) -> Item:
        if self.null():
            return Item("null")
        if operator := self.accept(*COMPARISONS):
            return Item(operator.text, self.endpoint())
        if opening := self.accept("[", "(", "]"):
            return self.range(opening, self.endpoint())
        return Item("=", self.endpoint())

    def range(self, opening: _Token, low: Ast) -> Item:
        self.expect("..")
        high = self.endpoint()
        closing = self.expect("]", ")", "[")
        return Item("range", low, high, opening.text == "[", closing.text == "]")

    def choices(self) -> tuple[Item, ...]:
        """What may follow `in`: a test, or tests in parentheses or brackets."""
        opening = self.next
        if not self.sees("(", "["):
            return (self.test(),)
        self.take()
        if self.sees("(", "[", "]", *COMPARISONS) or self.sees("null", "missing"):
            items = self.tests()
        else:
            first = self.endpoint()
            if self.sees(".."):
                return (self.range(opening, first),)
            items = (Item("=", first), *(self.tests() if self.accept(",") else ()))
        self.expect(")" if opening.text == "(" else "]")
        return items

    def endpoint(self) -> Ast:
        start = self.next.start
        if self.accept("-"):
            token = self.take()
            if token.kind == "number":
                return self.node("number", start, value=f"-{token.text}")
            self.place -= 1
            self.fail("expected a number")
        token = self.take()
        if token.kind in {"number", "string"}:
            return self.node(token.kind, start, value=token.text)
        if token.kind == "day":
            return self.node("date", start, value=token.text)
        if token.kind == "name" and token.text in {"true", "false"}:
            return self.node("boolean", start, value=token.text == "true")
        if token.kind == "name" and token.text == "date" and self.sees("("):
            self.take()
            text = self.take()
            if text.kind != "string":
                self.place -= 1
                self.fail('expected a date such as "2026-11-23"')
            self.expect(")")
            return self.node("date", start, value=text.text)
        if token.kind == "name" and (token.text == "outcome" or token.text not in WORDS):
            return self.node("name", start, value=token.text)
        self.place -= 1
        self.fail("expected a value")
