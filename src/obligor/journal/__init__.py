"""The journal and the vault: what happened, durable before it is answered, and the keys that seal it."""

from obligor.journal.backend import Backend, PostgresBackend, PostgresVault, SqliteBackend, backend_of
from obligor.journal.journal import Journal
from obligor.journal.keys import FileKeys, KeyProvider, SystemEntropy, load_signer
from obligor.journal.logs import origin
from obligor.journal.observing import Observer
from obligor.journal.projections import projection_digest
from obligor.journal.reader import Opened, Reader, open_reader
from obligor.journal.sealing import decode_envelope
from obligor.journal.sqlite import DirectoryLock
from obligor.journal.store import (
    AnswerRow,
    CheckpointRow,
    CursorRow,
    ErasureRow,
    EventRow,
    Head,
    RoleLost,
    Rows,
    Snapshot,
    StoreFailed,
    WrongStatement,
)
from obligor.journal.subscribers import Subscriber
from obligor.journal.transfer import Filling, Source, keys_wanted, subjects_of, tree_at
from obligor.journal.types import (
    Accepted,
    Answer,
    Command,
    Fold,
    Idempotency,
    Lookup,
    Memory,
    Projecting,
    Projection,
    Registry,
    States,
    View,
)
from obligor.journal.vault import Vault
from obligor.journal.vault_transfer import PersonKey, TenantKey, VaultRow, fill_vault, vault_rows

__all__ = [
    "Accepted",
    "Answer",
    "AnswerRow",
    "Backend",
    "CheckpointRow",
    "Command",
    "CursorRow",
    "DirectoryLock",
    "ErasureRow",
    "EventRow",
    "FileKeys",
    "Filling",
    "Fold",
    "Head",
    "Idempotency",
    "Journal",
    "KeyProvider",
    "Lookup",
    "Memory",
    "Observer",
    "Opened",
    "PersonKey",
    "PostgresBackend",
    "PostgresVault",
    "Projecting",
    "Projection",
    "Reader",
    "Registry",
    "RoleLost",
    "Rows",
    "Snapshot",
    "Source",
    "SqliteBackend",
    "States",
    "StoreFailed",
    "Subscriber",
    "SystemEntropy",
    "TenantKey",
    "Vault",
    "VaultRow",
    "View",
    "WrongStatement",
    "backend_of",
    "decode_envelope",
    "fill_vault",
    "keys_wanted",
    "load_signer",
    "open_reader",
    "origin",
    "projection_digest",
    "subjects_of",
    "tree_at",
    "vault_rows",
]
