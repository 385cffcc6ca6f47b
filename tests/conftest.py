"""What every test may use: Hypothesis profiles, and the reference data that some oracles read."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import database, postgres_server

__all__ = ["database", "postgres_server", "shared"]

ROOT = Path(__file__).resolve().parent.parent

# `ci` finds the same examples on every machine; `deep` looks for new ones: HYPOTHESIS_PROFILE=deep.
_SLOW = [HealthCheck.too_slow]
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("deep", deadline=None, max_examples=2000, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory of reference data beside the repository; tests that need it are skipped without it."""
    directory = ROOT.parent / "shared"
    if not directory.is_dir():
        pytest.skip("needs the reference data in ../shared, which is not beside this checkout")
    return directory
