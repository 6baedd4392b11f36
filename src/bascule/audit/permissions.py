"""What the audit log lets people do."""

from bascule.accounts.permissions import declare

AUDIT_READ = declare(
    "audit.read",
    "read who did what, when and from where, and export it",
    scope="admin",
)
