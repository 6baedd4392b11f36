"""What moves data, over HTTP: setup, change, sync and status of connections; streams, runs, logs.

Only the way in and out: what happens is `setup`'s, `streams`' and `runs`'; rows are `rows_api`'s.
"""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request

from bascule.accounts.access import MayRead, TheHub, require
from bascule.accounts.tables import User
from bascule.audit.entries import about, entry_of
from bascule.connections.api import TO_READ, TheConnection
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.queries import find_connection, list_connections
from bascule.connections.schemas import CheckAnswer, Connector
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.mirror import setup
from bascule.mirror.dependencies import MayManageStreams, MaySync
from bascule.mirror.permissions import STREAMS_MANAGE
from bascule.mirror.runs.cancel import cancel_run, cancel_runs
from bascule.mirror.runs.execution import logs_of, run_of, runs_of
from bascule.mirror.runs.logs import SHOWN, Level, Words, newest_of_connection
from bascule.mirror.runs.quiet import quiet_days
from bascule.mirror.runs.start import start_runs
from bascule.mirror.schemas import (
    Cancelled,
    ConnectorChange,
    ConnectorLog,
    LogLine,
    Logs,
    NewStream,
    RunAnswer,
    Runs,
    Setup,
    SetupAnswer,
    Started,
    StreamAnswer,
    StreamChange,
    Streams,
    SyncRequest,
    VerifyRequest,
)
from bascule.mirror.status.overview import with_doctypes
from bascule.mirror.streams.settings import (
    add_streams,
    change_stream,
    delete_stream,
    find_stream,
    streams_of,
)
from bascule.mirror.tables import OVER, Stream
from bascule.sites.fields import NewConnection

router = APIRouter()
BIGGEST = 2**63 - 1  # of a bigint
RunId = Annotated[int, Path(ge=1, le=BIGGEST, description="A run's number.", examples=[42])]
Responses = dict[int | str, dict[str, Any]]
LOCKED_OUT = {"description": "The site does not let the hub in; `check` tells why."}
SETUP_REFUSED: Responses = {400: LOCKED_OUT, 409: {"description": "The slug is taken."}}
CHANGE_REFUSED: Responses = {
    400: LOCKED_OUT,
    409: {"description": "Views have to change, and others depend on them."},
}
UNKNOWN: Responses = {404: {"description": "There is no connection of this `connector_id`."}}
HAS_ENDED: Responses = {409: {"description": "The run has ended already."}}
DEPENDED_ON: Responses = {409: {"description": "Others depend on its table."}}


@router.post(
    "/api/connectors/erpnext/setup",
    status_code=201,
    responses=SETUP_REFUSED,
    tags=["Connectors"],
)
async def set_up_erpnext(
    request: Request, hub: TheHub, user: MayEditConnections, body: Setup
) -> SetupAnswer:
    """Connects an ERPNext site: tries the credentials, saves them encrypted, and starts to pull.

    A site that does not let the hub in is 400 with `check`, and nothing is saved. One that lets it
    in but keeps some DocTypes from it is connected; `check` says what is missing. Editors connect
    for themselves; admins for everybody, or for themselves with `shared: false`. Changes are
    fetched every 15 minutes unless `schedule` says otherwise; with `PUT .../webhooks` the site
    tells of them within seconds.
    """
    values = body.model_dump(exclude={"test_connection", "start_sync", "streams"})
    values["name"] = values["name"] or body.api_url.strip().split("://")[-1].split("/")[0]
    connection, report, run_ids = await setup.set_up(
        hub,
        NewConnection(**values),
        by=user,
        streams=body.streams,
        test=body.test_connection,
        start=body.start_sync,
        trigger="api",
    )
    about(request, connection)
    check = CheckAnswer.of(report) if report else None
    return SetupAnswer.of(connection, check=check, run_ids=run_ids)


@router.patch("/api/connectors/{connector}", responses=CHANGE_REFUSED, tags=["Connectors"])
async def change_connector(
    hub: TheHub, user: MayEditConnections, connection: TheConnection, body: ConnectorChange
) -> Connector:
    """Changes what is named. A changed address or credential is tried; 400 changes nothing. Of a
    connection that is shared, only admins change address and credentials.
    """
    changes = body.model_dump(exclude_unset=True, exclude={"test_connection"})
    changed = await setup.change(hub, connection, changes, by=user, test=body.test_connection)
    return Connector.of(changed)


