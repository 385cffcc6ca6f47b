"""Small charts as SVG, made here: they need no script, print well, and say in words what they show.

Lengths across are in percent of the chart's width, so that text never scales. Colours are those of the light
theme as attributes, for engines that know no style sheet; the classes follow the theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
from markupsafe import Markup, escape

__all__ = [
    "Bar",
    "Step",
    "Waterfall",
    "due_and_paid",
    "heat",
    "line",
    "meter",
    "outcomes",
    "sparkline",
    "split_bar",
    "steps",
    "waterfall",
]

_FILL = {"f1": "#2a6496", "f2": "#c8741a", "f3": "#2f8f83", "f6": "#8a929b", "fg": "#dcdfe2", "fs": "#b9d0e2"}
_FILL["i1"] = "#1b2026"
_STROKE = {"k1": "#2a6496", "k2": "#c8741a", "k3": "#636b75", "ki": "#1b2026", "kl": "#c9c4b9"}


def _rect(kind: str, x: float, width: float, y: float, height: float) -> str:
    width = max(width, 0.0)
    return (
        f'<rect class="{kind}" x="{x:.2f}%" width="{width:.2f}%" y="{y:g}" height="{height:g}"'
        f' fill="{_FILL[kind]}"/>'
    )


def _rule(kind: str, x: float, top: float, bottom: float, more: str = "") -> str:
    return (
        f'<line class="{kind}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{top:g}" y2="{bottom:g}"'
        f' stroke="{_STROKE[kind]}"{more}/>'
    )


def _words(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    fill = {"i1": "#1b2026", "i2": "#49515b", "i3": "#636b75"}[kind[:2]]
    place = f'x="{x:.2f}%" y="{y:g}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place} fill="{fill}">{escape(text)}</text>'


def _svg(inner: str, label: str | None = None, height: float | None = None) -> Markup:
    said = f' role="img" aria-label="{escape(label)}"' if label else ' aria-hidden="true"'
    tall = f' height="{height:g}"' if height else ""
    return Markup(f"<svg{said}{tall}>{inner}</svg>")  # noqa: S704


# ---- The score


class Waterfall(msgspec.Struct, frozen=True):
    """A score's way from its base to what it is: a head with the cut-offs, and one drawing a row."""

    head: Markup
    base: Markup
    parts: tuple[Markup, ...]
    total: Markup


