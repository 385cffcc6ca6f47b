"""A data directory opened to read, beside the server that writes it or without one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from obligor.app.call import Means
from obligor.app.kept import Kept
from obligor.app.places import journal_of, key_file, signing_file, vault_of
from obligor.app.queries import Books
from obligor.app.settings import Settings, load
from obligor.journal import FileKeys, Reader, SystemEntropy, Vault, load_signer, open_reader
from obligor.kernel import NotFound

__all__ = ["Opened"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What can be read there; without the vault and its key, bodies of events stay shut."""

    directory: Path
    settings: Settings
    reader: Reader
    vault: Vault | None

    @classmethod
    def at(cls, directory: Path, settings: Settings | None = None) -> Opened:
        """Open a data directory, with these settings or its own.

        Raises:
            NotFound: it holds no journal.
        """
        settings = settings or load(directory)
        if not settings.store and not (directory / "journal").is_dir():
            raise NotFound(f"{directory} holds no journal; `obligor up --data {directory}` makes one")
        vault, at = None, vault_of(directory, settings)
        if key_file(directory).is_file() and not (isinstance(at, Path) and not at.is_file()):
            vault = Vault.open_read_only(at, FileKeys(key_file(directory), create=False))
        return cls(directory, settings, open_reader(journal_of(directory, settings), vault), vault)

    @property
    def tenant(self) -> str:
        """Whose journal it is."""
        return self.settings.tenant

    @property
    def sealed(self) -> bool:
        """Whether bodies of events stay shut."""
        return self.vault is None

    def close(self) -> None:
        """Let go of the connections."""
        self.reader.close()
        if self.vault is not None:
            self.vault.close()

    def vkey(self) -> str:
        """The verifier key of the log whose signing key lies here.

        Raises:
            NotFound: none does; the auditor has to bring it.
        """
        path = signing_file(self.directory)
        if not path.is_file():
            raise NotFound(f"the key that signed the log is not in {path.parent}; name its verifier key")
        return load_signer(path, self.settings.deployment).vkey

    def means(self, kept: Kept | None = None) -> Means:
        """What questions are answered with."""
        kept = kept or Kept.of(self.directory)
        return Means(
            settings=self.settings,
            artifacts=kept.artifacts,
            catalogue=kept.catalogue,
            entropy=SystemEntropy(),
            texts=kept.texts,
            index_key=self.vault.index_key if self.vault is not None else lambda _tenant: b"",
        )

    def books(self) -> Books:
        """The books, for questions that the server would answer too."""
        return Books(self.reader, self.means(), self.tenant)