@router.post("/api/connectors/sync", status_code=202, responses=UNKNOWN, tags=["Sync"])
async def sync(
    hub: TheHub, user: MaySync, body: Annotated[SyncRequest | None, Body()] = None
) -> Started:
    """Pulls what changed: of one connection or of all, all streams or some. Answers at once with
    the runs, or after `wait` seconds at most. No stream is pulled twice at a time.
    """
    asked = body or SyncRequest()
    async with hub.db.session() as session:
        connections = (
            [await find_connection(session, asked.connector_id, user)]
            if asked.connector_id is not None
            else await list_connections(session, user)
        )
        session.expunge_all()
    kind = "full" if asked.full else "sync"
    run_ids = [
        run_id
        for connection in connections
        for run_id in await start_runs(
            hub,
            connection,
            names=asked.streams,
            kind=kind,
            trigger="api",
            by=user,
            debug=asked.debug,
        )
    ]
    return await _started(hub, user, run_ids, asked.wait)


@router.post("/api/connectors/{connector}/verify", status_code=202, tags=["Sync"])
async def verify(
    hub: TheHub,
    user: MaySync,
    connection: TheConnection,
    body: Annotated[VerifyRequest | None, Body()] = None,
) -> Started:
    """Proves the mirror equal to the site, document by document, or lists what differs in each
    run's `report`; with `repair` it mends that too.
    """
    asked = body or VerifyRequest()
    kind = "repair" if asked.repair else "verify"
    run_ids = await start_runs(
        hub,
        connection,
        names=asked.streams,
        kind=kind,
        trigger="api",
        by=user,
        debug=asked.debug,
    )
    return await _started(hub, user, run_ids, asked.wait)


async def _started(hub: Hub, user: User, run_ids: list[int], wait: int) -> Started:
    give_up = time.monotonic() + wait
    while True:
        async with hub.db.session() as session:
            found = [await run_of(session, number, user) for number in run_ids]
            runs = await with_doctypes(session, found)
        finished = all(run.outcome in OVER for run in runs)
        if finished or time.monotonic() >= give_up:
            return Started(run_ids=run_ids, runs=runs, finished=finished)
        await asyncio.sleep(0.25)


async def stream_in_path(
    hub: TheHub,
    connection: TheConnection,
    stream: Annotated[
        str,
        Path(description="A DocType, its table or its id.", max_length=200, examples=["Item"]),
    ],
) -> Stream:
    async with hub.db.session() as session:
        found = await find_stream(session, connection, stream)
        session.expunge(found)
    return found


TheStream = Annotated[Stream, Depends(stream_in_path)]


@router.get("/api/connectors/{connector}/streams", dependencies=TO_READ, tags=["Streams"])
async def streams(hub: TheHub, connection: TheConnection) -> Streams:
    """The DocTypes that this connection mirrors, on or off."""
    async with hub.db.session() as session:
        found = await streams_of(session, connection)
        return Streams(streams=[StreamAnswer.of(stream, connection) for stream in found])


@router.get("/api/connectors/{connector}/streams/{stream}", dependencies=TO_READ, tags=["Streams"])
async def one_stream(connection: TheConnection, stream: TheStream) -> StreamAnswer:
    """How one of them is mirrored, and how it went last."""
    return StreamAnswer.of(stream, connection)


@router.post("/api/connectors/{connector}/streams", status_code=201, tags=["Streams"])
async def add_stream(
    hub: TheHub, user: MayManageStreams, connection: TheConnection, body: NewStream
) -> Streams:
    """Mirrors a DocType too, by its name, or all those of a preset. One that is there is switched
    on. It is pulled with the next sync. For a connection that all share an editor adds what trade
    is made of; other DocTypes, such as User, an admin.
    """
    added = await add_streams(hub, connection, [body.doctype], by=user)
    return Streams(streams=[StreamAnswer.of(stream, connection) for stream in added])


@router.patch("/api/connectors/{connector}/streams/{stream}", tags=["Streams"])
async def change_one_stream(
    hub: TheHub,
    user: MayManageStreams,
    connection: TheConnection,
    stream: TheStream,
    body: StreamChange,
) -> StreamAnswer:
    """Switches a stream on or off, filters it, leaves fields out or renames them. The next sync
    brings the tables in line.
    """
    changes = body.model_dump(exclude_unset=True)
    changed = await change_stream(hub, connection, stream, changes, by=user)
    return StreamAnswer.of(changed, connection)


