"""Format 1: the tables as the first release made them, in SQLite only."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: whoever made these tables wrote format 1."""
