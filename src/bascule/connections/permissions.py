"""Permissions for connections."""

from bascule.accounts.permissions import declare

CONNECTIONS_EDIT = declare(
    "connections.edit",
    "connect services for oneself and look after those; of a shared connection change all but its "
    "credentials, its webhooks and whom it is for",
    scope="write",
    roles=("editor",),
)
CONNECTIONS_MANAGE = declare(
    "connections.manage",
    "connect services for everybody; change credentials and webhooks of shared connections, mirror "
    "any DocType, share and delete",
    scope="admin",
    includes=(CONNECTIONS_EDIT,),
)
