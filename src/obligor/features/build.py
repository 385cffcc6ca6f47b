"""From a kernel's text to its compiled functions: written once, atomically, and compiled once per machine."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from obligor.features.emit_kernel import Kernel, emit_place
from obligor.kernel import Unavailable, sha256_hex

__all__ = ["Built", "Place", "Walk", "build", "build_place", "default_cache"]

Walk = Callable[..., None]
Place = Callable[..., int]


class Built(NamedTuple):
    """The compiled functions of a kernel set: for one moment, and all of them for many."""

    walks: tuple[Walk, ...]
    fill: Walk


def default_cache() -> Path:
    """Where kernels are kept when nobody says otherwise: the user's own cache directory."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "obligor" / "kernels"


def build(kernel: Kernel, cache_dir: Path) -> Built:
    """The compiled functions of a kernel set: from the cache, or compiled now (seconds).

    The text lies in `<cache_dir>/<its sha256>.py` and numba's machine code beside it, since code that was
    never in a file cannot be cached. Whoever can write to the directory can run code here: keep it private.

    Raises:
        Unavailable: the directory cannot be written to.
    """
    found = _compiled(kernel.text, cache_dir)
    return Built(tuple(found[name] for name in kernel.functions), found["fill"])


def build_place(cache_dir: Path) -> Place:
    """The compiled function that makes rows out of columns; see `build`."""
    place: Place = _compiled(emit_place(), cache_dir)["place"]
    return place


def _compiled(text: str, cache_dir: Path) -> dict[str, Any]:
    digest = sha256_hex(text.encode())
    path = cache_dir / f"{digest}.py"
    try:
        _write(path, text.encode())
    except OSError as error:
        raise Unavailable(f"the kernel cache {cache_dir} cannot be written to: {error.strerror}") from error
    module = ModuleType(f"obligor_kernel_{digest}")
    # numba looks a function's module up by name, and finds its machine code by the file that `path` names.
    sys.modules[module.__name__] = module
    exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102  our own text
    return module.__dict__


def _write(path: Path, content: bytes) -> None:
    """Write the file unless it is there; one that holds anything else is replaced."""
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem[:16], suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
