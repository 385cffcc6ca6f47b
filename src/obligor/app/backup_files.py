"""The files of an archive: as they are, or of rows that describe themselves.

A file of rows is a line that says what it is, then a JSON object that says what it holds and the columns of
each kind of row, and then, under zlib, rows: MessagePack arrays that begin with their kind. The object and
each row come after their length in four bytes, big-endian. Nothing else is needed to read an archive.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from obligor.kernel import Corrupted, encode, sha256_hex

__all__ = [
    "Damaged",
    "FileOf",
    "RowsFile",
    "check_file",
    "place_file",
    "read_rows",
    "sync_directory",
    "sync_tree",
]

MAGIC = b"obligor-rows 1\n"
COMPRESSION = 1
LENGTH_BYTES = 4
CHUNK = 1 << 20
HEADER_MOST = 1 << 20
ROW_MOST = 64 << 20
_PACK = msgspec.msgpack.Encoder().encode
_UNPACK = msgspec.msgpack.Decoder(list).decode


class Damaged(Corrupted):
    """A file of an archive is missing or not what it was. `file` names it, below the archive's directory."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file = file
        self.why = why


class FileOf(msgspec.Struct, frozen=True):
    """A file below an archive's directory, as it has to be."""

    name: str
    sha256: str
    bytes: int


# ---- files as they are


def place_file(directory: Path, name: str, data: bytes, mode: int = 0o600) -> FileOf:
    """Write a file so that it is there whole or not at all, durably but for its directory's entry."""
    path = directory / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(path)
    sync_directory(path.parent)
    return FileOf(name, sha256_hex(data), len(data))


def check_file(directory: Path, file: FileOf) -> None:
    """See that a file is what the manifest says.

    Raises:
        Damaged: it is not.
    """
    try:
        with _path(directory, file).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _missing(file, error) from None
    if found != file.sha256:
        raise Damaged(file.name, "its content is not what the manifest says")


def sync_directory(directory: Path) -> None:
    """Make durable which files a directory has."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Make durable which files and directories there are at and below a directory."""
    for path in (directory, *directory.rglob("*/")):
        if path.is_dir():
            sync_directory(path)


def _path(directory: Path, file: FileOf) -> Path:
    """Where a file lies; a name that leads out of the archive is refused."""
    path = directory / file.name
    if not path.resolve().is_relative_to(directory.resolve()):
        raise Damaged(file.name, "its name leads out of the archive")
    return path


def _missing(file: FileOf, error: OSError) -> Damaged:
    what = "it is missing" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error}"
    return Damaged(file.name, what)


# ---- files of rows


class RowsFile:
    """Writes a file of rows, a row at a time; `done` gives it its name, and without that it is dropped."""

    def __init__(
        self, directory: Path, held: Mapping[str, Any], columns: Mapping[str, Sequence[str]]
    ) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".rows.", suffix=".draft", dir=directory)
        self._draft = Path(draft)
        self._out = os.fdopen(handle, "wb", buffering=CHUNK)
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._zip = zlib.compressobj(COMPRESSION)
        self._write(MAGIC + _framed(encode({**held, "rows": columns})))

    def add(self, *row: Any) -> None:
        """Write a row: its kind, then its columns."""
        packed = self._zip.compress(_framed(_PACK(row)))
        if packed:
            self._write(packed)

    def done(self, name: str) -> FileOf:
        """Make it durable under a name below the archive; `{}` in it is the digest of its content."""
        self._write(self._zip.flush())
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        digest = self._digest.hexdigest()
        path = self._directory / name.format(digest[:32])
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._draft.rename(path)
        sync_directory(path.parent)
        return FileOf(path.relative_to(self._directory).as_posix(), digest, self._bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._out.closed:
            self._out.close()
            self._draft.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._bytes += len(data)
        self._out.write(data)


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def read_rows(directory: Path, file: FileOf) -> Iterator[list[Any]]:
    """The rows of a file, each with its kind first.

    The digest is compared at the end: what is damaged shows by then at the latest, and by the row where it
    cannot be read on.

    Raises:
        Damaged: the file is missing, or not what the manifest says.
    """
    try:
        stream = _path(directory, file).open("rb")
    except OSError as error:
        raise _missing(file, error) from None
    digest = hashlib.sha256()
    with stream:
        head = stream.read(len(MAGIC) + LENGTH_BYTES)
        length = int.from_bytes(head[len(MAGIC) :], "big")
        if head[: len(MAGIC)] != MAGIC or length > HEADER_MOST:
            raise Damaged(file.name, "it is no file of rows")
        header = stream.read(length)
        digest.update(head + header)
        try:
            yield from _split(_unzipped(stream, digest))
        except (zlib.error, ValueError, msgspec.MsgspecError) as error:
            raise Damaged(file.name, f"its rows cannot be read on: {error}") from None
    if digest.hexdigest() != file.sha256:
        raise Damaged(file.name, "its content is not what the manifest says")


def _unzipped(stream: Any, digest: Any) -> Iterator[bytes]:
    unzip = zlib.decompressobj()
    while data := stream.read(CHUNK):
        digest.update(data)
        while data and not unzip.eof:
            yield unzip.decompress(data, CHUNK)
            data = unzip.unconsumed_tail
    yield unzip.flush()
    if not unzip.eof or unzip.unused_data:
        raise ValueError("it ends too early or too late")


def _split(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Rows out of bytes that come in pieces."""
    rest = b""
    for chunk in chunks:
        data, at = rest + chunk, 0
        while len(data) - at >= LENGTH_BYTES:
            length = int.from_bytes(data[at : at + LENGTH_BYTES], "big")
            if length > ROW_MOST:
                raise ValueError("a row without end")
            stop = at + LENGTH_BYTES + length
            if stop > len(data):
                break
            yield _UNPACK(data[at + LENGTH_BYTES : stop])
            at = stop
        rest = data[at:]
    if rest:
        raise ValueError("it ends within a row")
