"""The application.

Commands, questions, processors, settings. The one room with a clock and a data directory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obligor.app.keys import Keys
    from obligor.app.service import Service
    from obligor.app.settings import Settings, load

__all__ = ["Keys", "Service", "Settings", "load"]

_PLACES = {"Keys": "keys", "Service": "service", "Settings": "settings", "load": "settings"}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that the views alone stay light."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
