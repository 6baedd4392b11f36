"""What the outbox protects; see `accounts.permissions`."""

from bascule.accounts.permissions import declare

OUTBOX_MANAGE = declare(
    "outbox.manage",
    "send writes to ERPNext again, give them up, take them back",
    scope="write",
    roles=("editor", "accountant"),
)
