"""Charts with axes for reports, as SVG, in the manner of `obligor.web.charts`.

Lengths across are in percent, so that text never scales; curves are drawn in an inner picture that does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
from markupsafe import Markup, escape

__all__ = ["SERIES", "Curve", "Point", "Stack", "agreement", "curves", "interval", "stacks"]

# Classes of series in order, with the light theme's colours.
SERIES = (("e1", "#2a6496"), ("e2", "#c8741a"), ("e3", "#2f8f83"), ("e4", "#87568f"))
_FILL = {"f1": "#2a6496", "f2": "#c8741a", "f3": "#2f8f83", "f4": "#87568f", "f6": "#8a929b", "fg": "#dcdfe2"}
_TALL, _FOOT, _HEAD = 150.0, 22.0, 14.0
# A bar and the space beside it take no more of the width than this.
_WIDEST = 16.0
# Names of bars that find room beside one another on a desk.
_NAMED_MOST = 14


class Stack(msgspec.Struct, frozen=True):
    """A bar: its name, what stands over it, and its parts from the foot up as (class, amount)."""

    name: str
    over: str
    parts: tuple[tuple[str, int], ...]


class Curve(msgspec.Struct, frozen=True):
    """A series by its name: values from 0 on at the places 0, 1, 2 …; None where it ends."""

    name: str
    values: tuple[float | None, ...]


class Point(msgspec.Struct, frozen=True):
    """What was expected, what was found of `rows`, and the interval that the finding leaves open."""

    expected: float
    found: float
    low: float
    high: float
    rows: int


def interval(bad: int, rows: int) -> tuple[float, float]:
    """The Wilson score interval of a share, 95 % (Wilson 1927, JASA 22)."""
    if rows == 0:
        return 0.0, 1.0
    z, share = 1.959964, bad / rows
    middle = share + z * z / (2 * rows)
    spread = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    whole = 1 + z * z / rows
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def stacks(bars: Sequence[Stack], label: str) -> Markup:
    """Upright bars on one scale; where there are many, not every name is written, and fewer on a phone."""
    if not bars:
        return Markup()
    most = max(sum(amount for _, amount in bar.parts) for bar in bars) or 1
    pitch = min(100 / len(bars), _WIDEST)
    every = -(-len(bars) // _NAMED_MOST)
    foot = _HEAD + _TALL
    drawn = f'<line class="kl" x1="0" x2="100%" y1="{foot:g}" y2="{foot:g}" stroke="#c9c4b9"/>'
    for index, bar in enumerate(bars):
        x, width, top = index * pitch + pitch * 0.14, pitch * 0.72, foot
        for kind, amount in bar.parts:
            tall = amount * _TALL / most
            top -= tall
            drawn += (
                f'<rect class="{kind}" x="{x:.2f}%" width="{width:.2f}%" y="{top:.1f}" height="{tall:.1f}"'
                f' fill="{_FILL[kind]}"/>'
            )
        if index % every:
            continue
        wide = " wide" if len(bars) > 8 and index // every % 2 else ""
        drawn += _words(x + width / 2, foot + 16, bar.name, "middle", f"i3{wide}")
        drawn += _words(x + width / 2, top - 4, bar.over, "middle", f"i2{wide}")
    return _svg(drawn, label, foot + _FOOT)


def curves(series: Sequence[Curve], label: str, *, unit: str = " %", across: str = "") -> Markup:
    """Lines over places from 0 on, at most as many as there are `SERIES`; `across` names the places."""
    length = max((len(one.values) for one in series), default=0)
    if length < 2:
        return Markup()
    top = _ceiling(max((value for one in series for value in one.values if value is not None), default=0.0))
    foot = _HEAD + _TALL

    def y(value: float) -> float:
        return foot - min(value, top) * _TALL / top

    drawn = _grid(top, y, unit)
    step = _step(length - 1, 8)
    for place in range(0, length, step):
        x = place * 100 / (length - 1)
        anchor = {0: "start", length - 1: "end"}.get(place, "middle")
        drawn += _words(x, foot + 16, f"{place}{across if place + step >= length else ''}", anchor, "i3")
    lines = ""
    for one, (kind, colour) in zip(series, SERIES, strict=False):
        known = [(place, value) for place, value in enumerate(one.values) if value is not None]
        path = " ".join(f"{place * 100 / (length - 1):.2f},{y(value):.1f}" for place, value in known)
        lines += (
            f'<polyline class="{kind}" points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"'
            ' vector-effect="non-scaling-stroke"/>'
        )
    picture = f'width="100%" height="{foot:g}" viewBox="0 0 100 {foot:g}"'
    drawn += f'<svg {picture} preserveAspectRatio="none">{lines}</svg>'
    return _svg(drawn, label, foot + _FOOT)


def agreement(points: Sequence[Point], label: str, *, unit: str = " %") -> Markup:
    """What was expected across against what was found upright, with its interval; on the line they agree."""
    if not points:
        return Markup()
    top = _ceiling(max(max(one.expected, one.high) for one in points))
    foot = _HEAD + _TALL + 40

    def y(value: float) -> float:
        return foot - value * (foot - _HEAD) / top

    def x(value: float) -> float:
        return 1 + value * 98 / top

    drawn = _grid(top, y, unit)
    drawn += (
        f'<line class="k3" x1="{x(0):.2f}%" y1="{y(0):.1f}" x2="{x(top):.2f}%" y2="{y(top):.1f}"'
        ' stroke="#636b75" stroke-dasharray="3 3"/>'
    )
    for tick in _ticks(top)[1:]:
        drawn += _words(x(tick), foot + 16, f"{tick:g}{unit}", "end" if tick == top else "middle", "i3")
    for one in points:
        drawn += (
            f'<line class="k1" x1="{x(one.expected):.2f}%" x2="{x(one.expected):.2f}%" y1="{y(one.low):.1f}"'
            f' y2="{y(one.high):.1f}" stroke="#2a6496"/>'
            f'<circle class="f1" cx="{x(one.expected):.2f}%" cy="{y(one.found):.1f}" r="3.5" fill="#2a6496"/>'
        )
    return _svg(drawn, label, foot + _FOOT)


def _grid(top: float, y: Callable[[float], float], unit: str) -> str:
    drawn = ""
    for tick in _ticks(top):
        at = y(tick)
        drawn += (
            f'<line class="kl" x1="0" x2="100%" y1="{at:.1f}" y2="{at:.1f}" stroke="#c9c4b9"'
            f' stroke-width="{1 if tick == 0 else 0.5}"/>'
        )
        if tick:
            drawn += _words(0, at - 3, f"{tick:g}{unit}", "start", "i3")
    return drawn


def _ticks(top: float) -> list[float]:
    """Values from 0 to the top, as people count."""
    sizes = (size * 10.0**power for power in range(-3, 7) for size in (1, 2, 2.5, 5))
    step = next((size for size in sizes if top / size <= 5), top)
    found = [round(step * place, 10) for place in range(int(top / step + 1e-9) + 1)]
    return found if found[-1] == top else [*found, top]


def _ceiling(value: float) -> float:
    """The next round number above a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(size * power for size in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if size * power >= value)


def _step(places: int, most: int) -> int:
    """How far apart places are named, so that there are not more names than that."""
    return next((step for step in (1, 2, 3, 6, 12, 24, 60) if places / step <= most), 120)


def _words(x: float, y: float, text: str, anchor: str, kind: str) -> str:
    fill = {"i1": "#1b2026", "i2": "#49515b", "i3": "#636b75"}[kind[:2]]
    place = f'x="{x:.2f}%" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place} fill="{fill}">{escape(text)}</text>'


def _svg(inner: str, label: str, height: float) -> Markup:
    head = f'<svg role="img" aria-label="{escape(label)}" width="100%" height="{height:g}">'
    return Markup(f"{head}{inner}</svg>")  # noqa: S704
