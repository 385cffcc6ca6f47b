"""The smoke world stays within the table of a credible book; one that is not credible is found out."""

from datetime import date
from typing import Any

import msgspec
import numpy as np
import pytest

from obligor.scoring import auc
from obligor.world import SMOKE, Settings, World, calibration
from obligor.world.calibration import Row, calibrate
from obligor.world.plain import PlainLender
from tests.world.lender import Lender

START = date(2024, 1, 1)


def changed(**values: Any) -> Settings:
    return msgspec.structs.replace(SMOKE, **values)


def outside(rows: list[Row]) -> set[str]:
    return {row.name for row in rows if not row.ok}


@pytest.fixture(scope="module")
def small() -> list[Row]:
    return calibrate(3, 1_500, 13, START, SMOKE)


def test_every_row_has_a_value_an_interval_a_source_and_what_it_was_measured_on(small: list[Row]) -> None:
    assert len({row.name for row in small}) == len(small) >= 34
    for row in small:
        assert row.low < row.high
        assert row.source
        assert row.count > 0
        assert row.ok is (row.low <= row.value <= row.high)


def test_what_needs_no_large_crowd_holds_in_a_small_one(small: list[Row]) -> None:
    sure = ("prepaid", "balance", "gross", "counterparties", "approved", "applications for")
    assert not [name for name in outside(small) if name.startswith(sure)]


def test_equal_seeds_measure_equal_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "LIVES", 2_000)
    once, again = (calibrate(5, 400, 13, START, SMOKE) for _ in range(2))
    assert once == again
    assert calibrate(6, 400, 13, START, SMOKE) != once


def test_the_plain_lenders_book_is_what_was_paid_back() -> None:
    lender = PlainLender(World(3, 1_500, START, SMOKE)).play(12)
    closed = [loan for loan in lender.loans.values() if loan.closed]
    assert len(closed) > 30
    assert all(loan.paid_minor >= loan.amount_minor for loan in closed)
    assert all(0 <= loan.paid_minor <= loan.cumulative_minor[-1] for loan in lender.loans.values())
    lost = {name for name, loan in lender.loans.items() if loan.written_off}
    assert lost == set().union(*(snapshot.written_off for snapshot in lender.snapshots))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_smoke_world_is_within_the_table(seed: int) -> None:
    rows = calibrate(seed, 20_000, 24, START, SMOKE)
    assert not outside(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "row"),
    [
        (changed(onset=0.03), "90+ by month 12"),
        (changed(misuse=0.15), "misusers of borrowers"),
        (changed(misuse_unseen=0.0, seen=1.0), "misuse seen at its sink"),
        (changed(misuse_hops=(0.8, 0.1, 0.1)), "misuse of two hops or more"),
        (changed(unlabelled=0.1), "counterparties without a label"),
        (changed(lines=0.0), "applications for line"),
        (changed(firms=0.0), "applications for business"),
        (changed(reversals=0.0), "transfers taken back"),
        (changed(ring=0.02), "fraud of bookings"),
    ],
)
def test_a_world_that_is_not_credible_is_found_out(settings: Settings, row: str) -> None:
    """The control of the check: each mechanism taken away, or overdone, is seen in its row."""
    assert row in outside(calibrate(7, 6_000, 13, START, settings))


@pytest.mark.slow
def test_an_oracles_cut_off_more_than_halves_the_defaults() -> None:
    world = World(17, 2_000, date(2025, 1, 1))

    def grants(application: dict[str, Any]) -> bool:
        return world.true_pd_ppm(application["reference"]) < 40_000

    everything, best = Lender(World(17, 2_000, date(2025, 1, 1))), Lender(world, grants)
    for lender in (everything, best):
        lender.keep = False
        lender.play(500)
    rates = [
        np.mean([loan.worst_12m > 90 for loan in lender.loans.values()]) for lender in (everything, best)
    ]
    assert rates[1] < 0.6 * rates[0]
    assert 0.4 < len(best.loans) / len(everything.loans) < 1.0


@pytest.mark.slow
def test_the_oracle_ranks_as_well_as_an_application_can_and_no_better() -> None:
    lender = Lender(World(17, 2_000, date(2025, 1, 1)), lambda _: False)
    lender.keep = False
    lender.play(500)
    honest = [a for a in lender.world.truth()["applications"] if not a["fraud"]]
    found = auc([a["would_have_been"]["bad_12m"] for a in honest], [-a["pd_12m_ppm"] for a in honest])
    assert 0.70 <= found <= 0.82
