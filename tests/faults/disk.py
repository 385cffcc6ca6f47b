"""A disk that remembers every operation, can fail any of them, and can be looked at after a power cut.

It stands between SQLite and the file system as an APSW VFS. The files are real; what is written down of them
says what a disk would hold had the power gone between any two operations: what was synced is there, and of
what was not, each sector of 512 bytes, each change of size and each name in a directory by a seeded half.
The shared memory of a write-ahead log is memory: a cut leaves nothing of it, or rubbish.

Two traps, both seen: a deletion that is not written down leaves a hot journal behind after every cut; and a
setting that silently does not take makes every mode look safe. Hence the controls in the tests.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import apsw

SECTOR_BYTES = 512
# Who opens one of these for the first time syncs its directory with its first sync (os_unix.c, unixSync).
SYNCS_ITS_NAME = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_numbers = itertools.count()


class Operation(NamedTuple):
    """One thing done to the disk: `at` is the offset of a write and the size after a truncation.

    A name and the file under it are two things: `file` numbers the file, which a deletion leaves nameless.
    `forget` stands for a sync that failed: the system takes what it should have written for written.
    """

    kind: str  # create, write, truncate, sync, forget, delete, make-directory, sync-names
    name: str
    file: int = 0
    at: int = 0
    data: bytes = b""


Trouble = Callable[[Operation], Exception | None]


@dataclass
class Disk:
    """What happened below a directory, in order, since `record` began."""

    directory: Path
    operations: list[Operation] = field(default_factory=list)
    trouble: Trouble = lambda _operation: None
    vfs: str = field(default_factory=lambda: f"disk-{next(_numbers)}")
    _files: dict[str, int] = field(default_factory=dict)
    _before: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """What is there already counts as synced."""
        for path in sorted(self.directory.rglob("*")):
            if path.is_file() and not path.name.endswith("-shm"):
                name = self.name(path)
                self._files[name] = len(self._files)
                self._before[name] = path.read_bytes()

    def name(self, path: str | Path) -> str:
        """A file as it is called here."""
        return Path(path).relative_to(self.directory).as_posix()

    # ---- what is done to it

    def may_open(self, name: str) -> None:
        """Let the opening of a file fail, if it is to."""
        self.check("open" if name in self._files else "create", name)

    def opened(self, name: str) -> None:
        """A file that was not there was made."""
        if name not in self._files:
            number = len(self._before) + len(self.operations)
            self._files[name] = number
            self.operations.append(Operation("create", name, number))

    def delete(self, name: str, sync_names: bool) -> None:
        """A name is taken away."""
        self.operations.append(Operation("delete", name, self._files.pop(name)))
        if sync_names:
            self.sync_names(name)

    def note(self, kind: str, name: str, at: int = 0, data: bytes = b"") -> None:
        """Something was done to a file."""
        self.operations.append(Operation(kind, name, self._files[name], at, data))

    def sync_names(self, name: str) -> None:
        """The directory of a file was synced."""
        self.operations.append(Operation("sync-names", Path(name).parent.as_posix()))

    def check(self, kind: str, name: str) -> None:
        """Let what is about to be done fail, if it is to.

        Raises:
            Exception: what the trouble says.
        """
        error = self.trouble(Operation(kind, name, self._files.get(name, -1)))
        if error is not None:
            if kind == "sync":
                self.note("forget", name)
            raise error

    def _fsync(self, descriptor: int) -> None:
        """`os.fsync`, for what Python syncs past the VFS. The real disk is spared it."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.is_relative_to(self.directory):
            return
        if path.is_dir():
            self.sync_names(self.name(path / "-"))
        elif self.name(path) in self._files:
            self.check("sync", self.name(path))
            self.note("sync", self.name(path))

    def _mkdir(self, path: Path, mode: int, genuine: Callable[..., None]) -> None:
        """`os.mkdir`, with which Python makes directories past the VFS."""
        genuine(path, mode)
        if path.is_relative_to(self.directory):
            self.operations.append(Operation("make-directory", self.name(path)))

    @contextmanager
    def record(self) -> Iterator[Disk]:
        """Write down what is done through `vfs`, and with `os.fsync` and `os.mkdir`."""
        vfs = _Vfs(self)
        sync, make = os.fsync, os.mkdir
        os.fsync = self._fsync  # type: ignore[assignment]
        os.mkdir = lambda path, mode=0o777: self._mkdir(Path(path), mode, make)  # type: ignore[assignment]
        try:
            yield self
        finally:
            os.fsync, os.mkdir = sync, make
            vfs.unregister()

    # ---- what is left of it

    def after_cut(self, stop: int, luck: random.Random) -> dict[str, bytes]:
        """Files by name, as they may be when the power goes after the first `stop` operations."""
        done = self.operations[:stop]
        synced: dict[int, int] = {}
        names_synced: dict[str, int] = {}
        forgotten: dict[int, list[range]] = {}
        for index, operation in enumerate(done):
            if operation.kind == "sync":
                synced[operation.file] = index
            elif operation.kind == "forget":
                forgotten.setdefault(operation.file, []).append(
                    range(synced.get(operation.file, -1) + 1, index)
                )
            elif operation.kind == "sync-names":
                names_synced[operation.name] = index

        names = {name: number for number, name in enumerate(self._before)}
        gone: set[str] = set()
        contents = {number: _Content(bytearray(data)) for number, data in enumerate(self._before.values())}
        for index, operation in enumerate(done):
            kind, number = operation.kind, operation.file
            if kind in ("create", "delete", "make-directory"):
                directory = Path(operation.name).parent.as_posix()
                survives = index < names_synced.get(directory, -1) or luck.random() < 0.5
                if kind == "make-directory":
                    gone |= set() if survives else {operation.name}
                    continue
                if kind == "create":
                    contents[number] = _Content(bytearray())
                if survives and kind == "create":
                    names[operation.name] = number
                elif survives and names.get(operation.name) == number:
                    del names[operation.name]
            elif kind in ("write", "truncate"):
                lost = any(index in span for span in forgotten.get(number, ()))
                safe = index < synced.get(number, -1) and not lost
                contents[number].take(operation, luck if not safe else None)
        return {
            name: contents[number].after(luck)
            for name, number in names.items()
            if not gone.intersection(parent.as_posix() for parent in Path(name).parents)
        }


