"""`obligor model`: train a points model, and validate one on loans whose end is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import polars as pl
import yaml
from cyclopts import Parameter

from obligor import scoring
from obligor.app.packs import place
from obligor.cli import model_report
from obligor.cli.common import app, run, show
from obligor.kernel import InvalidInput
from obligor.scoring import Characteristic, PointsModel, Report
from obligor.sources import Book, Mapping
from obligor.world import World

__all__ = ["main"]

cli = app("model", __doc__)
SIMULATED = "simulated"
BOOK = "Historical book"
INDETERMINATE_DAYS = 30
START = date(2024, 1, 1)
TARGET = "bad"
_OVER_LIFE = (
    "The outcome is how each loan ended. The model's probability is for the window that it was trained on: it"
    " should rank these loans, and expect fewer bads than there were."
)

Data = Annotated[Path | None, Parameter(help="A lender's table, Parquet or CSV.")]
Named = Annotated[
    str, Parameter(help="The mapping that explains it, or `simulated` for simulated applicants.")
]
Json = Annotated[bool, Parameter(name="--json", negative="")]
People = Annotated[int, Parameter(help="How many simulated applicants.")]
Seed = Annotated[int, Parameter(help="The simulation's seed: other people for another one.")]


class _Sample(NamedTuple):
    """Rows with known outcomes, what describes them, and which of their columns is their date."""

    frame: pl.DataFrame
    characteristics: tuple[Characteristic, ...]
    label: str
    note: str
    known_on: date | None
    base_rate: tuple[int, int] | None

    @property
    def order(self) -> str | None:
        return next((name for name in ("issued_on", "applied_on") if name in self.frame.columns), None)


@cli.command
def train(
    *,
    data: Data = None,
    mapping: Named = SIMULATED,
    kind: Literal["logistic", "boosted"] = "boosted",
    pairs: Annotated[int, Parameter(help="How many pairs may act together, at most (boosted).")] = 3,
    known_on: Annotated[
        date | None, Parameter(help="The day of training; the mapping's if not given.")
    ] = None,
    name: str = "application",
    version: str = "1",
    out: Annotated[Path, Parameter(help="Where the model goes, as JSON.")] = Path("model.json"),
    people: People = 6_000,
    seed: Seed = 7,
    as_json: Json = False,
) -> int:
    """Train on what was knowable on a day, and write the model as JSON: `POST /v1/models` takes it.

    Open loans are no goods. The same table gives the same file.
    """
    sample = _sample(data, mapping, lambda book: _knowable(book, known_on), _People(people, seed))
    options: dict[str, Any] = {
        "name": name,
        "version": version,
        "known_on": sample.known_on,
        "note": sample.note,
        "base_rate": sample.base_rate,
    }
    if kind == "boosted":
        options |= {"order": sample.order, "pairs": pairs}
    trainer = scoring.train_boosted if kind == "boosted" else scoring.train
    model = trainer(sample.frame, TARGET, sample.characteristics, **options)
    out.write_bytes(model.to_json())
    training = model.artifact.training
    told = {
        "model": str(out),
        "sha256": model.sha256,
        "kind": kind,
        "label": sample.label,
        "rows": training.rows,
        "bads": training.bads,
        "known_on": training.known_on,
        "auc_training": training.auc_ppm / 1_000_000,
        "characteristics": [c.name for c in model.characteristics],
        "pairs": [[pair.first, pair.second] for pair in model.pairs],
        "dropped": {dropped.name: dropped.why for dropped in training.dropped},
        "method": training.method,
    }
    lines = [
        f"{name} {version} from {training.rows:,} rows, {training.bads:,} of them bad ({sample.label})",
        f"AUC {training.auc_ppm / 1_000_000:.4f} on its own rows; for others see `obligor model validate`",
        f"{len(model.tables)} characteristics, {len(model.pairs)} pairs, {len(training.dropped)} left out",
        f"sha256 {model.sha256}",
        f"written to {out}",
    ]
    show(told, as_json, lambda: "\n".join(lines))
    return 0


@cli.command
def validate(
    model: Annotated[Path, Parameter(help="A model as JSON.")],
    *,
    data: Data = None,
    mapping: Named = SIMULATED,
    out: Annotated[Path, Parameter(help="Where the report goes, as HTML.")] = Path("validation.html"),
    people: People = 6_000,
    seed: Seed = 8,
    as_json: Json = False,
) -> int:
    """Measure a model on the mapping's deciding window, as its loans ended, and write a report.

    1 where the tables break a direction of risk that the model declares.
    """
    scorer = PointsModel.from_json(model.read_bytes())
    sample = _sample(data, mapping, _ended, _People(people, seed))
    found = scoring.report(scorer, sample.frame, TARGET, by=sample.order)
    out.write_text(model_report.html(found, scorer, sample.label, sample.note), encoding="utf-8")
    show(
        msgspec.to_builtins(found) | {"label": sample.label, "html": str(out)},
        as_json,
        lambda: _text(found, sample.label, out),
    )
    return 0 if all(one.holds for one in found.monotone) else 1


def _sample(
    data: Path | None, mapping: str, of_book: Callable[[Book], _Sample], simulated: _People
) -> _Sample:
    if mapping == SIMULATED:
        if data is not None:
            raise InvalidInput.field("--data", str(data), "nothing, or --mapping and the name of its mapping")
        return simulated.sample()
    if data is None:
        raise InvalidInput.field("--data", None, f"the table that the mapping {mapping} explains")
    return of_book(Book.open(data, Mapping.load(mapping)))


def _knowable(book: Book, known_on: date | None) -> _Sample:
    """What was knowable on a day, or on the mapping's."""
    mapping, training = book.mapping, book.mapping.spec.training
    return _Sample(
        frame=book.training_frame(known_on),
        characteristics=mapping.declarations(),
        label=BOOK,
        note=f"book {mapping.name}, what was knowable",
        known_on=known_on or (training.known_on if training else None),
        base_rate=book.base_rate(known_on),
    )


