"""Plots draw what they are given to scale, and say in words what they show."""

import xml.etree.ElementTree as ET

import pytest

from obligor.web import plots


def _of(drawing, kind):
    return ET.fromstring(str(drawing)).iter(kind)


def test_the_wilson_interval_is_the_published_one():
    """Newcombe 1998 (Statistics in Medicine 17), table I, method 3."""
    for bad, rows, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert plots.interval(bad, rows) == pytest.approx((low, high), abs=5e-5)
    assert plots.interval(0, 0) == (0.0, 1.0)


def test_bars_are_to_scale_and_stand_on_each_other():
    bars = [
        plots.Stack("Jan", "75 %", (("f1", 30), ("fg", 10))),
        plots.Stack("Feb", "50 %", (("f1", 10), ("fg", 10))),
    ]
    first, above, second, over = _of(plots.stacks(bars, "approved"), "rect")
    assert float(first.get("height")) == pytest.approx(3 * float(above.get("height")), abs=0.2)
    assert float(first.get("height")) == pytest.approx(3 * float(second.get("height")), abs=0.2)
    assert float(above.get("y")) + float(above.get("height")) == pytest.approx(float(first.get("y")), abs=0.1)
    assert float(over.get("height")) == pytest.approx(float(second.get("height")), abs=0.1)


def test_a_curve_ends_where_its_values_do():
    series = [plots.Curve("old", (0.0, 1.0, 2.0, 4.0)), plots.Curve("new", (0.0, 3.0, None, None))]
    old, new = _of(plots.curves(series, "vintages"), "polyline")
    assert [len(one.get("points").split()) for one in (old, new)] == [4, 2]
    heights = [float(point.split(",")[1]) for point in old.get("points").split()]
    assert heights[0] - heights[1] == pytest.approx((heights[2] - heights[3]) / 2, abs=0.2)
    assert old.get("class") != new.get("class")


def test_what_agrees_lies_on_the_line():
    points = [plots.Point(2.0, 2.0, 1.0, 3.0, 100), plots.Point(8.0, 4.0, 3.0, 5.0, 100)]
    drawing = plots.agreement(points, "calibration")
    line = next(one for one in _of(drawing, "line") if one.get("stroke-dasharray"))
    x1, x2 = (float(line.get(name).rstrip("%")) for name in ("x1", "x2"))
    y1, y2 = (float(line.get(name)) for name in ("y1", "y2"))
    on, below = [
        float(one.get("cy")) - (y1 + (float(one.get("cx").rstrip("%")) - x1) * (y2 - y1) / (x2 - x1))
        for one in _of(drawing, "circle")
    ]
    assert on == pytest.approx(0, abs=0.5)
    assert below > 1


@pytest.mark.parametrize("drawing", [plots.stacks([], "a"), plots.curves([], "a"), plots.agreement([], "a")])
def test_nothing_gives_nothing(drawing):
    assert drawing == ""


def test_names_are_text_and_never_markup():
    drawing = plots.stacks([plots.Stack("<b>", "&", (("f1", 1),))], 'a "label"')
    assert [one.text for one in _of(drawing, "text")] == ["<b>", "&"]
    assert ET.fromstring(str(drawing)).get("aria-label") == 'a "label"'


def test_ticks_are_round_and_end_at_the_top():
    for value in (0.3, 1.0, 7.2, 22.5, 96.0):
        top = plots._ceiling(value)
        ticks = plots._ticks(top)
        assert ticks[0] == 0
        assert ticks[-1] == top >= value
        assert 2 <= len(ticks) <= 7
