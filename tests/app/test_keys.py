"""Keys in one file that several servers share."""

from __future__ import annotations

from pathlib import Path

import pytest

from obligor.app import keys
from obligor.app.keys import LOOK_SECONDS, Keys


class Clock:
    """Stands for the `time` module."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(keys, "time", made)
    return made


def test_a_key_revoked_at_another_server_ends_a_moment_later(tmp_path: Path, clock: Clock) -> None:
    ours, theirs = Keys(tmp_path / "keys.json"), Keys(tmp_path / "keys.json")
    token = theirs.create("desk", "main", ["read"])
    principal = ours.authenticate(token)
    assert principal is not None
    theirs.revoke("desk")
    clock.now += 2 * LOOK_SECONDS
    assert ours.authenticate(token) is None
    assert not ours.still_valid(principal)


def test_a_key_made_at_another_server_is_known_at_once(tmp_path: Path, clock: Clock) -> None:
    ours, theirs = Keys(tmp_path / "keys.json"), Keys(tmp_path / "keys.json")
    assert ours.authenticate("obl_nobody") is None
    token = theirs.create("desk", "main", ["read"])
    assert ours.authenticate(token) is not None


def test_a_key_revoked_here_ends_at_once(tmp_path: Path, clock: Clock) -> None:
    ours = Keys(tmp_path / "keys.json")
    token = ours.create("desk", "main", ["read"])
    assert ours.authenticate(token) is not None
    ours.revoke("desk")
    assert ours.authenticate(token) is None


def test_under_load_the_file_is_looked_at_seldom(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Keys(tmp_path / "keys.json")
    token = ours.create("desk", "main", ["read"])
    looks: list[Path] = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **more: looks.append(path) or stat(path, **more))
    for _ in range(50):
        clock.now += LOOK_SECONDS / 10
        ours.authenticate(token)
    assert 4 <= len(looks) <= 6
