"""The page of a connection's webhooks: whether they arrive, what is wrong, and what mends it."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.origin import public_url
from bascule.connections.api import TheConnection
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.permissions import CONNECTIONS_EDIT
from bascule.connections.sharing import who_decides
from bascule.connections.tables import Connection
from bascule.errors import HubError, Invalid
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.inbox.dispatch import try_failed_again
from bascule.inbox.frappe.schemas import DeliveryState
from bascule.inbox.frappe.site import setup
from bascule.inbox.frappe.site.monitor import check
from bascule.inbox.frappe.site.orphans import Orphan, find_orphans, remove_orphans
from bascule.inbox.frappe.site.setup import Order, is_loopback
from bascule.inbox.frappe.site.webhooks import DOCTYPES, EVENTS, OLDER, Brought, doctypes_in
from bascule.inbox.frappe.status import WHEN, Standing, deliveries_of, standing_of
from bascule.ui import back_to, render
from bascule.ui.filters import plural

pages = APIRouter(prefix="/connectors/{connector}/webhooks", include_in_schema=False)
BIGGEST = 2**63 - 1  # of a bigint
SHOWN = 30  # deliveries on a page
Typed = Annotated[str, Form(max_length=5000)]
Ticked = Annotated[str, Form(max_length=10)]


@pages.get("")
async def webhooks_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None,
    state: DeliveryState | None = None,
) -> Response:
    return await _page(request, hub, connection, before=before, only=state)


@pages.post("", name="set_up_webhooks")
async def set_up_form(
    request: Request,
    hub: TheHub,
    user: MayEditConnections,
    connection: TheConnection,
    doctypes: Typed = "",
    insert: Ticked = "",
    update: Ticked = "",
    delete: Ticked = "",
    base_url: Typed = "",
    by_hand: Ticked = "",
    secret: Typed = "",
) -> Response:
    named = [name.strip() for name in doctypes.splitlines() if name.strip()]
    kinds = [kind for kind, on in zip(EVENTS, (insert, update, delete), strict=True) if on]
    order = Order(named, kinds, base_url.strip() or None, secret if by_hand else None)
    try:
        here = public_url(request, hub.settings)
        done = await setup.set_up(hub, connection, order, by=user, asked_at=here)
    except (HubError, FrappeError) as refused:
        typed = _typed(named, kinds, base_url.strip(), bool(by_hand))
        return await _page(request, hub, connection, typed=typed, refused=refused)
    if by_hand:
        return back_to(_at(connection), "Now make the webhooks in ERPNext, as described below.")
    return back_to(_at(connection), _told("The webhooks are as they should be", done))


@pages.post("/check", name="check_webhooks")
async def check_form(hub: TheHub, user: MayEditConnections, connection: TheConnection) -> Response:
    await check(hub, connection)
    async with hub.db.session() as session:
        troubles = (await standing_of(session, connection)).troubles
    if troubles:
        return back_to(_at(connection), "The site was asked; see below what is wrong.", kind="note")
    return back_to(_at(connection), "The site was asked, and everything is as it should be.")


@pages.post("/mend", name="mend_webhooks")
async def mend_form(hub: TheHub, user: MayEditConnections, connection: TheConnection) -> Response:
    try:
        done = await setup.mend(hub, connection)
    except (HubError, FrappeError) as refused:
        return _failed(connection, refused)
    return back_to(_at(connection), _told("The webhooks are mended", done))


@pages.post("/rotate", name="rotate_secret_of_webhooks")
async def rotate_form(
    hub: TheHub, user: MayEditConnections, connection: TheConnection, secret: Typed = ""
) -> Response:
    try:
        await setup.rotate(hub, connection, secret or None, by=user)
    except (HubError, FrappeError) as refused:
        return _failed(connection, refused)
    said = "The webhooks have another secret; the one before is accepted for an hour more."
    return back_to(_at(connection), said)


@pages.post("/retry", name="retry_deliveries")
async def retry_form(hub: TheHub, user: MayEditConnections, connection: TheConnection) -> Response:
    count = await try_failed_again(hub, connection.id)
    if not count:
        return back_to(_at(connection), "Nothing waits for another attempt.", kind="note")
    told = "One delivery is" if count == 1 else f"{count:,} deliveries are"
    return back_to(_at(connection), f"{told} told again.")


@pages.post("/remove", name="remove_webhooks")
async def remove_form(
    hub: TheHub, user: MayEditConnections, connection: TheConnection, only_here: Ticked = ""
) -> Response:
    try:
        removed = await setup.remove(hub, connection, by=user, at_the_site=not only_here)
    except (HubError, FrappeError) as refused:
        return _failed(connection, refused)
    count = f"{len(removed)} webhook{'' if len(removed) == 1 else 's'}"
    there = f"{count} removed from the site" if removed else "the site was left as it is"
    return back_to(_at(connection), f"What still arrives is refused from now on; {there}.")


@pages.post("/orphans", name="orphans")
async def orphans_form(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Response:
    """Looks for them, and shows what was found on the same page."""
    try:
        here = public_url(request, hub.settings)
        found = await find_orphans(hub, connection, asked_at=here)
    except (HubError, FrappeError) as refused:
        return _failed(connection, refused)
    if not found:
        said = "The site was asked: every webhook there that leads here belongs to a connection."
        return back_to(_at(connection), said)
    return await _page(request, hub, connection, orphans=found)


@pages.post("/clear", name="remove_orphaned_webhooks")
async def clear_form(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Response:
    try:
        here = public_url(request, hub.settings)
        removed = await remove_orphans(hub, connection, by=user, asked_at=here)
    except (HubError, FrappeError) as refused:
        return _failed(connection, refused)
    await check(hub, connection)
    return back_to(_at(connection), f"{plural(len(removed), 'webhook')} removed from the site.")


def _at(connection: Connection) -> str:
    return f"/connectors/{connection.slug}/webhooks"


def _failed(connection: Connection, refused: HubError | FrappeError) -> RedirectResponse:
    return back_to(_at(connection), str(refused), kind="failed", next_step=refused.next_step)


def _told(lead: str, done: Brought) -> str:
    acts = (("made", done.made), ("changed", done.changed), ("removed", done.removed))
    counts = ", ".join(f"{len(names)} {act}" for act, names in acts if names)
    return f"{lead}: {counts}." if counts else f"{lead}; nothing had to be changed."


async def _page(
    request: Request,
    hub: Hub,
    connection: Connection,
    *,
    before: int | None = None,
    only: DeliveryState | None = None,
    typed: dict[str, Any] | None = None,
    refused: HubError | FrappeError | None = None,
    orphans: Sequence[Orphan] = (),
) -> Response:
    async with hub.db.session() as session:
        standing = await standing_of(session, connection)
        found = await deliveries_of(session, connection, SHOWN + 1, before, state=only)
        session.expunge_all()
    wrong = refused.fields if isinstance(refused, Invalid) else {}
    return render(
        request,
        "inbox/webhooks.html",
        status=200 if refused is None else 422,
        connection=connection,
        standing=standing,
        when=WHEN,
        deliveries=found[:SHOWN],
        older=found[SHOWN - 1].id if len(found) > SHOWN else None,
        before=before,
        only=only,
        typed=typed or _as_saved(standing),
        refused=refused,
        orphans=orphans,
        wrong=wrong,
        known_url=_known_url(request, hub, connection),
        may_edit=request.state.user.may(CONNECTIONS_EDIT),
        may_set_up=request.state.user.may(who_decides(connection)),
        who="admin" if connection.shared else "editor",
    )


def _as_saved(standing: Standing) -> dict[str, Any]:
    end = standing.end
    if end is None:
        return _typed(list(DOCTYPES), list(EVENTS), "", by_hand=False)
    events = {OLDER.get(event, event) for events in end.wanted.values() for event in events}
    kinds = [kind for kind, own in EVENTS.items() if events & set(own)]
    return _typed(doctypes_in(end.wanted), kinds, end.base_url or "", by_hand=not end.at_the_site)


def _typed(doctypes: list[str], kinds: list[str], base_url: str, by_hand: bool) -> dict[str, Any]:
    return {
        "doctypes": "\n".join(doctypes),
        "kinds": kinds,
        "base_url": base_url,
        "by_hand": by_hand,
    }


def _known_url(request: Request, hub: Hub, connection: Connection) -> str:
    """What holds where nothing is typed; "": nothing does."""
    here = public_url(request, hub.settings)
    if hub.settings.public_url or (is_loopback(connection.api_url) and is_loopback(here)):
        return here
    return ""
