"""The lending catalogue: what it covers, that it reads well, and what it costs to compile."""

import subprocess
import sys

from obligor.features import AGGREGATIONS, SOURCES, describe
from obligor.features.emit_kernel import PER_FUNCTION
from tests.features.samples import CACHE, lending, starter, wide

STARTER = "c0dcff778b2f4acea8339d6c6639a086f1408b1f3169afbcd83853cd58b35395"


def test_the_starter_catalogue_has_the_digest_that_decisions_were_recorded_with():
    assert starter().sha256 == STARTER


def test_it_declares_about_sixty_features_of_every_source_and_kind():
    features = lending().features.values()
    assert 60 <= len(features) <= 70
    assert {feature.source for feature in features} == set(SOURCES)
    assert {feature.aggregation for feature in features} >= set(AGGREGATIONS) - {"first", "min"}
    assert {feature.unit for feature in features} == {"minor", "count", "days", "ratio"}
    assert any(feature.less for feature in features)


def test_no_two_features_are_the_same_or_called_the_same():
    features = lending().features
    meanings = [(*f.measures, f.scale, f.periods, bool(f.per), f.aggregation) for f in features.values()]
    assert len({repr(meaning) for meaning in meanings}) == len(meanings)
    for language in ("en", "zh"):
        texts = [getattr(f.description, language) for f in features.values()]
        assert len(set(texts)) == len(texts)
    assert not set(features) & set(starter().features)


def test_ratios_are_unknown_where_there_is_nothing_to_divide_by():
    assert all(feature.empty is None for feature in lending().features.values() if feature.per)


def test_it_is_described_in_words_and_plain_values():
    told = {one.name: one for one in describe(lending())}
    assert list(told) == list(lending().names)
    one = told["paid_to_due_90d_bp"]
    assert one.reads == "sum of repayment amount_minor, over 90 days"
    assert (one.set_against, one.other) == ("divided by", "sum of due amount_minor, over 90 days")
    assert one.declaration["scale"] == 4
    assert "counterparty_class is none" in told["unlabelled_share_90d_bp"].reads
    assert "days_past_due is at least 30" in told["downgrades_365d"].reads
    assert told["net_flow_30d_minor"].set_against == "less"
    assert told["inflow_trend_180d_minor"].reads.endswith("over 180 days in 6 periods")


def test_no_function_has_more_than_its_share_of_features():
    for catalogue in (lending(), wide()):
        text = catalogue.kernel.text
        walks = text.split("@njit(WALK")[1:]
        assert len(walks) == len(catalogue.kernel.functions)
        assert all(walk.split("@njit")[0].count("    out[") <= PER_FUNCTION for walk in walks)
        assert text.count("\n    out[") == len(catalogue.names)


def test_a_second_process_compiles_nothing():
    lending().warm()
    assert lending().place
    script = f"""
from pathlib import Path
from obligor.features import load
catalogue = load("packs/features/lending.yaml", cache_dir=Path({str(CACHE)!r}))
catalogue.warm()
functions = [*catalogue.built.walks, catalogue.built.fill, catalogue.place]
print(sum(sum(f.stats.cache_misses.values()) for f in functions))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]
