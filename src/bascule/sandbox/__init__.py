"""An ERPNext site that runs here: for the demo, for our tests and for yours.

It answers HTTP as a site does, from an in-memory SQLite, and imports nothing of the hub.
"""

from bascule.sandbox.server import Running, Sandbox, SandboxThread
from bascule.sandbox.snapshot import Snapshot, load_folder

__all__ = ["Running", "Sandbox", "SandboxThread", "Snapshot", "load_folder"]
