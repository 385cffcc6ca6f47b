"""Bands hold every decision once, and are as many as can be read."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obligor.kernel import InvalidInput
from obligor.portfolio import Band, ScoreCount, score_bands


def test_bands_sum_what_lies_in_them_and_leave_none_out_between() -> None:
    counts = [
        ScoreCount(601, "approve", 3, observed=2, bad=1),
        ScoreCount(619, "decline", 2),
        ScoreCount(661, "refer", 1),
        ScoreCount(661, "approve", 5, observed=5),
    ]
    assert score_bands(counts) == (
        Band(600, 619, decided=5, approved=3, declined=2, observed=2, bad=1),
        Band(620, 639),
        Band(640, 659),
        Band(660, 679, decided=6, approved=5, referred=1, observed=5),
    )


def test_there_are_no_more_bands_than_can_be_read() -> None:
    counts = [ScoreCount(score, "approve", 1) for score in (0, 299)]
    assert len(score_bands(counts)) == 15
    bands = score_bands([*counts, ScoreCount(300, "approve", 1)])
    assert (len(bands), bands[0].high) == (8, 39)


def test_scores_below_zero_have_bands_too() -> None:
    bands = score_bands([ScoreCount(-5, "decline", 1), ScoreCount(5, "approve", 1)], most=2)
    assert [(band.low, band.high) for band in bands] == [(-20, -1), (0, 19)]


def test_nothing_decided_has_no_bands_and_no_width_is_refused() -> None:
    assert score_bands([]) == ()
    with pytest.raises(InvalidInput, match="width"):
        score_bands([], width=0)
    with pytest.raises(InvalidInput, match="most"):
        score_bands([], most=1)


COUNTS = st.lists(
    st.builds(
        ScoreCount,
        st.integers(-300, 1200),
        st.sampled_from(["approve", "refer", "decline", "other"]),
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40)
@given(COUNTS, st.integers(1, 60), st.integers(2, 20))
def test_bands_are_those_that_duckdb_counts(counts: list[ScoreCount], width: int, most: int) -> None:
    bands = score_bands(counts, width=width, most=most)
    assert len(bands) <= most
    assert [after.low for after in bands[1:]] == [band.high + 1 for band in bands[:-1]]
    points = bands[0].high - bands[0].low + 1
    assert points % width == 0
    with duckdb.connect() as db:
        db.execute("CREATE TABLE c (score INT, outcome TEXT, decided INT, observed INT, bad INT)")
        db.executemany(
            "INSERT INTO c VALUES (?, ?, ?, ?, ?)",
            [(one.score, one.outcome, one.decided, one.observed, one.bad) for one in counts],
        )
        found = db.execute(
            "SELECT CAST(floor(score / ?) AS INT) * ? AS low, SUM(decided),"
            " COALESCE(SUM(decided) FILTER (WHERE outcome = 'approve'), 0),"
            " COALESCE(SUM(decided) FILTER (WHERE outcome = 'refer'), 0),"
            " COALESCE(SUM(decided) FILTER (WHERE outcome = 'decline'), 0), SUM(observed), SUM(bad)"
            " FROM c GROUP BY low",
            [points, points],
        ).fetchall()
    told = {(b.low, b.decided, b.approved, b.referred, b.declined, b.observed, b.bad) for b in bands}
    assert set(found) <= told
    assert sum(band.decided for band in bands) == sum(one.decided for one in counts)