@router.delete(
    "/api/connectors/{connector}/streams/{stream}",
    dependencies=[Depends(require(STREAMS_MANAGE))],
    responses=DEPENDED_ON,
    tags=["Streams"],
)
async def delete_one_stream(
    hub: TheHub, connection: TheConnection, stream: TheStream
) -> StreamAnswer:
    """Mirrors this DocType no longer, and drops its tables. The answer is what it was."""
    gone = StreamAnswer.of(stream, connection)
    await delete_stream(hub, connection, stream)
    return gone


@router.get("/api/connectors/{connector}/runs", dependencies=TO_READ, tags=["Runs"])
async def runs(
    hub: TheHub,
    connection: TheConnection,
    limit: Annotated[int, Query(ge=1, le=500, description="Runs a page.")] = 50,
    before: Annotated[
        int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")
    ] = None,
) -> Runs:
    """What was attempted, newest first. Runs that changed nothing are counts after a day."""
    async with hub.db.session() as session:
        found = await runs_of(session, connection, limit + 1, before)
        page = await with_doctypes(session, found[:limit])
        quiet = await quiet_days(session, connection)
    return Runs(runs=page, next=page[-1].id if len(found) > limit else None, quiet=quiet)


@router.get("/api/connectors/{connector}/logs", dependencies=TO_READ, tags=["Runs"])
async def connector_log(
    hub: TheHub,
    connection: TheConnection,
    level: Level = "info",
    words: Words = "",
    limit: Annotated[int, Query(ge=1, le=SHOWN, description="The newest so many lines.")] = SHOWN,
) -> ConnectorLog:
    """What the latest runs of all its streams said."""
    async with hub.db.session() as session:
        lines = await newest_of_connection(
            session, connection, level=level, words=words, limit=limit
        )
    return ConnectorLog(lines=lines)


@router.get("/api/runs/{run}", tags=["Runs"])
async def one_run(hub: TheHub, user: MayRead, run: RunId) -> RunAnswer:
    """What was attempted and what came of it; while it runs, how far it is."""
    async with hub.db.session() as session:
        return (await with_doctypes(session, [await run_of(session, run, user)]))[0]


@router.post("/api/runs/{run}/cancel", responses=HAS_ENDED, tags=["Runs"])
async def cancel_one_run(request: Request, hub: TheHub, user: MaySync, run: RunId) -> RunAnswer:
    """Ends a run: one that waits at once, one that goes within seconds, also while its site does
    not answer. What is here stays, and the next run of the stream goes on where it was.
    """
    async with hub.db.session() as session:
        found = await run_of(session, run, user)
        about(request, await session.get_one(Connection, found.connection_id))
        session.expunge_all()
    cancelled = await cancel_run(hub, found, by=user)
    async with hub.db.session() as session:
        answer = (await with_doctypes(session, [cancelled]))[0]
    entry_of(request).detail["run"] = f"{run}, {answer.doctype}"
    return answer


@router.post("/api/connectors/{connector}/cancel", tags=["Runs"])
async def cancel_all_runs(
    request: Request, hub: TheHub, user: MaySync, connection: TheConnection
) -> Cancelled:
    """Ends all runs of a connection that wait or go."""
    runs = await cancel_runs(hub, connection, by=user)
    entry_of(request).detail["runs"] = len(runs)
    async with hub.db.session() as session:
        return Cancelled(runs=await with_doctypes(session, runs))


@router.get("/api/runs/{run}/logs", tags=["Runs"])
async def logs(
    hub: TheHub,
    user: MayRead,
    run: RunId,
    after: Annotated[int, Query(ge=0, le=BIGGEST, description="The last line that you have.")] = 0,
) -> Logs:
    """What a run said, oldest first."""
    async with hub.db.session() as session:
        finished = (await run_of(session, run, user)).outcome in OVER
        lines = await logs_of(session, run, after)
        return Logs(
            lines=[LogLine.model_validate(line) for line in lines],
            after=lines[-1].id if lines else after,
            finished=finished,
        )
