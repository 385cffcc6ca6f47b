"""The journal and the vault: what happened, durable before it is answered, and the keys that seal it."""

from obligor.journal.backend import Backend, SqliteBackend
from obligor.journal.journal import Journal
from obligor.journal.keys import FileKeys, KeyProvider, SystemEntropy, load_signer
from obligor.journal.logs import origin
from obligor.journal.reader import Opened, Reader, open_reader
from obligor.journal.store import StoreFailed, WrongStatement
from obligor.journal.subscribers import Subscriber
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

__all__ = [
    "Accepted",
    "Answer",
    "Backend",
    "Command",
    "FileKeys",
    "Fold",
    "Idempotency",
    "Journal",
    "KeyProvider",
    "Lookup",
    "Memory",
    "Opened",
    "Projecting",
    "Projection",
    "Reader",
    "Registry",
    "SqliteBackend",
    "States",
    "StoreFailed",
    "Subscriber",
    "SystemEntropy",
    "Vault",
    "View",
    "WrongStatement",
    "load_signer",
    "open_reader",
    "origin",
]
