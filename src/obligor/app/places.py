"""Where a lender's journal and vault are: in its data directory, or in a database."""

from __future__ import annotations

from pathlib import Path

from obligor.app.settings import Settings
from obligor.journal import Backend, PostgresBackend, PostgresVault, SqliteBackend

__all__ = ["journal_of", "key_file", "signing_file", "vault_of"]


def journal_of(directory: Path, settings: Settings) -> Backend:
    """The journal that the settings name."""
    if settings.store:
        return PostgresBackend(settings.store, lease_seconds=settings.lease_seconds)
    return SqliteBackend(directory / "journal")


def vault_of(directory: Path, settings: Settings) -> Path | PostgresVault:
    """The vault beside it: a file of its own, or a schema of its own."""
    if settings.store:
        return PostgresVault(settings.store)
    return directory / "vault" / "vault.sqlite"


def key_file(directory: Path) -> Path:
    """Where the key-encryption key is."""
    return directory / "keys" / "kek"


def signing_file(directory: Path) -> Path:
    """Where the key is that signs checkpoints."""
    return directory / "keys" / "log"
