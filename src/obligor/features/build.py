"""From a kernel's text to its compiled functions: written once, atomically, and compiled once per machine."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from obligor.features.emit_kernel import Kernel
from obligor.kernel import Unavailable, sha256_hex

__all__ = ["Walk", "build", "default_cache"]

Walk = Callable[..., None]


def default_cache() -> Path:
    """Where kernels are kept when nobody says otherwise: the user's own cache directory."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "obligor" / "kernels"


def build(kernel: Kernel, cache_dir: Path) -> tuple[Walk, ...]:
    """The compiled functions of a kernel set: from the cache, or compiled now (seconds).

    The text lies in `<cache_dir>/<its sha256>.py` and numba's machine code beside it, since code that was
    never in a file cannot be cached. Whoever can write to the directory can run code here: keep it private.

    Raises:
        Unavailable: the directory cannot be written to.
    """
    digest = sha256_hex(kernel.text.encode())
    path = cache_dir / f"{digest}.py"
    try:
        _place(path, kernel.text.encode())
    except OSError as error:
        raise Unavailable(f"the kernel cache {cache_dir} cannot be written to: {error.strerror}") from error
    module = ModuleType(f"obligor_kernel_{digest}")
    # numba looks a function's module up by name, and finds its machine code by the file that `path` names.
    sys.modules[module.__name__] = module
    exec(compile(kernel.text, str(path), "exec"), module.__dict__)  # noqa: S102  our own text
    return tuple(getattr(module, name) for name in kernel.functions)


def _place(path: Path, content: bytes) -> None:
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
