"""What the system's page lets people do."""

from bascule.accounts.permissions import declare

SYSTEM_READ = declare(
    "system.read",
    "look at the hub's processes, queues and disk, and at its metrics",
    scope="admin",
)
