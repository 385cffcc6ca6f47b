"""Kernels: one text, compiled once, and shown wrong when it is wrong."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import obligor.features.catalogue as room
from obligor.features import Catalogue, History
from obligor.features.build import build
from obligor.features.emit_kernel import PER_FUNCTION, emit
from obligor.kernel import Unavailable, sha256_hex
from tests.features.samples import NOW, feature, life, starter, wide

SMALL = {
    "spent": feature(
        aggregation="sum", key="amount_minor", unit="minor", window_days=90, filter={"direction": "out"}
    ),
    "shops": feature(aggregation="distinct", key="counterparty", window_days=30),
}


def disagreements(catalogue: Catalogue) -> int:
    """Of 200 cells of 20 people, how many does the kernel give another value than plain Python?"""
    found = 0
    for seed in range(20):
        history = History.from_events(life(seed, 50, days=120))
        for known_upto in range(5, 55, 5):
            got = catalogue.compute(history, NOW, known_upto, "CNY")
            found += got != catalogue.oracle(history, NOW, known_upto, "CNY")
    return found


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        ("row.known_seq < known_upto", "row.known_seq <= known_upto"),
        ("row.until_seq >= known_upto", "True"),
        ("as_of - 90 * DAY", "as_of - 89 * DAY"),
        ("row.currency == currency", "True"),
        ("seen[0, key] = mark", "pass"),
    ],
)
def test_a_sabotaged_kernel_is_found_out(monkeypatch, tmp_path, sound, broken):
    kernel = emit(SMALL)
    sabotaged = kernel._replace(text=kernel.text.replace(sound, broken))
    assert sabotaged.text != kernel.text
    monkeypatch.setattr(room, "emit", lambda features: sabotaged)
    assert disagreements(Catalogue("sabotaged", 1, SMALL, cache_dir=tmp_path)) > 0


def test_the_same_comparison_passes_a_sound_kernel():
    assert disagreements(starter()) == 0


def test_many_features_are_split_over_several_functions():
    kernel = wide().kernel
    assert len(wide().names) > PER_FUNCTION
    assert len(kernel.functions) == 2
    assert kernel.text.count("@njit(WALK, cache=True") == 2


def test_the_text_is_a_function_of_the_declarations():
    assert emit(SMALL) == emit(dict(SMALL))
    assert emit(SMALL).text != emit(dict(reversed(SMALL.items()))).text


@dataclass
class Numba:
    """How often the compiler ran in a fresh process."""

    hits: int
    misses: int


def fresh_process(cache: Path) -> Numba:
    script = f"""
from pathlib import Path
from obligor.features import load
catalogue = load("packs/features/starter.yaml", cache_dir=Path({str(cache)!r}))
catalogue.warm()
stats = catalogue.built.walks[0].stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return Numba(*map(int, done.stdout.split()))


@pytest.mark.slow
def test_a_second_process_finds_the_machine_code_of_the_first(tmp_path):
    assert fresh_process(tmp_path) == Numba(hits=0, misses=1)
    assert fresh_process(tmp_path) == Numba(hits=1, misses=0)


def test_a_damaged_kernel_file_is_written_anew_and_never_run(tmp_path):
    kernel = emit(SMALL)
    path = tmp_path / f"{sha256_hex(kernel.text.encode())}.py"
    path.write_text("raise SystemExit('damaged')")
    build(kernel, tmp_path)
    assert path.read_text() == kernel.text
    assert sorted(p.suffix for p in tmp_path.iterdir() if p.is_file()) == [".py"]


def test_a_cache_that_is_no_directory_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file"):
        build(emit(SMALL), tmp_path / "file")


def test_the_room_is_imported_without_numba():
    script = "import sys, obligor.features; print('numba' in sys.modules, 'llvmlite' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
