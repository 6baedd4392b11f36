"""An ERPNext site that runs here: for the demo, for our tests and for yours.

It answers HTTP as a site does, from an in-memory SQLite, and imports nothing of the hub.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bascule.sandbox.server import Running, Sandbox, SandboxThread
    from bascule.sandbox.snapshot import Snapshot, load_folder

__all__ = ["Running", "Sandbox", "SandboxThread", "Snapshot", "load_folder"]


def __getattr__(name: str) -> Any:
    """Loaded when first used: pytest loads this package with the plugin, in every project."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "snapshot" if name in ("Snapshot", "load_folder") else "server"
    return getattr(import_module(f"bascule.sandbox.{room}"), name)
