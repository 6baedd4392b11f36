"""Connectors over HTTP: their types, one of them, its test, its end.

What also moves data (setup, change, sync, rows) is the mirror's, and so are the lists.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from bascule.accounts.access import CurrentUser, TheHub, require
from bascule.accounts.permissions import DATA_READ
from bascule.audit.entries import about
from bascule.connections.deletion.delete import delete_connection
from bascule.connections.deletion.leaving import leaving
from bascule.connections.deletion.schemas import DeletedAnswer, LeavingAnswer
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.permissions import CONNECTIONS_EDIT
from bascule.connections.queries import find_connection
from bascule.connections.schemas import CheckAnswer, Connector, ConnectorTypeAnswer, ConnectorTypes
from bascule.connections.tables import Connection
from bascule.connections.types.registry import CATEGORIES, behaviour_of, registered_types

router = APIRouter(prefix="/api/connectors", tags=["Connectors"])


async def named_in_path(
    request: Request,
    hub: TheHub,
    user: CurrentUser,
    connector: Annotated[
        str,
        Path(description="A connection's id or slug.", max_length=100, examples=["acme_trading"]),
    ],
) -> Connection:
    async with hub.db.session() as session:
        found = await find_connection(session, connector, user)
        session.expunge(found)
    about(request, found)
    return found


TheConnection = Annotated[Connection, Depends(named_in_path)]
TO_READ = [Depends(require(DATA_READ))]
IN_USE: dict[int | str, dict[str, Any]] = {
    409: {"description": "Somebody is reading or writing the mirror, so it cannot be dropped."}
}


@router.get("/types", dependencies=TO_READ)
async def connector_types() -> ConnectorTypes:
    """The kinds of sites that can be connected, each with its form and where to find its values."""
    types = [ConnectorTypeAnswer.model_validate(kind) for kind in registered_types()]
    return ConnectorTypes(types=types, categories=CATEGORIES)


@router.get("/{connector}", dependencies=TO_READ)
async def one_connector(connection: TheConnection) -> Connector:
    """One of them, without its secret."""
    return Connector.of(connection)


@router.post("/{connector}/test", dependencies=[Depends(require(CONNECTIONS_EDIT))])
async def test_connector(hub: TheHub, connection: TheConnection) -> CheckAnswer:
    """Asks the site again: who the hub is there, and what it may read. A site that refuses or is
    down is an answer too: 200 with `ok: false`.
    """
    return CheckAnswer.of(await behaviour_of(connection.kind).check(hub, connection))


@router.get("/{connector}/deletion", dependencies=TO_READ)
async def before_deletion(hub: TheHub, connection: TheConnection) -> LeavingAnswer:
    """What a deletion would remove from the site, and what would become of the records that are
    kept the same with it. Asks no site.
    """
    async with hub.db.session() as session:
        return LeavingAnswer.of(await leaving(session, connection))


@router.delete("/{connector}", responses=IN_USE)
async def delete_connector(
    hub: TheHub,
    user: MayEditConnections,
    connection: TheConnection,
    drop_mirror: Annotated[
        bool, Query(description="Drop the mirror's schema too; false leaves it where it is.")
    ] = True,
    keep_on_site: Annotated[
        bool,
        Query(description="Leave on the site what the hub made there; its webhooks are refused."),
    ] = False,
) -> DeletedAnswer:
    """Forgets a connection with its credentials, streams, runs and logs, drops its mirror, and
    removes from the site what the hub made there (see `deletion`). Where the site does not answer,
    that is tried again for a week: `GET /api/cleanups`. The answer says what was dropped, removed
    or left. One that is shared: admins.
    """
    gone = await delete_connection(
        hub, connection, by=user, drop_mirror=drop_mirror, keep_on_site=keep_on_site
    )
    return DeletedAnswer.of(gone)
