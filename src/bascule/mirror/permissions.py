"""What the mirror lets people do."""

from bascule.accounts.permissions import declare

SYNC_RUN = declare(
    "sync.run",
    "run a sync, verify that the mirror is equal to ERPNext, and cancel runs",
    scope="write",
    roles=("editor", "accountant"),
)
STREAMS_MANAGE = declare(
    "streams.manage",
    "add, filter, shape, switch and remove streams, and set their schedules",
    scope="write",
    roles=("editor",),
)
