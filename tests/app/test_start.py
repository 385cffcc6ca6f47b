"""How long things take to start, in processor seconds, which a busy machine does not change much."""

import resource
import subprocess
import sys

import pytest


def cpu_seconds(*arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "obligor", *arguments], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, done


@pytest.mark.parametrize("arguments", [("--help",), ("verify", "--help"), ("--version",)])
def test_help_and_verify_start_at_once(arguments):
    cpu_seconds(*arguments)
    used, done = min((cpu_seconds(*arguments) for _ in range(3)), key=lambda pair: pair[0])
    assert done.returncode == 0
    assert used < 0.3


def test_help_names_every_command_with_what_it_does():
    from importlib import import_module

    from obligor.cli import COMMANDS

    _, done = cpu_seconds("--help")
    for name, (module, summary) in COMMANDS.items():
        assert f"  {name}" in done.stdout.decode()
        assert summary in done.stdout.decode()
        assert callable(import_module(f"obligor.cli.{module}").main)


def test_verify_loads_neither_numba_nor_polars_nor_the_server():
    code = (
        "import sys; from obligor.cli import verify; verify._verifier(); "
        "print([m for m in ('numba', 'polars', 'msgspec', 'litestar', 'apsw') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stdout
