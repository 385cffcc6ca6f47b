"""The points model: exact sums, typed facts, reasons, and a file that cannot be changed unnoticed."""

import json
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from obligor.kernel import Corrupted, InvalidInput, encode, sha256_hex
from obligor.scoring import Artifact, Cell, Pair, PointsModel, Scale, Table, Training, monotone
from obligor.scoring.layout import Layout
from tests.scoring.samples import applicants, characteristic, facts, model, paired


def given(name: str, **changes):
    return {c.name: c for c in model().score(facts(**changes)).contributions}[name]


def rewritten(change) -> bytes:
    """The model's file with one thing changed, as canonical as before."""
    content = json.loads(model().to_json())
    change(content)
    data = encode(content)
    assert data != model().to_json()
    return data


def test_a_score_is_its_base_and_the_sum_of_its_contributions():
    score = model().score(facts())
    assert score.points == score.base + sum(c.points for c in score.contributions)
    assert [c.name for c in score.contributions] == [c.name for c in model().characteristics]
    assert all(c.points <= c.most for c in score.contributions)


def test_a_fact_is_the_same_written_down_or_typed():
    assert model().score(facts(usage="0.25")) == model().score(facts(usage=250))
    assert model().score(facts(usage="0.2500000")) == model().score(facts(usage=250))
    assert model().score(facts(usage="-0.001")) == model().score(facts(usage=-1))


def test_a_threshold_belongs_to_the_bin_above_it():
    table = next(t for t in model().tables if t.layout.characteristic.name == "income")
    cut = table.layout.cuts[0]
    assert given("income", income=cut - 1).points == table.cells[0].points
    assert given("income", income=cut).points == table.cells[1].points


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("income", 6_000.0),
        ("income", float("nan")),
        ("income", "6000"),
        ("income", True),
        ("income", 2**53 + 1),
        ("usage", 0.25),
        ("usage", "0.2501"),
        ("usage", "1e3"),
        ("usage", "٣"),
        ("usage", " 1"),
        ("usage", "1" * 17),
        ("housing", 3),
        ("housing", False),
        ("employed", "true"),
        ("employed", 1),
        ("channel", ["app"]),
    ],
)
def test_a_fact_of_another_type_is_refused_by_name(name, fact):
    with pytest.raises(InvalidInput) as refused:
        model().score(facts(**{name: fact}))
    assert [violation.field for violation in refused.value.violations] == [name]


def test_an_absent_fact_is_not_a_missing_one():
    known = facts()
    del known["income"], known["channel"]
    with pytest.raises(InvalidInput) as refused:
        model().score(known)
    assert [violation.field for violation in refused.value.violations] == ["income", "channel"]
    assert model().score(facts(income=None, channel=None)).points


def test_facts_that_the_model_does_not_read_are_ignored():
    assert "noise" not in [c.name for c in model().characteristics]
    assert model().score(facts(noise=1.5, colour="red")) == model().score(facts())


def test_a_special_code_is_no_quantity():
    """-2 and -1 lie below every number of months in arrears, and have cells of their own."""
    table = next(t for t in model().tables if t.layout.characteristic.name == "arrears")
    cells = dict(zip(table.layout.labels, table.cells, strict=True))
    assert given("arrears", arrears=-2).points == cells["-2"].points
    assert given("arrears", arrears=-1).points == cells["-1"].points
    assert given("arrears", arrears=-3).points == table.cells[0].points
    assert cells["-2"].points != cells["-1"].points


def test_an_unseen_category_counts_as_declared():
    other = given("housing", housing="barge")
    assert given("housing", housing="never heard of") == other
    assert given("housing", housing=None) != other
    assert given("channel", channel="never heard of") == given("channel", channel=None)
    assert given("channel", channel="branch") != given("channel", channel=None)


def test_the_pd_is_a_table_over_the_score_and_never_rises_with_it():
    table = model().artifact.pd_ppm
    assert all(low >= high for low, high in pairwise(table))
    assert len(table) == model().highest - model().lowest + 1
    score = model().score(facts())
    assert score.pd_ppm == table[score.points - model().lowest]


def test_the_best_and_the_worst_applicant_are_at_the_ends_of_the_scale():
    best, worst = {}, {}
    for table in model().tables:
        values = {cell: value for value, cell in table.layout.exact.items()}
        for cell in range(table.layout.plain):
            cuts = table.layout.cuts
            values.setdefault(cell, cuts[cell] - 1 if cell < len(cuts) else (cuts or (0,))[-1])
        values.setdefault(table.layout.other, "never heard of")
        points = [cell.points for cell in table.cells]
        kind = table.layout.characteristic.kind
        for found, cell in ((best, points.index(max(points))), (worst, points.index(min(points)))):
            value = values[cell]
            found[table.layout.characteristic.name] = value == "true" if kind == "bool" and value else value
    assert model().score(best).points == model().highest
    assert model().score(best).reasons == ()
    assert model().score(worst).points == model().lowest