class _Content:
    """A file's bytes, and the sizes it may have: what was not synced may have reached the disk without it."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.sizes = [len(data)]

    def take(self, operation: Operation, luck: random.Random | None) -> None:
        """Do what is synced (no luck is needed); do what is not by halves."""
        if operation.kind == "truncate":
            if luck is None or luck.random() < 0.5:
                self._cut_to(operation.at)
                self.sizes = [operation.at]
            return
        end = operation.at + len(operation.data)
        at = operation.at
        while at < end:
            after = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES) if luck is not None else end
            if luck is None or luck.random() < 0.5:
                if len(self.data) < at:
                    self._cut_to(at)
                self.data[at:after] = operation.data[at - operation.at : after - operation.at]
            at = after
        if luck is None:
            self.sizes = [len(self.data)]
        elif end > self.sizes[-1]:
            self.sizes.append(end)

    def after(self, luck: random.Random) -> bytes:
        """The bytes; where the size was not synced, half the time of one it had on the way."""
        if len(self.sizes) > 1 and luck.random() < 0.5:
            self._cut_to(luck.choice(self.sizes))
        return bytes(self.data)

    def _cut_to(self, size: int) -> None:
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))


def rebuild(files: dict[str, bytes], directory: Path, luck: random.Random) -> None:
    """Put files into an empty directory, as after a start; half the time with rubbish for shared memory."""
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
        if name.endswith("-wal") and luck.random() < 0.5:
            path.with_name(path.name.removesuffix("-wal") + "-shm").write_bytes(luck.randbytes(32_768))


@contextmanager
def without_syncs() -> Iterator[None]:
    """Spare the real disk what only the simulated one would need."""
    genuine = os.fsync
    os.fsync = lambda _descriptor: None  # type: ignore[assignment]
    try:
        yield
    finally:
        os.fsync = genuine


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.vfs, "")

    def xOpen(self, name, flags):
        return _File(self._disk, name, flags)

    def xDelete(self, name, sync_names):
        self._disk.check("delete", self._disk.name(name))
        super().xDelete(name, sync_names)
        self._disk.delete(self._disk.name(name), sync_names)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name, flags) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._disk = disk
        self._name = disk.name(path)
        disk.may_open(self._name)
        super().__init__("", name, flags)
        disk.opened(self._name)
        self._name_to_sync = bool(flags[0] & SYNCS_ITS_NAME and flags[0] & apsw.SQLITE_OPEN_CREATE)

    def xRead(self, amount, offset):
        self._disk.check("read", self._name)
        return super().xRead(amount, offset)

    def xWrite(self, data, offset):
        try:
            self._disk.check("write", self._name)
        except apsw.Error:
            self._write(data[: len(data) // 2], offset)
            raise
        self._write(data, offset)

    def _write(self, data, offset):
        super().xWrite(data, offset)
        self._disk.note("write", self._name, offset, bytes(data))

    def xTruncate(self, size):
        self._disk.check("truncate", self._name)
        super().xTruncate(size)
        self._disk.note("truncate", self._name, size)

    def xSync(self, flags):
        self._disk.check("sync", self._name)
        self._disk.note("sync", self._name)
        if self._name_to_sync:
            self._name_to_sync = False
            self._disk.sync_names(self._name)
