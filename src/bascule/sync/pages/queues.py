"""What waits for somebody: all open conflicts, and all that could not be sent."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.attention.items import attention_items_of
from bascule.sync import attention, conflicts
from bascule.sync.dependencies import MayEditRecords
from bascule.sync.pages.labels import REMEDIES, record_status, shown
from bascule.sync.pages.record import Before
from bascule.sync.permissions import RECORDS_EDIT
from bascule.sync.record_types import record_type
from bascule.ui import back_to, page_url, render
from bascule.ui.filters import plural

pages = APIRouter(include_in_schema=False)
MOST_NEEDS = 50  # the rest is found by its state among the connections


@pages.get("/conflicts")
async def conflicts_page(
    request: Request, hub: TheHub, user: MayRead, before: Before = None
) -> Response:
    async with hub.db.session() as session:
        found, older = await attention.undecided(session, user, before=before)
        session.expunge_all()
    return render(
        request,
        "sync/conflicts.html",
        found=found,
        older=page_url("/conflicts", before=older) if older else "",
        before=before,
        twin=page_url("/api/conflicts", before=before),
        shown=shown,
        may_edit=user.may(RECORDS_EDIT),
    )


@pages.get("/attention")
async def attention_page(request: Request, hub: TheHub, user: MayRead) -> Response:
    async with hub.db.session() as session:
        groups = await attention.groups(session, user)
        needs = await attention_items_of(hub, session, user)
        session.expunge_all()
    # What is only told of this very page stands below, record by record.
    elsewhere = [need for need in needs if need.page != "/attention"]
    return render(
        request,
        "sync/attention.html",
        groups=[
            (group, record_type(group.record_type), [(w, record_status(w)) for w in group.wholes])
            for group in groups
        ],
        needs=elsewhere[:MOST_NEEDS],
        more_needs=len(elsewhere) - MOST_NEEDS,
        remedies=REMEDIES,
        may_edit=user.may(RECORDS_EDIT),
    )


@pages.post("/attention/retry", name="retry_attention")
async def retry(
    hub: TheHub, user: MayEditRecords, remedy: Annotated[str, Form(max_length=30)] = ""
) -> Response:
    count = await conflicts.retry_all(hub, None, by=user, remedy=remedy or None)
    if not count:
        return back_to("/attention", "Nothing waits to be sent.", kind="note")
    return back_to("/attention", f"Trying {plural(count, 'record')} again.")
