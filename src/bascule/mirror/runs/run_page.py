"""A run's page: how far it is, what it did, what went wrong, and what it said, line by line."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.audit.entries import about, entry_of, recorded
from bascule.connections.queries import find_connection
from bascule.errors import Conflict
from bascule.mirror.dependencies import MaySync
from bascule.mirror.runs.cancel import cancel_run
from bascule.mirror.runs.execution import run_of
from bascule.mirror.runs.log_page import text_file
from bascule.mirror.runs.logs import SHOWN, Level, Words, count_lines, newest_lines
from bascule.mirror.runs.run_batches import batch_of, progress_of
from bascule.mirror.tables import Stream
from bascule.ui import back_to, render

pages = APIRouter(prefix="/runs/{run}", include_in_schema=False)
RunId = Annotated[int, Path(ge=1, le=2**63 - 1)]
KINDS = {
    "sync": "Sync",
    "full": "Full resync",
    "verify": "Verify",
    "repair": "Verify and repair",
}


@pages.get("")
async def run_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    run: RunId,
    level: Level = "info",
    words: Words = "",
) -> Response:
    async with hub.db.session() as session:
        found = await run_of(session, run, user)
        connection = await find_connection(session, found.connection_id, user)
        stream = await session.get_one(Stream, found.stream_id)
        together = await batch_of(session, found)
        lines = await newest_lines(session, run, level=level, words=words)
        every = await count_lines(session, run)
        answer = next(one for one in together.runs if one.id == run)
        session.expunge_all()
    return render(
        request,
        "mirror/run.html",
        run=answer,
        progress=progress_of(answer),
        kind=KINDS.get(answer.kind, answer.kind),
        connection=connection,
        stream=stream,
        together=[one for one in together.runs if one.id != run],
        lines=lines,
        every=every,
        shown=SHOWN,
        level=level,
        words=words,
    )


@pages.post("/cancel", name="cancel_one_run")
async def cancel(request: Request, hub: TheHub, user: MaySync, run: RunId) -> Response:
    async with hub.db.session() as session:
        found = await run_of(session, run, user)
        about(request, await find_connection(session, found.connection_id, user))
        entry_of(request).detail["run"] = run
        session.expunge_all()
    try:
        await cancel_run(hub, found, by=user)
    except Conflict as ended:
        return back_to(f"/runs/{run}", ended.message, kind="note", next_step=ended.next_step)
    return back_to(f"/runs/{run}", "Cancelled. What is here stays as it is.")


@pages.get("/log.txt", dependencies=[Depends(recorded)])
async def download_log(request: Request, hub: TheHub, user: MayRead, run: RunId) -> Response:
    async with hub.db.session() as session:
        found = await run_of(session, run, user)
        about(request, await find_connection(session, found.connection_id, user))
        session.expunge(found)
    return text_file(hub, user, found, f"run-{run}.txt")
