"""The page of a deactivated person's private connections."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from bascule.accounts.access import ConfirmedPerson, MayManagePeople, TheHub
from bascule.accounts.people.api import UserId, note
from bascule.accounts.people.users import list_people
from bascule.audit.entries import entry_of
from bascule.connections.left_behind.handover import delete_left, hand_over, left_by
from bascule.connections.permissions import CONNECTIONS_EDIT
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.hub import Hub
from bascule.ui import back_to, render
from bascule.ui.filters import plural

pages = APIRouter(include_in_schema=False)


@pages.get("/people/{person}/left")
async def left_page(
    request: Request, hub: TheHub, user: MayManagePeople, person: UserId
) -> Response:
    return await _left(request, hub, person)


@pages.post("/people/{person}/left/hand-over", name="hand_over_connections")
async def hand_over_form(
    request: Request,
    hub: TheHub,
    user: MayManagePeople,
    _: ConfirmedPerson,
    person: UserId,
    to: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    try:
        async with hub.db.session() as session:
            owner, heir, connections = await hand_over(session, person, to)
            note(request, owner)
            entry_of(request).detail["to"] = heir.username
            many = plural(len(connections), "connection")
            said = f"{many} of {owner.username}: now of {heir.username}."
    except (Invalid, NoSuch) as refused:
        return await _left(request, hub, person, refused)
    return back_to(f"/people/{person}/left", said)


@pages.post("/people/{person}/left/delete", name="delete_left_connections")
async def delete_form(
    request: Request, hub: TheHub, user: MayManagePeople, person: UserId
) -> Response:
    owner, deleted = await delete_left(hub, person)
    note(request, owner)
    said = f"{plural(len(deleted), 'connection')} of {owner.username}: deleted, with the mirrors."
    return back_to(f"/people/{person}/left", said)


async def _left(
    request: Request, hub: Hub, person: int, refused: Invalid | NoSuch | None = None
) -> Response:
    try:
        async with hub.db.session() as session:
            owner, connections = await left_by(session, person)
            heirs = [
                one
                for one in await list_people(session)
                if one.active and one.may(CONNECTIONS_EDIT)
            ]
    except Conflict:  # they are active again, and this is nobody else's to look at
        return back_to(f"/people/{person}", "They are active: their connections go on.")
    return render(
        request,
        "connections/left.html",
        422 if refused else 200,
        person=owner,
        connections=connections,
        heirs=[one.username for one in heirs],
        refused=refused,
    )
