"""The proof log against its hash floor: the audit from disk, the check of an inclusion, appending leaves.

The floor is what SHA-256 alone costs: the very hashes that RFC 6962 asks for, of the same bytes, by hashlib,
with everything at hand in memory and nothing compared. No log can be faster in Python, so a ratio of 1 is
the most there is; a goal says how much of the floor the rest may cost. All are CPU time of one core.

What others publish is told in the notes and is no peer of this run: it was measured elsewhere.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.harness import Case, run
from bench.journal import PERSONS, SIGNER, TENANT, commands, journal
from obligor.app.queries.proof import audited
from obligor.journal import FileKeys, Reader, SqliteBackend, Vault
from obligor.proof import Frontier, StoredEntry, inclusion, leaf_hash, root_of, verify_inclusion

ENTRIES, GROUP = 20_000, 1_000
LEAVES = 1 << 18
CHECKED = 4_096
# 1.3 times what ct-fsck is said to audit, of the 620,000 entries a second whose hashes one core makes on the
# machine it was set on; a strict reading, since ct-fsck used 20 workers.
AUDIT_GOAL = 0.6
PUBLISHED = {
    "Tessera, POSIX storage on NVMe, 7 cores: appended entries/s": 10_000,
    "ct-fsck, 20 workers: audited entries/s": 286_000,
}


@contextlib.contextmanager
def log(entries: int) -> Iterator[Reader]:
    """A journal on disk with so many events of about 1.2 kB, in groups, each with a signed checkpoint."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        vault = Vault.open(place / "vault.db", FileKeys(place / "kek"))
        try:
            with journal(SqliteBackend(place), vault) as opened:
                vault.ensure(TENANT, [f"person-{n}" for n in range(PERSONS)])
                work = commands(entries)
                for start in range(0, entries, GROUP):
                    opened.submit_many(work[start : start + GROUP]).result()
                yield opened.reader()
        finally:
            vault.close()


def spent(count: int, work: Callable[[], Any]) -> float:
    """How many a CPU second."""
    began = time.process_time()
    work()
    return count / (time.process_time() - began)


# ---- the audit


def audit_rate(reader: Reader, *, bodies: bool = False) -> float:
    count = reader.size(TENANT)

    def work() -> None:
        report = audited(reader, TENANT, SIGNER.vkey, bodies=bodies)
        if not report.ok or report.entries != count:
            raise SystemExit(f"the audit fails: {report.why}")

    return spent(count, work)


def hash_again(entries: list[StoredEntry], data: list[bytes]) -> None:
    """The hash of each ciphertext and each leaf, and the tree over them."""
    for entry in entries:
        sha256(entry.sealed).digest()
    root_of([sha256(one).digest() for one in data])


# ---- inclusion and append


class Tree:
    """A tree in memory by levels, and proofs of some of its leaves."""

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(n.to_bytes(8, "big")) for n in range(size)]
        self.levels = [self.leaves]
        while len(self.levels[-1]) > 1:
            level = self.levels[-1]
            pairs = zip(level[::2], level[1::2], strict=True)
            self.levels.append([sha256(b"\1" + left + right).digest() for left, right in pairs])
        self.root = self.levels[-1][0]
        step = size // CHECKED
        read = lambda level, index: self.levels[level][index]  # noqa: E731
        self.proofs = [(n, inclusion(n, size, read)) for n in range(0, size, step)]

    def check(self) -> None:
        for index, proof in self.proofs:
            verify_inclusion(index, len(self.leaves), self.leaves[index], proof, self.root)

    def floor(self) -> None:
        """As many node hashes as there are in the proofs."""
        for _, proof in self.proofs:
            found = proof[0]
            for other in proof:
                found = sha256(b"\1" + found + other).digest()

    def append(self) -> None:
        tree = Frontier()
        for leaf in self.leaves:
            tree.append(leaf)
        self._same(tree)

    def extend(self) -> None:
        tree = Frontier()
        for start in range(0, len(self.leaves), GROUP):
            tree.extend(self.leaves[start : start + GROUP])
        self._same(tree)

    def _same(self, tree: Frontier) -> None:
        if tree.root() != self.root:
            raise SystemExit("the tree has another root")

    def append_floor(self) -> None:
        """A node hash a leaf, which is what a tree has but one."""
        other = found = self.root
        for _ in range(len(self.leaves) - 1):
            found = sha256(b"\1" + found + other).digest()


def notes(reader: Reader, tree: Tree) -> dict[str, Any]:
    with log(ENTRIES // 2) as half:
        smaller = audit_rate(half)
    small = Tree(LEAVES // 2)
    return {
        "published_elsewhere": PUBLISHED,
        "audit_per_second_at_two_sizes": {
            ENTRIES // 2: round(smaller), ENTRIES: round(audit_rate(reader)),
        },
        "audit_with_bodies_decrypted_per_second": round(audit_rate(reader, bodies=True)),
        "leaves_appended_per_second_at_two_sizes": {
            LEAVES // 2: round(spent(LEAVES // 2, small.extend)), LEAVES: round(spent(LEAVES, tree.extend)),
        },
        "leaves_appended_one_by_one_per_second": round(spent(LEAVES, tree.append)),
        "memory": "the audit keeps a page of 500 entries, and at most 256 hashes of 32 bytes a tile level",
    }  # fmt: skip


def main() -> int:
    tree = Tree(LEAVES)
    hashes = sum(len(proof) for _, proof in tree.proofs)
    with log(ENTRIES) as reader:
        entries = list(reader.entries(TENANT))
        data = [b"\0" + entry.data() for entry in entries]
        cases = [
            Case(
                "audit_vs_floor",
                "entries per CPU second",
                "hashlib over the same bytes in memory: ciphertexts, leaves, nodes",
                AUDIT_GOAL,
                lambda: audit_rate(reader),
                lambda: spent(len(entries), lambda: hash_again(entries, data)),
            ),
            Case(
                "inclusion_vs_floor",
                "node hashes per CPU second",
                "hashlib: as many node hashes",
                1 / 1.5,
                lambda: spent(hashes, tree.check),
                lambda: spent(hashes, tree.floor),
            ),
            Case(
                "append_vs_floor",
                "leaves per CPU second",
                "hashlib: a node hash a leaf",
                1 / 1.5,
                lambda: spent(LEAVES, tree.extend),
                lambda: spent(LEAVES, tree.append_floor),
            ),
        ]
        return run("proof", cases, notes=lambda: notes(reader, tree))


if __name__ == "__main__":
    sys.exit(main())