def waterfall(
    base: int, parts: Sequence[int], cutoffs: Sequence[tuple[str, int]], label: str = ""
) -> Waterfall:
    """Draw base + parts against the cut-offs, given as (name, points); the last of them is drawn solid.

    The axis runs a little beyond everything that is drawn and does not begin at 0: the base has no foot.
    """
    running = [base]
    for part in parts:
        running.append(running[-1] + part)
    marks = sorted((points, name) for name, points in cutoffs)
    low = min([*running, *(points for points, _ in marks)])
    high = max([*running, *(points for points, _ in marks)])
    edge = max((high - low) // 8, 10)
    low, high = low - edge, high + edge

    def at(points: float) -> float:
        return (points - low) * 100 / (high - low)

    def rules(reach: int) -> str:
        drawn = ""
        for index, (points, _) in enumerate(marks):
            if index == len(marks) - 1:
                drawn += _rule("ki", at(points), -reach, 25 + reach, ' stroke-width="1.5"')
            else:
                drawn += _rule("k3", at(points), -reach, 25 + reach, ' stroke-dasharray="3 3"')
        return drawn

    rows = []
    for before, after in pairwise(running):
        kind = "f1" if after >= before else "f2"
        joint = _rule("kl", at(before), -6, 6)
        bar = _rect(kind, at(min(before, after)), max(abs(after - before) * 100 / (high - low), 0.4), 6, 13)
        rows.append(_svg(rules(0) + joint + bar))
    names = "".join(
        _words("i1" if index == len(marks) - 1 else "i3", at(points), 19, str(points), "middle")
        for index, (points, _) in enumerate(marks)
    )
    return Waterfall(
        head=_svg(names, label),
        base=_svg(rules(0) + _rect("f6", 0, at(base), 6, 13)),
        parts=tuple(rows),
        total=_svg(rules(0) + _rect("i1", 0, at(running[-1]), 8, 9)),
    )


# ---- Rows of tables and figures


def sparkline(values: Sequence[int], label: str) -> Markup:
    """A curve without axes, from the least value to the greatest, its last point marked."""
    if len(values) < 2:
        return Markup()
    low, high = min(values), max(values)
    span = high - low or 1
    points = [
        (index * 100 / (len(values) - 1), 24 - (value - low) * 22 / span)
        for index, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return _svg(
        '<svg viewBox="0 0 100 26" width="98%" height="26" preserveAspectRatio="none">'
        f'<polyline class="k1" points="{path}" fill="none" stroke="#2a6496" stroke-width="1.3"'
        ' vector-effect="non-scaling-stroke"/></svg>'
        f'<circle class="f1" cx="98%" cy="{points[-1][1]:.1f}" r="2.5" fill="#2a6496"/>',
        label,
        26,
    )


def meter(used: int, reserved: int, limit: int, label: str, alarm: int = 90) -> Markup:
    """A cap's use: committed, reserved on top, a tick where it becomes alarming. A full bar is the limit."""
    whole = limit or 1
    first = min(used * 100 / whole, 100)
    second = min(reserved * 100 / whole, 100 - first)
    return _svg(
        _rect("fg", 0, 100, 0, 10)
        + _rect("f1", 0, first, 0, 10)
        + _rect("fs", first, second, 0, 10)
        + _rule("ki", alarm, -2, 12),
        label,
    )


def outcomes(approved: int, referred: int, declined: int, most: int, label: str) -> Markup:
    """A band's decisions as one bar, on the scale of the fullest band."""
    drawn, x = "", 0.0
    for kind, value in (("f1", approved), ("f2", referred), ("fg", declined)):
        width = value * 100 / (most or 1)
        drawn += _rect(kind, x, width, 0, 10)
        x += width
    return _svg(drawn, label)


def split_bar(parts: Sequence[tuple[str, int]], label: str) -> Markup:
    """A whole in its parts, each (class, amount), with thin gaps between."""
    whole = sum(amount for _, amount in parts) or 1
    drawn, x = "", 0.0
    for kind, amount in parts:
        width = amount * 100 / whole
        drawn += _rect(kind, x, width - (0.3 if width > 1 else 0), 0, 18)
        x += width
    return _svg(drawn, label, 18)


def heat(share: float, top: float) -> str:
    """The class of a heat cell, h0 to h6: `share` of `top`, which is where the scale ends."""
    if share <= 0 or top <= 0:
        return "h0"
    return f"h{min(6, 1 + int(share * 6 / top))}"


# ---- A loan's life


class Bar(msgspec.Struct, frozen=True):
    """An instalment: what was due, what of it was paid, whether the rest is past due."""

    name: str
    due: int
    paid: int
    past_due: bool


def due_and_paid(bars: Sequence[Bar], today: int | None, label: str, today_label: str) -> Markup:
    """Bars of instalments in order; `today` is how many were due by the day of the page."""
    if not bars:
        return Markup()
    most = max(bar.due for bar in bars) or 1
    pitch = 100 / len(bars)
    every = max(1, -(-len(bars) // 12))
    drawn = '<line class="kl" x1="0" x2="100%" y1="120" y2="120" stroke="#c9c4b9"/>'
    for index, bar in enumerate(bars):
        x, width = index * pitch + pitch * 0.19, pitch * 0.62
        tall = bar.due * 100 / most
        full = min(bar.paid, bar.due) * 100 / most
        drawn += _rect("fg", x, width, 120 - tall, tall)
        drawn += _rect("f1", x, width, 120 - full, full)
        if bar.past_due and full < tall:
            drawn += (
                f'<rect class="k2" x="{x:.2f}%" width="{width:.2f}%" y="{120 - tall:.1f}"'
                f' height="{tall - full:.1f}" fill="none" stroke="#c8741a" stroke-width="2"/>'
            )
        if index % every == 0:
            kind = "i3 wide" if len(bars) > 8 and index // every % 2 else "i3"
            drawn += _words(kind, x + width / 2, 137, bar.name, "middle")
    if today is not None and 0 < today < len(bars):
        drawn += _rule("ki", today * pitch, 0, 124)
        left = today * pitch > 85
        drawn += _words(
            "i1", today * pitch + (-0.6 if left else 0.6), 9, today_label, "end" if left else "start"
        )
    return _svg(drawn, label, 142)


class Step(msgspec.Struct, frozen=True):
    """A value at a position from 0 to 1."""

    at: float
    value: int


def steps(points: Sequence[Step], top: int, label: str) -> Markup:
    """A line of steps from 0 to `top`: each value holds until the next."""
    corners = []
    for before, after in pairwise([*points, Step(1.0, points[-1].value)] if points else []):
        corners += [before, Step(after.at, before.value)]
    return line(corners, top, label, kind="k1")


def line(
    corners: Sequence[Step], top: int, label: str, *, rules: Iterable[tuple[int, str]] = (), kind: str = "k2"
) -> Markup:
    """A line through corners from 0 to `top`, with rules at values that matter, named at their left end."""
    if not corners or top <= 0:
        return Markup()

    def y(value: int) -> float:
        return 64 - min(value, top) * 60 / top

    path = " ".join(f"{corner.at * 100:.2f},{y(corner.value):.1f}" for corner in corners)
    drawn = '<line class="kl" x1="0" x2="100%" y1="64" y2="64" stroke="#c9c4b9"/>'
    for value, name in rules:
        if value <= top:
            drawn += (
                f'<line class="k3" x1="0" x2="100%" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#636b75"'
                ' stroke-dasharray="3 3"/>'
            )
            drawn += _words("i3", 0, y(value) - 3, name)
    drawn += (
        '<svg viewBox="0 0 100 68" width="100%" height="68" preserveAspectRatio="none">'
        f'<polyline class="{kind}" points="{path}" fill="none" stroke="{_STROKE[kind]}"'
        ' stroke-width="1.6" vector-effect="non-scaling-stroke"/></svg>'
    )
    return _svg(drawn, label, 68)
