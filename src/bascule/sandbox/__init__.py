"""An ERPNext that runs here: the REST API of a Frappe site over HTTP, from memory.

    async with Sandbox(demo_company()).serve() as site: ...

What is named here is imported when it is asked for: the pytest plugin lies in this package, and is
loaded by every pytest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bascule.sandbox.company import demo_company
    from bascule.sandbox.core.snapshot import Snapshot
    from bascule.sandbox.folder import load_folder
    from bascule.sandbox.server import Running, Sandbox, SandboxThread

__all__ = ["Running", "Sandbox", "SandboxThread", "Snapshot", "demo_company", "load_folder"]
_MODULES = {"Snapshot": "core.snapshot", "load_folder": "folder", "demo_company": "company"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'server')}"), name)