def test_reasons_are_what_cost_most_and_ties_go_by_declared_order():
    score = model().score(facts(income=500, arrears=5, housing="rent", usage="0.999", channel="web"))
    lost = {c.name: c.most - c.points for c in score.contributions}
    declared = [c.name for c in model().characteristics]
    expected = sorted((name for name in declared if lost[name]), key=lambda n: (-lost[n], declared.index(n)))
    assert list(score.reasons) == [name.upper() for name in expected[:4]]
    assert len(score.reasons) == 4
    assert all(model().reasons[code].en and model().reasons[code].zh for code in score.reasons)


def test_a_frame_is_scored_as_its_rows_are():
    frame = applicants(500, seed=2)
    columns = model().score_frame(frame, contributions=True)
    for row, column in zip(frame.to_dicts(), columns.to_dicts(), strict=True):
        score = model().score(row)
        assert (score.points, score.pd_ppm) == (column["score"], column["pd_ppm"])
        assert [column[f"points_{c.name}"] for c in score.contributions] == [
            c.points for c in score.contributions
        ]


def test_a_frame_may_hold_decimals_as_texts_or_as_decimals_and_no_floats():
    frame = applicants(200, seed=3)
    expected = model().score_frame(frame)
    as_decimal = frame.with_columns((pl.col("usage").cast(pl.Decimal(10, 3)) / 1000).cast(pl.Decimal(10, 4)))
    as_text = as_decimal.with_columns(pl.col("usage").cast(pl.String))
    assert as_text["usage"][0].count(".") == 1
    assert model().score_frame(as_decimal).equals(expected)
    assert model().score_frame(as_text).equals(expected)
    with pytest.raises(InvalidInput, match="usage"):
        model().score_frame(frame.with_columns(pl.col("usage") / 1000))
    with pytest.raises(InvalidInput, match="housing"):
        model().score_frame(frame.drop("housing"))


def test_a_model_is_the_same_after_a_round_trip_through_its_file():
    again = PointsModel.from_json(model().to_json(), sha256=model().sha256)
    assert again.to_json() == model().to_json()
    assert again.sha256 == model().sha256 == sha256_hex(model().to_json())
    assert again.score(facts()) == model().score(facts())


def test_every_changed_byte_of_the_file_is_found():
    data = model().to_json()
    for place in np.random.default_rng(0).integers(0, len(data), 50):
        changed = bytearray(data)
        changed[place] ^= 1
        assert bytes(changed) != data
        with pytest.raises(Corrupted):
            PointsModel.from_json(bytes(changed), sha256=model().sha256)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["tables"][0]["cells"].pop(),
        lambda m: m["tables"][0]["layout"]["cuts"].reverse(),
        lambda m: m["pd_ppm"].pop(),
        lambda m: m["pd_ppm"].reverse(),
        lambda m: m.update(lowest=m["lowest"] + 1),
        lambda m: m["tables"][0]["cells"][0].update(points=-900),
        lambda m: m["tables"][2]["layout"]["characteristic"].update(specials=[-1, -1]),
    ],
)
def test_a_table_that_contradicts_itself_is_corrupted_whatever_its_digest(change):
    with pytest.raises(Corrupted, match="contradicts itself"):
        PointsModel.from_json(rewritten(change))


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"format":"obligor-points-2"}', b"\xff"])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(InvalidInput):
        PointsModel.from_json(data)


def by_hand(*tables: tuple[int, int], pairs: tuple[Pair, ...] = (), ends=None) -> PointsModel:
    """A model of yes-or-no characteristics c0, c1 …, each with its points for true and for false.

    With pairs, `ends` are the lowest and the highest points that there can be.
    """

    def cells(*points: int) -> tuple[Cell, ...]:
        return tuple(Cell(points=p, rows=1, bads=0, evidence_ppm=0) for p in points)

    made = tuple(
        Table(
            layout=Layout(
                characteristic=characteristic(f"c{n}", "bool", unseen="missing"),
                groups=(("true",), ("false",)),
            ),
            cells=cells(true, false, min(true, false)),
            iv_ppm=0,
            coefficient_ppm=1_000_000,
        )
        for n, (true, false) in enumerate(tables)
    )
    lowest, highest = ends or (500 + sum(min(t) for t in tables), 500 + sum(max(t) for t in tables))
    training = Training(rows=1, bads=0, known_on=None, note="", regularisation_ppm=1, auc_ppm=1, dropped=())
    return PointsModel(
        Artifact(
            format="obligor-points-2" if pairs else "obligor-points-1",
            name="hand",
            version="1",
            target="bad",
            scale=Scale(),
            training=training,
            base=500,
            tables=made,
            lowest=lowest,
            pd_ppm=tuple(range(900_000, 900_000 - (highest - lowest) - 1, -1)),
            pairs=pairs,
        )
    )


