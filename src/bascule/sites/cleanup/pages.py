"""The buttons beside what deleted connections have left on their sites; the list is a part of the
page of connections.
"""

from fastapi import APIRouter, Request, Response

from bascule.accounts.access import TheHub
from bascule.audit.entries import entry_of
from bascule.connections.dependencies import MayEditConnections
from bascule.errors import Conflict
from bascule.sites.cleanup.api import Number
from bascule.sites.cleanup.cleanups import give_up, try_now, what_remains
from bascule.ui import back_to

pages = APIRouter(prefix="/cleanups/{cleanup}", include_in_schema=False)
BACK = "/connectors"


@pages.post("/retry", name="retry_cleanup")
async def retry_form(
    request: Request, hub: TheHub, user: MayEditConnections, cleanup: Number
) -> Response:
    entry_of(request).object = str(cleanup)
    try:
        tried = await try_now(hub, cleanup, by=user)
    except Conflict as ended:
        return back_to(BACK, ended.message, kind="failed", next_step=ended.next_step)
    if (rest := tried.cleanup) is not None:
        said = f"Still on the site: {what_remains(rest)}. {rest.error or ''}"
        return back_to(BACK, said, kind="failed", next_step=rest.next_step or "")
    return back_to(BACK, "It is removed from the site.")


@pages.post("/give-up", name="give_up_cleanup")
async def give_up_form(
    request: Request, hub: TheHub, user: MayEditConnections, cleanup: Number
) -> Response:
    gone = await give_up(hub, cleanup, by=user)
    entry_of(request).object = gone.name
    return back_to(BACK, f"Given up; left on the site of {gone.name}: {what_remains(gone)}.")
