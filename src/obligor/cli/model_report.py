"""A validation report: one HTML file that needs nothing else, in the console's design language."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from obligor.scoring import PointsModel, Report
from obligor.web import charts, plots

__all__ = ["html"]

HERE = Path(__file__).parent / "templates"
STYLE = Path(charts.__file__).parent / "static" / "obligor.css"
MOVED, MAYBE = (
    0.25,
    0.10,
)  # PSI from which a distribution counts as another one, or is looked at (Siddiqi 2006)


def html(report: Report, model: PointsModel, label: str, note: str = "") -> str:
    """The report as one HTML document.

    `label` says whether its data are simulated or a real book's, `note` what else a reader must know of them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("model_report.html").render(
        report=report,
        label=label,
        note=note,
        simulated="simul" in label.lower(),
        style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704  our own file
        calibration=_calibration(report),
        bands=_bands(report),
        months=_months(report),
        tables=_tables(model),
        percent=lambda ppm, places=1: f"{ppm / 10_000:.{places}f} %",
        state=_state,
        minus=lambda text: text.replace("-", "−"),
    )


def _state(psi: float) -> str:
    """The mark of a stability index."""
    return "bad" if psi >= MOVED else "warn" if psi >= MAYBE else "good"


def _calibration(report: Report) -> Markup:
    points = [
        plots.Point(
            expected=group.expected_ppm / 10_000,
            found=group.observed_ppm / 10_000,
            low=group.low_ppm / 10_000,
            high=group.high_ppm / 10_000,
            rows=group.rows,
        )
        for group in report.groups
    ]
    words = ", ".join(f"{one.expected:.1f} % expected, {one.found:.1f} % found" for one in points)
    return plots.agreement(points, f"Expected and observed bad rate by group. {words}")


def _bands(report: Report) -> Markup:
    bars = [
        plots.Stack(
            f"{group.lowest_score}–{group.highest_score}",
            f"{group.observed_ppm / 10_000:.1f} %",
            (("f2", group.bads), ("f1", group.rows - group.bads)),
        )
        for group in reversed(report.groups)
    ]
    words = ", ".join(f"{bar.name}: {bar.over} bad" for bar in bars)
    return plots.stacks(bars, f"Rows and bad rate by score. {words}")


def _months(report: Report) -> Markup:
    expected = tuple(period.expected_ppm / 10_000 for period in report.periods)
    observed = tuple(period.observed_ppm / 10_000 for period in report.periods)
    series = [plots.Curve("expected", expected), plots.Curve("observed", observed)]
    return plots.curves(series, "Expected and observed bad rate by month", across=" months")


def _tables(model: PointsModel) -> tuple[tuple[str, str, tuple[tuple[str, int, int, int], ...]], ...]:
    """Of each characteristic: name, text, and of each cell what it holds, its points, rows and bads."""
    return tuple(
        (
            table.layout.characteristic.name,
            table.layout.characteristic.reason.en,
            tuple(
                (label, cell.points, cell.rows, cell.bads)
                for label, cell in zip(table.layout.labels, table.cells, strict=True)
            ),
        )
        for table in model.tables
    )
