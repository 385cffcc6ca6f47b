"""Run the benchmarks and write their results down: `python tools/bench_all.py [NAME ...]`.

Without names every benchmark in bench/ is run, one after the other. What each prints last is kept in
docs/benchmarks.json, in which those that were not run now keep their last result, and docs/benchmarks.md is
made from it. A goal that is missed is shown as missed, and a benchmark that failed as failed.

`--table` runs nothing and makes the page anew.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT, PAGE = ROOT / "docs" / "benchmarks.json", ROOT / "docs" / "benchmarks.md"
MOST_SECONDS = 1800
SHOWN_BEFORE_POINT = 100

HEAD = """\
# Benchmarks

Made by `make bench-all`; `make bench B=name` runs one. Ours and the peer do the same work in turn, in one
run, and the medians are shown. The ratio says how many times better ours is, so that every goal is a minimum.
A ratio counts; the figures beside it are those of the machine named below, on that day, with whatever else
ran on it.
What each benchmark does, and how its peer is used, is written at the head of its file in `bench/`.

"""
COLUMNS = ("case", "ours", "peer", "ratio", "goal", "holds", "unit")


def benches() -> list[str]:
    """The benchmarks there are: files that can be run and use the harness."""
    return [
        path.stem
        for path in sorted((ROOT / "bench").glob("*.py"))
        if "bench.harness" in (text := path.read_text(encoding="utf-8")) and "__main__" in text
    ]


def result_of(output: str, code: int) -> dict[str, Any]:
    """What a run printed last, or that it failed."""
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1])
        _ = found["cases"], found["machine"]
    except (IndexError, ValueError, TypeError, KeyError):
        return {"failed": f"no result; it ended with {code}"}
    return dict(found)


def run(name: str) -> dict[str, Any]:
    """Run one benchmark; its progress goes to stderr."""
    command = [sys.executable, "-m", f"bench.{name}"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {MOST_SECONDS} seconds"}
    return result_of(done.stdout, done.returncode)


def figure(value: float) -> str:
    """A number with as many digits as say something."""
    size = abs(value)
    if size >= SHOWN_BEFORE_POINT:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= SHOWN_BEFORE_POINT / 10 else f"{value:.3g}"


def cell(value: object) -> str:
    """Text that stays within its cell."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def rows(name: str, result: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    """The table's rows of one benchmark."""
    if "failed" in result:
        yield (f"`{name}`", "", "", "", "", "**failed**", cell(result["failed"]))
        return
    for case in result["cases"]:
        spread = case.get("spread")
        between = f" ({figure(spread[0])} to {figure(spread[1])})" if spread else ""
        yield (
            f"`{name}` {cell(case['case'])}",
            figure(case["ours"]),
            f"{figure(case['peer'])}: {cell(case['peer_name'])}",
            f"{figure(case['ratio'])}{between}",
            figure(case["goal"]),
            "yes" if case["holds"] else "**missed**",
            cell(case["unit"]),
        )


def machine(result: dict[str, Any]) -> str:
    """Where and when."""
    where = result.get("machine", {})
    told = (
        f"{where.get('cpu', 'unknown')}, {where.get('cores', '?')} cores, Python {where.get('python', '?')}"
    )
    return f"{told}, load {where.get('load', '?')}, {result['date']}"


def render(results: dict[str, dict[str, Any]]) -> str:
    """The page."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---:|---|---:|---:|---|---|"]
    for name, result in sorted(results.items()):
        lines.extend("| " + " | ".join(row) + " |" for row in rows(name, result))
    cases = [case for result in results.values() for case in result.get("cases", ())]
    missed = sum(not case["holds"] for case in cases)
    failed = sum("failed" in result for result in results.values())
    counts = f"{len(cases)} cases, {missed} missed" + (f"; {failed} benchmarks failed" if failed else "")
    where = [f"- `{name}`: {machine(result)}" for name, result in sorted(results.items())]
    return HEAD + "\n".join([*lines, "", f"{counts}.", "", "## Where and when", "", *where, ""])


def main(arguments: list[str]) -> int:
    known = benches()
    table_only = arguments == ["--table"]
    names = [] if table_only else arguments or known
    if unknown := sorted(set(names) - set(known)):
        sys.stderr.write(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(known)}.\n")
        return 2
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    results = {name: result for name, result in kept.items() if name in known}
    for name in names:
        sys.stderr.write(f"== {name}\n")
        results[name] = run(name) | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
        # After each, so that a run that is cut off loses nothing.
        KEPT.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        PAGE.write_text(render(results), encoding="utf-8")
    if table_only:
        PAGE.write_text(render(results), encoding="utf-8")
    done = [results[name] for name in names]
    return 0 if all("cases" in one and all(case["holds"] for case in one["cases"]) for one in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