def test_a_score_by_hand():
    hand = by_hand((30, -10), (5, 0), (-20, 40))
    score = hand.score({"c0": False, "c1": True, "c2": None})
    assert (score.points, score.base) == (500 - 10 + 5 - 20, 500)
    assert score.contributions == (("c0", -10, 30), ("c1", 5, 5), ("c2", -20, 40))
    assert score.reasons == ("C2", "C0")
    assert score.pd_ppm == 900_000 - (score.points - hand.lowest)


def test_equal_losses_are_named_in_declared_order_and_four_at_most():
    hand = by_hand((10, 0), (10, 0), (12, 0), (10, 0), (10, 0), (3, 3))
    assert hand.score({f"c{n}": False for n in range(6)}).reasons == ("C2", "C0", "C1", "C3")
    assert hand.score({f"c{n}": n != 4 for n in range(6)}).reasons == ("C4",)
    assert hand.score({f"c{n}": True for n in range(6)}).reasons == ()


def test_a_model_without_pairs_has_the_bytes_that_it_had_before_there_were_any():
    hand = by_hand((30, -10), (5, 0), (-20, 40))
    assert hand.sha256 == "7d29bf980e98439c847f5c8d0fa5458995fe0e99018074ea67e7278fdef91daa"
    assert b"pairs" not in hand.to_json()
    assert b"method" not in hand.to_json()
    assert PointsModel.from_json(hand.to_json(), sha256=hand.sha256).to_json() == hand.to_json()


# True, false and missing of c0 downwards, of c1 across: together they are worth 7 more, apart 5 less.
TOGETHER = Pair(first="c0", second="c1", points=((7, -5, 0), (-5, 7, 0), (0, 0, 0)))


def test_a_pair_by_hand():
    """Points are c0 30/-10, c1 5/0; half of the pair goes to each, the odd one to the first."""
    hand = by_hand((30, -10), (5, 0), (-20, 40), pairs=(TOGETHER,), ends=(500 - 15 - 20 + 5, 500 + 42 + 40))
    score = hand.score({"c0": True, "c1": False, "c2": True})
    assert score.points == 500 + 30 + 0 - 5 - 20
    # c1 could give 5 + 7 instead of 0 - 5, c0 being what it is; c0 gives more than any other c0 would.
    assert score.contributions == (("c0", 30 - 2, 30 - 2), ("c1", 0 - 3, 0 - 3 + 17), ("c2", -20, 40))
    assert score.reasons == ("C2", "C1")
    best = hand.score({"c0": True, "c1": True, "c2": False})
    assert (best.points, best.reasons) == (hand.highest, ())
    assert best.contributions[:2] == (("c0", 34, 34), ("c1", 8, 8))
    assert hand.score({"c0": False, "c1": True, "c2": None}).points == hand.lowest + 0
    assert PointsModel.from_json(hand.to_json()).to_json() == hand.to_json()


@pytest.mark.parametrize(
    "pairs",
    [
        (Pair(first="c0", second="c9", points=((0,) * 3,) * 3),),
        (Pair(first="c0", second="c1", points=((0,) * 3,) * 2),),
        (Pair(first="c0", second="c1", points=((0,) * 2,) * 3),),
        (TOGETHER, Pair(first="c1", second="c2", points=((0,) * 3,) * 3)),
        (Pair(first="c0", second="c0", points=((0,) * 3,) * 3),),
    ],
)
def test_a_pair_that_does_not_fit_its_tables_is_corrupted(pairs):
    with pytest.raises(Corrupted, match="pair"):
        by_hand((30, -10), (5, 0), (-20, 40), pairs=pairs, ends=(400, 600))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format="obligor-points-1"),
        lambda m: m.pop("pairs"),
        lambda m: m["pairs"][0]["points"][0].__setitem__(0, 9_000),
        lambda m: m["pairs"][0].update(second="income"),
    ],
)
def test_a_file_whose_pairs_were_changed_is_corrupted(change):
    content = json.loads(paired().to_json())
    change(content)
    with pytest.raises(Corrupted, match="contradicts itself"):
        PointsModel.from_json(encode(content))


def test_monotonicity_is_looked_up_and_not_believed():
    """The file says that risk falls with income; one cell of a pair that says otherwise is found."""
    assert all(one.holds for one in monotone(paired().artifact))
    content = json.loads(paired().to_json())
    pair = next(p for p in content["pairs"] if p["first"] == "income")
    row = next(n for n, points in enumerate(pair["points"][1:], 1))
    pair["points"][row][0] -= 60
    artifact = paired().artifact
    changed = json.loads(encode(content["pairs"]))
    turned = Artifact(
        **{
            name: getattr(artifact, name)
            for name in artifact.__struct_fields__
            if name not in {"pairs", "lowest", "pd_ppm"}
        },
        pairs=tuple(
            Pair(first=p["first"], second=p["second"], points=tuple(tuple(r) for r in p["points"]))
            for p in changed
        ),
        lowest=artifact.lowest,
        pd_ppm=artifact.pd_ppm,
    )
    found = {one.name: one for one in monotone(turned)}
    assert not found["income"].holds
    assert found["income"].falls > 0
    assert found["arrears"].holds
