"""The verifier is one file that runs anywhere with Python and cryptography."""

import ast
import importlib.util
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import obligor.proof.verify
from obligor.proof import Signer
from tests.proof.support import VKEY, SmallLog

SOURCE = Path(obligor.proof.verify.__file__)
# What `cryptography` itself may import besides the standard library.
ALLOWED = ("cryptography", "cffi", "_cffi_backend", "pycparser", "typing_extensions")
RECEIPT = SmallLog(9).receipt(4, 9, [("money", "amount_minor")])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the file, a receipt, and only those packages that it is allowed."""
    place = tmp_path_factory.mktemp("auditor")
    packages = place / "packages"
    packages.mkdir()
    for name in ALLOWED:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            origin = Path(found.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (packages / source.name).symlink_to(source)
    (place / "verify.py").write_bytes(SOURCE.read_bytes())
    (place / "receipt.json").write_bytes(RECEIPT)
    (place / "changed.json").write_bytes(RECEIPT.replace(b"100004", b"100005"))
    return place


def _run(place: Path, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the file without site-packages (-S), environment and the present directory (-I)."""
    program = (
        "import runpy, sys; sys.path.append('packages'); sys.argv = sys.argv[1:];"
        "runpy.run_path('verify.py', run_name='__main__')"
    )
    command = [sys.executable, "-I", "-S", "-c", program, "verify.py", *arguments]
    return subprocess.run(command, cwd=place, input=given, capture_output=True, check=False, timeout=60)


def test_the_file_imports_nothing_but_the_standard_library_and_cryptography() -> None:
    tree = ast.parse(SOURCE.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "cryptography"}


def test_alone_it_verifies_a_receipt(place: Path) -> None:
    done = _run(place, "receipt.json", "--key", VKEY)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines()[-1] == "The receipt holds."
    assert b"money/amount_minor = 100004" in done.stdout


def test_alone_it_reads_standard_input_too(place: Path) -> None:
    assert _run(place, "-", given=RECEIPT).returncode == 0


def test_alone_it_refuses_a_changed_receipt_or_another_key(place: Path) -> None:
    assert (place / "changed.json").read_bytes() != RECEIPT
    for arguments in (["changed.json"], ["receipt.json", "--key", Signer("x", bytes(32)).vkey]):
        done = _run(place, *arguments)
        assert done.returncode == 1
        assert b"does NOT hold" in done.stdout
        assert b"FAIL" in done.stdout


def test_a_file_that_is_not_there_is_said_to_be_missing(place: Path) -> None:
    done = _run(place, "nothing.json")
    assert done.returncode == 2
    assert b"nothing.json" in done.stderr


def test_it_needs_no_more_than_a_fraction_of_a_second(place: Path) -> None:
    """The goal is 0.3 CPU-seconds; the best of five, since a busy machine only makes it slower."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert _run(place, "receipt.json").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3


def test_within_the_package_it_is_as_light() -> None:
    program = (
        "import sys; import obligor.proof.verify; heavy = {'numba', 'numpy', 'polars', 'litestar', 'apsw'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environment, timeout=60
    )
    assert done.stdout.strip() == b"[]"
