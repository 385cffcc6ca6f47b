"""The console's files: read once, named by their content, kept by browsers for ever."""

from __future__ import annotations

import gzip
import hashlib
import logging
from pathlib import Path

import msgspec

from obligor.kernel import NotFound
from obligor.web.answer import Answer

__all__ = ["Static"]

log = logging.getLogger("obligor.web")
_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class _File(msgspec.Struct, frozen=True):
    body: bytes
    packed: bytes
    media_type: str
    version: str


class Static:
    """The files of `static/` and `static/vendor/`, by name."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        for path in sorted([*_FOLDER.glob("*.*"), *(_FOLDER / "vendor").glob("*.*")]):
            if path.suffix in _TYPES:
                body = path.read_bytes()
                version = hashlib.sha256(body).hexdigest()[:12]
                packed = gzip.compress(body, mtime=0)
                self._files[path.name] = _File(body, packed, _TYPES[path.suffix], version)
        if "htmx.min.js" not in self._files:
            log.warning("the console's scripts are not there; it works without them")

    def address(self, name: str) -> str | None:
        """Where a file is, its content's version included; None if it is not there."""
        file = self._files.get(name)
        return f"/static/{name}?v={file.version}" if file else None

    def answer(self, name: str, version: str | None, packed: bool) -> Answer:
        """A file; kept for a year where it was asked for by its version.

        Raises:
            NotFound: there is no such file.
        """
        file = self._files.get(name)
        if file is None:
            raise NotFound("there is no such file")
        cache = b"public, max-age=31536000, immutable" if version == file.version else b"no-cache"
        headers = [(b"vary", b"accept-encoding"), (b"etag", f'"{file.version}"'.encode())]
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        return Answer(file.packed if packed else file.body, file.media_type, 200, headers, cache)
