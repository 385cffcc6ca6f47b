"""Drawings show the numbers that they are made of."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.web import charts, flow

RECT = re.compile(r'<rect class="(\w+)" x="([\d.]+)%" width="([\d.]+)%"')


def rects(svg):
    return [(kind, float(x), float(width)) for kind, x, width in RECT.findall(svg)]


@given(st.integers(300, 700), st.lists(st.integers(-60, 60), max_size=15))
def test_the_waterfall_ends_where_the_score_is(base, parts):
    fall = charts.waterfall(base, parts, [("refer", 600), ("approve", 640)])
    at = rects(fall.base)[0][2]
    unit = (rects(fall.total)[0][2] - at) / sum(parts) if sum(parts) else None
    for points, row in zip(parts, fall.parts, strict=True):
        kind, x, width = rects(row)[0]
        assert kind == ("f1" if points >= 0 else "f2")
        assert (x if points >= 0 else x + width) == pytest.approx(at, abs=0.45)
        at = x + width if points > 0 else x
        if unit:
            assert width == pytest.approx(max(abs(points * unit), 0.4), abs=0.3)
    assert rects(fall.total)[0][2] == pytest.approx(at, abs=1 + 0.02 * len(parts))


def test_a_waterfall_needs_no_cut_off():
    assert "<text" not in charts.waterfall(560, [10, -20], []).head


def test_what_is_named_cannot_be_markup():
    assert "<b>" not in charts.meter(1, 0, 2, '"><b>')
    assert "<b>" not in charts.due_and_paid([charts.Bar("<b>", 1, 0, True)], None, "x", "y")
    move = flow.Move("a", "<b>", 5, "<b>", "bad")
    assert "<b>" not in flow.draw([move], "<b>", "<b>", lambda amount: "<b>", ("<b>", "<b>"))


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_meter_is_never_fuller_than_full(used, reserved, limit):
    drawn = rects(charts.meter(used, reserved, limit, "x"))
    assert sum(width for kind, _, width in drawn if kind in {"f1", "fs"}) <= 100.01


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=4))
def test_a_split_bar_is_in_proportion(amounts):
    drawn = rects(charts.split_bar([("f1", amount) for amount in amounts], "x"))
    for amount, (_, _, width) in zip(amounts, drawn, strict=True):
        assert width == pytest.approx(amount * 100 / sum(amounts), abs=0.32)


def test_heat_rises_with_the_share_and_ends_at_the_top():
    classes = [charts.heat(share, 12.0) for share in (0, 0.1, 2.5, 4.5, 6.5, 8.5, 11, 12, 80)]
    assert classes == ["h0", "h1", "h2", "h3", "h4", "h5", "h6", "h6", "h6"]


def test_an_unpaid_rest_is_outlined_only_when_it_is_past_due():
    late, early = (
        charts.due_and_paid([charts.Bar("Nov", 100, 40, late)], 1, "x", "y") for late in (True, False)
    )
    assert 'class="k2"' in late
    assert 'class="k2"' not in early


def test_curves_need_two_points():
    assert charts.sparkline([1], "x") == ""
    assert charts.steps([], 5, "x") == ""
    assert flow.draw([], "a", "x", str, ("l", "r")) == ""


BOX = re.compile(r'<rect class="\w+" x="([\d.]+)" y="([\d.]+)" width="10" height="([\d.]+)"')
moves = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 10**7)).filter(lambda m: m[0] != m[1]),
    min_size=1,
    max_size=12,
)


@given(moves)
def test_places_of_a_flow_do_not_cover_each_other_even_when_money_goes_in_circles(found):
    drawn = flow.draw(
        [flow.Move(str(a), str(b), n, str(b), "exit" if b == 6 else "seen") for a, b, n in found],
        "loan",
        "x",
        str,
        ("l", "r"),
    )
    boxes = sorted((float(x), float(y), float(tall)) for x, y, tall in BOX.findall(drawn))
    assert len(boxes) == len({place for a, b, _ in found for place in (a, b)})
    for (x1, y1, tall), (x2, y2, _) in pairwise(boxes):
        assert x1 < x2 or y1 + tall < y2
    assert drawn.count("<path") == len(found)
