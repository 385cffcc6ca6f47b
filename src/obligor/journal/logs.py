"""The logs of all tenants: their trees, and what is signed about them."""

from __future__ import annotations

from collections.abc import Callable

from obligor.journal.store import CheckpointRow, Head, Store
from obligor.journal.tree import HASH_BYTES, WIDTH, LogTree
from obligor.kernel import Conflict, InvariantBroken, Refusal
from obligor.proof import EMPTY_ROOT, Checkpoint, Signer, open_note, sign_note

__all__ = ["Logs", "origin"]


def origin(deployment: str, tenant: str) -> str:
    """The name of a tenant's log: `<deployment>/<tenant>/<shard>/<epoch>`."""
    return f"{deployment}/{tenant}/0/0"


class Logs:
    """One tree per tenant, loaded when it is needed and checked against the head that was stored with it."""

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._signer = signer
        self._trees: dict[str, LogTree] = {}
        self._signed: dict[str, CheckpointRow] = {}

    def tree(self, tenant: str) -> LogTree:
        """The tenant's tree, with everything that is stored and what this group has added.

        Raises:
            InvariantBroken: the stored hashes do not add up to the stored root.
            StoreFailed: they could not be read.
        """
        tree = self._trees.get(tenant)
        if tree is None:
            head = self._store.head(tenant) or Head(tenant, 0, EMPTY_ROOT)
            tree = LogTree.load(tenant, head.size, _tile_reader(self._store, tenant))
            if tree.root() != head.root:
                raise InvariantBroken(f"the log of {tenant} does not add up to its stored root")
            self._trees[tenant] = tree
        return tree

    def forget(self) -> None:
        """Let go of trees that ran ahead of the store."""
        self._trees.clear()

    def sign(self, tenant: str) -> CheckpointRow:
        """Sign the tree as it is: only once it is durable."""
        tree = self.tree(tenant)
        row = self._row(tenant, tree.size, tree.root())
        self._signed[tenant] = row
        return row

    def signed(self, tenant: str) -> CheckpointRow:
        """The last checkpoint; from any thread. Before the first event it is over the empty tree."""
        return self._signed.get(tenant) or self._row(tenant, 0, EMPTY_ROOT)

    def check(self, tenant: str) -> None:
        """See that a stored log has everything that was signed about it, and take over its last checkpoint.

        Raises:
            Conflict: its last checkpoint was not signed with our key.
            InvariantBroken: its hashes do not add up, or entries that were signed are gone or others.
        """
        self._trees.pop(tenant, None)
        size = self.tree(tenant).size
        last = self._store.last_checkpoint(tenant)
        if last is None:
            return
        try:
            signed = Checkpoint.parse(open_note(last.note, [self._signer.verifier]).text)
        except Refusal:
            raise Conflict(
                f"the log of {tenant} was not signed with the key {self._signer.verifier}"
            ) from None
        if signed.size > size:
            raise InvariantBroken(f"the log of {tenant} has {size} entries and {signed.size} were signed")
        if LogTree.load(tenant, signed.size, _tile_reader(self._store, tenant)).root() != signed.root:
            raise InvariantBroken(
                f"the first {signed.size} entries of {tenant} are not those that were signed"
            )
        self._signed[tenant] = last

    def _row(self, tenant: str, size: int, root: bytes) -> CheckpointRow:
        text = Checkpoint(origin(self._signer.name, tenant), size, root).text()
        return CheckpointRow(tenant, size, sign_note(text, [self._signer]))


def _tile_reader(store: Store, tenant: str) -> Callable[[int, int, int], bytes]:
    def read(level: int, position: int, width: int) -> bytes:
        if level:
            return (store.tile(tenant, level, position) or b"")[: HASH_BYTES * width]
        start = WIDTH * position
        return b"".join(store.leaves(tenant, start, start + width))

    return read
