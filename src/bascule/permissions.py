"""All permissions that there are. `load` imports each room's declarations, for processes that do
not import the rooms' routes: the command line, and what writes the docs.
"""

from importlib import import_module
from pathlib import Path

from bascule.accounts.permissions import Permission, declared


def load() -> list[Permission]:
    for declarations in sorted(Path(__file__).parent.glob("*/permissions.py")):
        import_module(f"bascule.{declarations.parent.name}.permissions")
    return declared()
