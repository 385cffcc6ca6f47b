"""A data directory opened to read, beside the server that writes it or without one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from obligor import features
from obligor.app.artifacts import Artifacts
from obligor.app.call import Means
from obligor.app.packs import place, reason_texts
from obligor.app.queries import Books
from obligor.app.settings import load
from obligor.journal import FileKeys, Reader, SqliteBackend, SystemEntropy, Vault, load_signer, open_reader
from obligor.kernel import NotFound

__all__ = ["Opened"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What can be read there; without the vault and its key, bodies of events stay shut."""

    directory: Path
    reader: Reader
    tenant: str
    sealed: bool

    @classmethod
    def at(cls, directory: Path) -> Opened:
        """Open a data directory.

        Raises:
            NotFound: it holds no journal.
        """
        if not (directory / "journal").is_dir():
            raise NotFound(f"{directory} holds no journal; `obligor up --data {directory}` makes one")
        vault = None
        if (directory / "vault" / "vault.sqlite").is_file() and (directory / "keys" / "kek").is_file():
            keys = FileKeys(directory / "keys" / "kek", create=False)
            vault = Vault.open_read_only(directory / "vault" / "vault.sqlite", keys)
        reader = open_reader(SqliteBackend(directory / "journal"), vault)
        return cls(directory, reader, load(directory).tenant, vault is None)

    def vkey(self) -> str:
        """The verifier key of the log whose signing key lies here.

        Raises:
            NotFound: none does; the auditor has to bring it.
        """
        return load_signer(self.directory / "keys" / "log", load(self.directory).deployment).vkey

    def books(self) -> Books:
        """The books, for questions that the server would answer too."""
        means = Means(
            settings=load(self.directory),
            artifacts=Artifacts(self.directory / "artifacts"),
            catalogue=features.load(place("features/starter.yaml")),
            entropy=SystemEntropy(),
            texts=reason_texts(),
            index_key=lambda _tenant: b"",
        )
        return Books(self.reader, means, self.tenant)
