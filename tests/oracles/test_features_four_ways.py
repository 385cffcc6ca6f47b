"""Online, backfill, plain Python and DuckDB: four ways to the same features, bit for bit."""

from pathlib import Path

import pytest

from obligor.features import Catalogue, backfill, settle, table
from tests.features import duck
from tests.features.crowd import Crowd, crowd, differing
from tests.features.samples import lending, wide


def four_ways(catalogue: Catalogue, some: Crowd, place: Path) -> dict[str, dict[str, int]]:
    raw = table(some.events)
    filled = backfill([settle(raw)], some.spine, catalogue).select(catalogue.names)
    values = filled.to_numpy()
    assert (values != 0).mean() > 0.2, "most features should say something"
    return {
        "online": differing(filled, some.online(catalogue)),
        "plain Python": differing(filled, some.plain(catalogue)),
        "DuckDB": differing(filled, duck.values(catalogue, raw, some.spine, place)),
    }


@pytest.mark.parametrize("catalogue", [lending, wide], ids=["lending", "wide"])
def test_four_ways_give_the_same_bits(catalogue, tmp_path):
    differences = four_ways(catalogue(), crowd(1, 60, 25), tmp_path)
    assert differences == {"online": {}, "plain Python": {}, "DuckDB": {}}


def test_the_comparison_finds_what_sees_one_event_too_many(tmp_path):
    some = crowd(2, 30, 10)
    raw = table(some.events)
    filled = backfill([settle(raw)], some.spine, lending()).select(lending().names)
    later = some.spine.with_columns(some.spine["known_upto"] + 1)
    assert differing(filled, duck.values(lending(), raw, later, tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_thousand_cells_have_the_same_bits_four_ways(tmp_path):
    some = crowd(3, 4_000, 50)
    assert len(some.spine) == 200_000
    differences = four_ways(lending(), some, tmp_path)
    assert differences == {"online": {}, "plain Python": {}, "DuckDB": {}}
