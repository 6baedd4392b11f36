"""Writes the journal's row of every request that may change something, as its answer leaves.

No route has to remember it. Who asked and how is what `accounts` left at the request.
"""

import logging
from http import HTTPMethod
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bascule.audit.changes import recording_changes
from bascule.audit.entries import UNWRITTEN, Entry, entry_of, record
from bascule.hub import Hub

log = logging.getLogger(__name__)
# A header of a form's redirect, whose status alone does not tell that nothing was done.
REFUSED = "bascule-refused"
SAFE = {HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS}
# A one-time link's token is a secret, and stands in a path.
UNTOLD = {"token", "connector", "stream", "run", "relation"}


class AuditMiddleware:
    """An ASGI middleware. The row is there before the answer: who reads it finds what they did.

    Requests by nobody leave no row, or anybody could fill the journal; a failed sign-in is recorded
    by the sign-in itself, which is throttled.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        entry = entry_of(connection)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                if changes:
                    entry.detail["changed"] = changes
                if REFUSED in Headers(raw=message["headers"]):
                    entry.detail["refused"] = True
                await self._note(connection, entry, int(message["status"]))
            await send(message)

        with recording_changes() as changes:
            await self.app(scope, receive, noted)

    async def _note(self, connection: HTTPConnection, entry: Entry, status: int) -> None:
        user = getattr(connection.state, "user", None)
        method = connection.scope["method"]
        wanted = method not in SAFE if entry.wanted is None else entry.wanted
        if user is None or not wanted:
            return
        hub: Hub = connection.app.state.hub
        try:
            async with hub.db.session() as session:
                await record(
                    session,
                    action=_route(connection, "name") or method.lower(),
                    user=user,
                    via=connection.state.via,
                    address=connection.state.address,
                    connection_id=entry.connection_id,
                    private_to=entry.private_to,
                    object=entry.object or _named(connection.path_params),
                    detail={
                        "method": method,
                        "route": _route(connection),
                        "status": status,
                        **entry.detail,
                    },
                )
        except UNWRITTEN as error:
            # What was asked is done or refused already, and hiding the answer undoes nothing.
            log.error("%s is not in the journal: %s", _route(connection), type(error).__name__)  # noqa: TRY400


def _route(connection: HTTPConnection, what: str = "path_format") -> str:
    """Of the route that took it: its name, which is its function's, or its path without values."""
    return str(getattr(connection.scope.get("route"), what, ""))


def _named(path_params: dict[str, Any]) -> str:
    """What the path names, where no route said it better, and where it may be told. Of connections
    only those that were found are: another one may be private, and its owner have been refused.
    """
    return " ".join(str(value) for name, value in path_params.items() if name not in UNTOLD)
