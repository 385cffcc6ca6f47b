"""Where loan money went, drawn: places in columns by distance from the loan, ribbons as wide as the money."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from markupsafe import Markup, escape

__all__ = ["Move", "draw"]

WIDTH = 820
LABEL = 190
TALL = 170
GAP = 20
LEAST = 2.0
LINE = 32.0

_FILLS = {
    "bad": ("f2", "#c8741a"),
    "exit": ("f6", "#8a929b"),
    "good": ("f3", "#2f8f83"),
    "seen": ("f1", "#2a6496"),
}


class Move(msgspec.Struct, frozen=True):
    """Loan money from one place to another. Ids tell places apart, names are shown.

    `kind` is the target's: seen for a place that we see, exit for one that we do not, bad for a prohibited
    one, good for another that has a name.
    """

    source: str
    target: str
    amount: int
    target_name: str
    kind: str


class _Place:
    """A box of the drawing while it is laid out."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.column = 0
        self.taken = 0
        self.given = 0
        self.top = 0.0
        self.scale = 0.0

    @property
    def amount(self) -> int:
        return max(self.taken, self.given)

    @property
    def tall(self) -> float:
        return max(self.amount * self.scale, LEAST)


def draw(
    moves: Sequence[Move], start: str, label: str, write: Callable[[int], str], sides: tuple[str, str]
) -> Markup:
    """The flow as SVG; nothing without moves.

    The first move's source is called `start`. `write` puts amounts into words. Places that we lose stand
    right of a dashed line; `sides` names what is left and right of it.
    """
    if not moves:
        return Markup()
    places = _places(moves, start)
    last = _columns(moves, places)
    _stack(places.values(), last)
    tall = max(place.top + max(place.tall, LINE) for place in places.values()) + 26

    def across(place: _Place) -> float:
        return 2 + place.column * (WIDTH - LABEL - 12) / max(last, 1)

    seen, unseen = sides
    drawn = "".join(_ribbons(moves, places, across))
    if any(place.kind != "seen" for place in places.values()):
        border = 2 + (WIDTH - LABEL - 12) - 26
        drawn += (
            f'<line class="k3" x1="{border}" x2="{border}" y1="0" y2="{tall:.0f}" stroke="#636b75"'
            ' stroke-dasharray="5 4"/>'
            f'<text class="i3" x="{border - 8}" y="{tall - 4:.0f}" text-anchor="end" fill="#636b75">'
            f"{escape(seen)}</text>"
            f'<text class="i3" x="{border + 8}" y="{tall - 4:.0f}" fill="#636b75">{escape(unseen)}</text>'
        )
    drawn += "".join(_box(place, across(place), write) for place in places.values())
    head = f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {tall:.0f}" width="100%">'
    return Markup(f"{head}{drawn}</svg>")  # noqa: S704


def _places(moves: Sequence[Move], start: str) -> dict[str, _Place]:
    first = moves[0].source
    places = {first: _Place(start, "seen")}
    for move in moves:
        if move.target != first:
            places.setdefault(move.target, _Place(move.target_name, move.kind))
    for move in moves:
        source = places.setdefault(move.source, _Place(move.source, "seen"))
        source.given += move.amount
        places[move.target].taken += move.amount
    return places


def _columns(moves: Sequence[Move], places: dict[str, _Place]) -> int:
    """Set each place's column, its greatest distance from the loan, and return the last one.

    Money may go in circles: no distance is greater than there are places.
    """
    for _ in places:
        changed = False
        for move in moves:
            wanted = places[move.source].column + 1
            if move.source != move.target and places[move.target].column < wanted < len(places):
                places[move.target].column = wanted
                changed = True
        if not changed:
            break
    last = max(place.column for place in places.values())
    for place in places.values():
        if place.kind != "seen":
            place.column = last
    return last


def _stack(places: Iterable[_Place], last: int) -> None:
    """Set how tall places are and where each begins, the greatest of a column on top."""
    columns: list[list[_Place]] = [[] for _ in range(last + 1)]
    for place in places:
        columns[place.column].append(place)
    scale = TALL / (max(sum(place.amount for place in column) for column in columns) or 1)
    for column in columns:
        top = 14.0
        for place in sorted(column, key=lambda place: -place.amount):
            place.top, place.scale = top, scale
            top += max(place.tall, LINE) + GAP


def _ribbons(
    moves: Sequence[Move], places: dict[str, _Place], across: Callable[[_Place], float]
) -> Iterable[str]:
    """Ribbons that leave and arrive in the order of what stands above, so that they cross least."""
    leaves = {name: place.top for name, place in places.items()}
    arrives = dict(leaves)
    begun: dict[int, float] = {}
    for move in sorted(moves, key=lambda move: (places[move.target].top, -places[move.target].column)):
        begun[id(move)] = leaves[move.source]
        leaves[move.source] += move.amount * places[move.source].scale
    for move in sorted(moves, key=lambda move: places[move.source].top):
        source, target = places[move.source], places[move.target]
        tall = max(move.amount * source.scale, LEAST)
        x1, x2 = across(source) + 10, across(target)
        y1, y2 = begun[id(move)], arrives[move.target]
        arrives[move.target] += move.amount * target.scale
        middle = (x1 + x2) / 2
        kind, fill = ("fg", "#dcdfe2") if target.kind == "exit" else ("fs", "#b9d0e2")
        yield (
            f'<path class="{kind}" fill="{fill}" fill-opacity=".75" d="M{x1:.1f} {y1:.1f}'
            f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}V{y2 + tall:.1f}"
            f'C{middle:.1f} {y2 + tall:.1f} {middle:.1f} {y1 + tall:.1f} {x1:.1f} {y1 + tall:.1f}Z"/>'
        )


def _box(place: _Place, left: float, write: Callable[[int], str]) -> str:
    kind, fill = _FILLS[place.kind]
    middle = place.top + max(place.tall / 2 - 2, 8)
    return (
        f'<rect class="{kind}" x="{left:.1f}" y="{place.top:.1f}" width="10" height="{place.tall:.1f}"'
        f' fill="{fill}"/>'
        f'<text class="i1" x="{left + 16:.1f}" y="{middle:.1f}" fill="#1b2026">{escape(place.name)}</text>'
        f'<text class="i2" x="{left + 16:.1f}" y="{middle + 15:.1f}" fill="#49515b">'
        f"{escape(write(place.amount))}</text>"
    )
