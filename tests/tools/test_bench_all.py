"""The page of results says what was measured, and hides nothing that was missed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool, with an empty repository of its own."""
    spec = importlib.util.spec_from_file_location("bench_all", ROOT / "tools" / "bench_all.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "bench").mkdir()
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "KEPT", tmp_path / "docs" / "benchmarks.json")
    monkeypatch.setattr(module, "PAGE", tmp_path / "docs" / "benchmarks.md")
    return module


def result(**case: Any) -> dict[str, Any]:
    given = {
        "case": "fifo_vs_python", "ours": 9_123_456.7, "peer": 312_345.6, "peer_name": "plain | Python",
        "unit": "transfers/s", "ratio": 29.21, "spread": [28.0, 31.5], "goal": 15, "holds": True, **case,
    }  # fmt: skip
    machine = {"cpu": "Some CPU", "cores": 2, "python": "3.11.7", "system": "Linux", "load": 0.4}
    return {"bench": "funds", "cases": [given], "machine": machine}


def test_a_case_is_a_row_of_what_was_measured(tool: ModuleType) -> None:
    page = tool.render({"funds": result() | {"date": "2026-11-26"}})
    assert "| `funds` fifo_vs_python | 9,123,457 | 312,346: plain \\| Python | 29.2 (28.0 to 31.5) |" in page
    assert "(28.0 to 31.5) | 15.0 | yes | transfers/s |" in page
    assert "1 cases, 0 missed." in page
    assert "- `funds`: Some CPU, 2 cores, Python 3.11.7, load 0.4, 2026-11-26" in page


def test_a_missed_goal_is_shown_as_missed(tool: ModuleType) -> None:
    page = tool.render({"funds": result(ratio=0.189, holds=False) | {"date": "2026-11-26"}})
    assert "| 0.189 (28.0 to 31.5) | 15.0 | **missed** |" in page
    assert "1 cases, 1 missed." in page


def test_a_benchmark_that_failed_is_shown_as_failed(tool: ModuleType) -> None:
    failed = tool.result_of("Traceback\nNameError: oops\n", 1) | {"date": "2026-11-26"}
    page = tool.render({"funds": result() | {"date": "2026-11-26"}, "proof": failed})
    assert "| `proof` |  |  |  |  | **failed** | no result; it ended with 1 |" in page
    assert "1 benchmarks failed" in page


@pytest.mark.parametrize("output", ["", "nothing", "[1]", '{"cases": []}', "3"])
def test_output_without_a_result_is_a_failure(tool: ModuleType, output: str) -> None:
    assert tool.result_of(output, 1) == {"failed": "no result; it ended with 1"}
    good = f"progress\n{json.dumps(result())}\n"
    assert tool.result_of(good, 0) == result()


def _bench(tool: ModuleType, name: str, body: str) -> None:
    text = f"# bench.harness\nimport json\nif __name__ == '__main__':\n    {body}\n"
    (tool.ROOT / "bench" / f"{name}.py").write_text(text, encoding="utf-8")


def test_results_of_what_is_not_run_now_are_kept(tool: ModuleType) -> None:
    (tool.ROOT / "bench" / "__init__.py").write_text("", encoding="utf-8")
    (tool.ROOT / "bench" / "helper.py").write_text("'''no benchmark'''", encoding="utf-8")
    _bench(tool, "funds", f"print({json.dumps(json.dumps(result()))})")
    _bench(tool, "proof", "raise SystemExit(3)")
    assert tool.benches() == ["funds", "proof"]
    assert tool.main(["funds"]) == 0
    assert tool.main(["proof"]) == 1
    page = tool.PAGE.read_text(encoding="utf-8")
    assert "`funds` fifo_vs_python" in page
    assert "| `proof` |  |  |  |  | **failed** | no result; it ended with 3 |" in page
    (tool.ROOT / "bench" / "proof.py").unlink()
    assert tool.main(["--table"]) == 0
    assert "proof" not in tool.PAGE.read_text(encoding="utf-8")


def test_a_name_that_is_no_benchmark_is_refused(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["harness"]) == 2
    assert "There is no benchmark harness" in capsys.readouterr().err


def test_the_page_in_the_repository_is_the_one_that_its_results_make() -> None:
    kept = ROOT / "docs" / "benchmarks.json"
    if not kept.exists():
        pytest.skip("no results were written down yet")
    code = (
        "import json,sys; sys.path.insert(0,'tools'); import bench_all as b;"
        "print(b.render(json.loads(b.KEPT.read_text())) == b.PAGE.read_text())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
