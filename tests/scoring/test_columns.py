"""Many rows at once: the same score, probability and reasons as one by one."""

import numpy as np
import polars as pl
import pytest

from obligor.kernel import InvalidInput
from obligor.scoring import PointsModel, columns
from obligor.scoring.kernel import distinct
from tests.scoring.samples import applicants, model, paired


def rows_of(scorer: PointsModel, frame: pl.DataFrame) -> list[dict]:
    scores = [scorer.score(row) for row in frame.to_dicts()]
    return [{"score": s.points, "pd_ppm": s.pd_ppm, "reasons": list(s.reasons)} for s in scores]


@pytest.mark.parametrize("scorer", [model, paired])
def test_columns_are_what_rows_get(scorer):
    frame = applicants(3_000, seed=11)
    found = scorer().columns(frame)
    assert found.schema == {"score": pl.Int64, "pd_ppm": pl.Int64, "reasons": pl.List(pl.String)}
    assert found.to_dicts() == rows_of(scorer(), frame)


def test_slices_join_without_a_seam(monkeypatch):
    monkeypatch.setattr(columns, "_SLICE", 7)
    frame = applicants(100, seed=12)
    assert paired().columns(frame).to_dicts() == rows_of(paired(), frame)
    contributions = paired().score_frame(frame, contributions=True)
    for row, given in zip(frame.to_dicts(), contributions.to_dicts(), strict=True):
        found = paired().score(row)
        assert [given[f"points_{c.name}"] for c in found.contributions] == [
            c.points for c in found.contributions
        ]


def test_a_frame_without_rows_has_none():
    assert model().columns(applicants(10).clear()).height == 0


def test_columns_of_other_types_give_the_same_or_are_refused():
    frame = applicants(300, seed=13)
    expected = paired().columns(frame)
    for change in (
        pl.col("arrears").cast(pl.Int8),
        pl.col("income").cast(pl.UInt64),
        pl.col("housing").cast(pl.Categorical),
        (pl.col("usage").cast(pl.Decimal(10, 3)) / 1000).cast(pl.Decimal(10, 3)),
    ):
        assert paired().columns(frame.with_columns(change)).equals(expected)
    for change, name in ((pl.col("income") * 1.0, "income"), (pl.lit(2**60).alias("arrears"), "arrears")):
        with pytest.raises(InvalidInput) as refused:
            paired().columns(frame.with_columns(change))
        assert [violation.field for violation in refused.value.violations] == [name]
    with pytest.raises(InvalidInput, match="income"):
        paired().columns(frame.drop("income"))


def test_the_most_negative_number_is_refused_and_not_taken_for_missing():
    frame = applicants(5, seed=14).with_columns(income=pl.lit(-(2**63), dtype=pl.Int64))
    with pytest.raises(InvalidInput, match="income"):
        model().columns(frame)


def test_keys_are_told_apart_however_many_there_are():
    r = np.random.default_rng(1)
    keys = r.integers(0, 1_000_000, 60_000)
    keys[::2] = keys[1::2] << 20
    place = np.empty(len(keys), np.int64)
    found = distinct(keys, place)
    assert (found[place] == keys).all()
    assert len(set(found.tolist())) == len(found)
    assert len(found) > 4_096
