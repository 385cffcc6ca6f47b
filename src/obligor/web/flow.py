"""Where loan money went, drawn: nodes in columns by distance from the loan, ribbons as wide as the money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from markupsafe import Markup, escape

__all__ = ["Move", "draw"]

WIDTH = 1000
LABEL = 220
TALL = 190
GAP = 26
LEAST = 2.0


class Move(msgspec.Struct, frozen=True):
    """Loan money from one place to another; ids tell places apart, names are shown.

    `kind` is seen for a place that we see, exit for one that we do not, bad for a prohibited one, good for one
    that is allowed.
    """

    source: str
    target: str
    amount: int
    target_name: str
    kind: str


class _Node:
    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.column = 0
        self.taken = 0
        self.given = 0
        self.top = 0.0
        self.out_at = 0.0
        self.in_at = 0.0

    @property
    def amount(self) -> int:
        return max(self.taken, self.given)


def _columns(moves: Sequence[Move], nodes: dict[str, _Node]) -> int:
    """Set each node's column: its greatest distance from where money came from; cycles end the walk."""
    for _ in range(len(nodes)):
        changed = False
        for move in moves:
            wanted = nodes[move.source].column + 1
            if move.source != move.target and nodes[move.target].column < wanted < len(nodes):
                nodes[move.target].column = wanted
                changed = True
        if not changed:
            break
    return max(node.column for node in nodes.values())


def draw(moves: Sequence[Move], start: str, label: str, write: object, seen: str, unseen: str) -> Markup:
    """The flow as SVG. `write` turns an amount into words; `seen` and `unseen` name the sides of our sight.

    Places that we do not see, or that end a flow, stand right of a dashed line.
    """
    if not moves:
        return Markup()
    nodes = _nodes(moves, start)
    last = _columns(moves, nodes)
    for node in nodes.values():
        if node.kind != "seen":
            node.column = last
    scale = _place(nodes.values(), last)
    tall = max(node.top + max(node.amount * scale, LEAST) for node in nodes.values()) + 30

    def x(column: int) -> float:
        return 2 + column * (WIDTH - LABEL - 12) / max(last, 1)

    drawn = "".join(_ribbon(move, nodes, scale, x) for move in moves)
    if any(node.kind != "seen" for node in nodes.values()):
        border = x(last) - 28
        drawn += (
            f'<line class="k3" x1="{border:.0f}" x2="{border:.0f}" y1="0" y2="{tall:.0f}" stroke="#636b75"'
            ' stroke-dasharray="5 4"/>'
            f'<text class="i3" x="{border - 8:.0f}" y="{tall - 4:.0f}" text-anchor="end" fill="#636b75">'
            f"{escape(seen)}</text>"
            f'<text class="i3" x="{border + 8:.0f}" y="{tall - 4:.0f}" fill="#636b75">{escape(unseen)}</text>'
        )
    drawn += "".join(_box(node, scale, x, write) for node in nodes.values())
    head = f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {tall:.0f}" width="100%">'
    return Markup(f"{head}{drawn}</svg>")  # noqa: S704


def _nodes(moves: Sequence[Move], start: str) -> dict[str, _Node]:
    nodes: dict[str, _Node] = {}
    first = moves[0].source
    for move in moves:
        nodes.setdefault(move.source, _Node(start if move.source == first else move.source, "seen"))
        node = nodes.setdefault(move.target, _Node(move.target_name, move.kind))
        if move.target != first:
            node.name, node.kind = move.target_name, move.kind
        nodes[move.source].given += move.amount
        node.taken += move.amount
    nodes[first].kind = "first"
    nodes[first].kind = "seen"
    return nodes


def _place(nodes: Iterable[_Node], last: int) -> float:
    """Set each node's top, column by column, and return how tall one unit of money is."""
    nodes = list(nodes)
    columns = [[node for node in nodes if node.column == column] for column in range(last + 1)]
    most = max(sum(node.amount for node in column) for column in columns) or 1
    scale = TALL / most
    for column in columns:
        top = 18.0
        for node in sorted(column, key=lambda node: -node.amount):
            node.top = node.out_at = node.in_at = top
            top += max(node.amount * scale, 30.0) + GAP
    return scale


def _ribbon(move: Move, nodes: dict[str, _Node], scale: float, x: object) -> str:
    source, target = nodes[move.source], nodes[move.target]
    tall = max(move.amount * scale, LEAST)
    x1, x2 = x(source.column) + 10, x(target.column)  # type: ignore[operator]
    y1, y2 = source.out_at, target.in_at
    source.out_at += tall
    target.in_at += tall
    middle = (x1 + x2) / 2
    kind, fill = ("fg", "#dcdfe2") if move.kind == "exit" else ("fs", "#b9d0e2")
    return (
        f'<path class="{kind}" fill="{fill}" fill-opacity=".75" d="M{x1:.1f} {y1:.1f}'
        f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}V{y2 + tall:.1f}"
        f'C{middle:.1f} {y2 + tall:.1f} {middle:.1f} {y1 + tall:.1f} {x1:.1f} {y1 + tall:.1f}Z"/>'
    )


def _box(node: _Node, scale: float, x: object, write: object) -> str:
    kind, fill = {
        "bad": ("f2", "#c8741a"),
        "good": ("f3", "#2f8f83"),
        "exit": ("f6", "#8a929b"),
    }.get(node.kind, ("f1", "#2a6496"))
    left = x(node.column)  # type: ignore[operator]
    tall = max(node.amount * scale, LEAST)
    middle = node.top + tall / 2
    return (
        f'<rect class="{kind}" x="{left:.1f}" y="{node.top:.1f}" width="10" height="{tall:.1f}" fill="{fill}"/>'
        f'<text class="i1" x="{left + 16:.1f}" y="{middle:.1f}" fill="#1b2026">{escape(node.name)}</text>'
        f'<text class="i2" x="{left + 16:.1f}" y="{middle + 15:.1f}" fill="#49515b">'
        f"{escape(write(node.amount))}</text>"  # type: ignore[operator]
    )
