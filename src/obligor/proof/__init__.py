"""Proof: the Merkle log, signed checkpoints, salted commitments, receipts and the audit."""

from obligor.proof.audit import AuditReport, Unsealed, audit
from obligor.proof.checkpoint import Checkpoint
from obligor.proof.commit import OPEN_KEY, commit, flatten, salts_key
from obligor.proof.disclose import Opening, open_fields, verify_opening
from obligor.proof.entry import StoredEntry, entry_bytes
from obligor.proof.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency,
    inclusion,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from obligor.proof.note import Note, Signer, Verifier, VerifierKey, open_note, sign_note
from obligor.proof.receipt import build_receipt
from obligor.proof.tiles import TileReader, tile_path
from obligor.proof.verify import Report, Step, verify_receipt

__all__ = [
    "EMPTY_ROOT",
    "OPEN_KEY",
    "AuditReport",
    "Checkpoint",
    "Frontier",
    "Note",
    "Opening",
    "Report",
    "Signer",
    "Step",
    "StoredEntry",
    "TileReader",
    "Unsealed",
    "Verifier",
    "VerifierKey",
    "audit",
    "build_receipt",
    "commit",
    "consistency",
    "entry_bytes",
    "flatten",
    "inclusion",
    "leaf_hash",
    "node_hash",
    "open_fields",
    "open_note",
    "root_of",
    "salts_key",
    "sign_note",
    "tile_path",
    "verify_consistency",
    "verify_inclusion",
    "verify_opening",
    "verify_receipt",
]