def _ended(book: Book) -> _Sample:
    """The loans of the deciding window as they ended."""
    ended = book.deciding_frame().filter(pl.col(TARGET).is_not_null())
    return _Sample(ended, book.mapping.declarations(), BOOK, _OVER_LIFE, None, None)


class _People(NamedTuple):
    people: int
    seed: int

    def sample(self) -> _Sample:
        """Past applicants of the simulated lender; those who were late but not bad are left out."""
        declared = yaml.safe_load(place("scorecards/starter.yaml").read_text(encoding="utf-8"))
        history = World(self.seed, 10, START).history(self.people)
        return _Sample(
            frame=history.filter((pl.col(TARGET) == 1) | (pl.col("worst_dpd_12m") < INDETERMINATE_DAYS)),
            characteristics=tuple(msgspec.convert(declared, list[Characteristic])),
            label="Simulated data",
            note=f"simulated past, seed {self.seed}",
            known_on=START,
            base_rate=None,
        )


def _text(found: Report, label: str, out: Path) -> str:
    holds = sum(group.holds for group in found.groups)
    broken = [one.name for one in found.monotone if not one.holds]
    return "\n".join(
        [
            f"{found.model} {found.version} on {found.rows:,} rows, {found.bads:,} of them bad ({label})",
            f"AUC    {found.auc:.4f} ± {found.auc_error:.4f} (standard error, DeLong)",
            f"Gini   {found.gini:.4f}   KS {found.ks:.4f}",
            f"Brier  {found.brier:.4f}, {found.brier_of_rate:.4f} if all were alike",
            f"PD     {holds} of {len(found.groups)} groups within the exact 95 % interval",
            f"risk   {'moves as declared, in every cell' if not broken else 'turns in ' + ', '.join(broken)}",
            f"report {out}",
        ]
    )


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
