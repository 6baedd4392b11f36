"""Connectors over HTTP: their types, one of them, its test, its end.

What also moves data (setup, change, sync, rows) is the mirror's, and so are the lists.
"""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from bascule.accounts.access import CurrentUser, Editor, TheHub, needs
from bascule.connections.answers import CheckAnswer, Connector, DeletedAnswer
from bascule.connections.service import (
    delete_connection,
    find_connection,
    recheck,
)
from bascule.connections.tables import Connection
from bascule.connections.types import CATEGORIES, TYPES, ConnectorTypes
from bascule.events.journal import about

router = APIRouter(prefix="/api/connectors", tags=["Connectors"])


async def named_in_path(
    request: Request,
    hub: TheHub,
    user: CurrentUser,
    connector: Annotated[
        str,
        Path(description="A connector's id or slug.", max_length=100, examples=["acme_trading"]),
    ],
) -> Connection:
    async with hub.db.session() as session:
        found = await find_connection(session, connector, user)
        session.expunge(found)
    about(request, found)
    return found


TheConnection = Annotated[Connection, Depends(named_in_path)]
VIEWER = [Depends(needs("viewer"))]
EDITOR = [Depends(needs("editor"))]
IN_USE: dict[int | str, dict[str, Any]] = {
    409: {"description": "Somebody is reading or writing the mirror, so it cannot be dropped."}
}


@router.get("/types", dependencies=VIEWER)
async def connector_types() -> ConnectorTypes:
    """The kinds of sites that can be connected, each with its form and where to find its values."""
    return ConnectorTypes(types=TYPES, categories=CATEGORIES)


@router.get("/{connector}", dependencies=VIEWER)
async def one_connector(connection: TheConnection) -> Connector:
    """One of them, without its secret."""
    return Connector.of(connection)


@router.post("/{connector}/test", dependencies=EDITOR)
async def test_connector(hub: TheHub, connection: TheConnection) -> CheckAnswer:
    """Asks the site again: who the hub is there, and what it may read. A site that refuses or is
    down is an answer too: 200 with `ok: false`.
    """
    return CheckAnswer.of(await recheck(hub, connection))


@router.delete("/{connector}", responses=IN_USE)
async def delete_connector(
    hub: TheHub,
    user: Editor,
    connection: TheConnection,
    drop_mirror: Annotated[
        bool, Query(description="Drop the mirror's schema too; false leaves it where it is.")
    ] = True,
) -> DeletedAnswer:
    """Forgets a connector with its credentials, streams, runs and logs, and drops its mirror. The
    answer says what was dropped or left. Nothing on the site changes. One that is shared: admins.
    """
    gone = await delete_connection(hub, connection, by=user, drop_mirror=drop_mirror)
    return DeletedAnswer(**asdict(gone))
