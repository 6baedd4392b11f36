"""How two-way sync of a connection's records is done: its settings, and where each field lives."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from bascule.accounts.access import TheHub
from bascule.accounts.tables import User
from bascule.connections.api import TheConnection
from bascule.connections.tables import Connection
from bascule.errors import Invalid
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.sync.dependencies import MayManageTwoWay
from bascule.sync.fields import Field, RecordType
from bascule.sync.mapping import Mapped, mapped
from bascule.sync.pages.setup import PREFIX, Short, Typed, page_of, show
from bascule.sync.setup import settings
from bascule.sync.setup.api import TheKind
from bascule.sync.tables import TwoWay
from bascule.ui import back_to

pages = APIRouter(prefix=PREFIX, include_in_schema=False)


@pages.post("/settings", name="change_two_way")
async def save_settings(
    request: Request, hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> Response:
    said = {name: str(value) for name, value in (await request.form()).items()}
    minutes = said.get("poll_minutes", "")
    changes = {
        "policy": said.get("policy", ""),
        "on_delete": said.get("on_delete", ""),
        "poll_minutes": int(minutes) if minutes.isdecimal() and len(minutes) < 9 else minutes,
        "company": said.get("company", ""),
    }
    try:
        await settings.configure(hub, connection, kind, changes, by=user)
    except Invalid as refused:
        typed = Typed("settings", said, refused)
        return await show(request, hub, user, connection, kind, 422, typed=typed)
    return back_to(page_of(connection, kind), "The settings are saved.")


@pages.post("/fields", name="change_two_way")
async def save_field(
    request: Request, hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> Response:
    """Adds a field, or changes one that there is."""
    said = {name: str(value) for name, value in (await request.form()).items()}
    two_way, fields = await _current(hub, connection, kind)
    name = said.get("name", "").strip()
    try:
        changes = _changes(two_way, fields, name, said)
        await settings.configure(hub, connection, kind, changes, by=user)
    except Invalid as refused:
        form = f"field-{name}" if name in fields.by_name and not said.get("new") else "new-field"
        typed = Typed(form, said, refused)
        return await show(request, hub, user, connection, kind, 422, typed=typed)
    return await _looked_again(hub, user, connection, kind, name)


@pages.post("/fields/remove", name="change_two_way")
async def remove_field(
    hub: TheHub,
    user: MayManageTwoWay,
    connection: TheConnection,
    kind: TheKind,
    name: Short = "",
) -> Response:
    """An own field goes; one of the type's becomes what it was."""
    two_way, _ = await _current(hub, connection, kind)
    changes = {
        "mapping": [entry for entry in two_way.mapping if entry["name"] != name],
        "defaults": {n: v for n, v in two_way.defaults.items() if n != name},
        "field_policies": {n: v for n, v in two_way.field_policies.items() if n != name},
    }
    await settings.configure(hub, connection, kind, changes, by=user)
    if name in {one.name for one in kind.fields}:
        return await _looked_again(hub, user, connection, kind, name)
    return back_to(
        f"{page_of(connection, kind)}#fields",
        f"The field {name} is no longer part of the mapping.",
    )


async def _current(hub: Hub, connection: Connection, kind: RecordType) -> tuple[TwoWay, Mapped]:
    async with hub.db.session() as session:
        found = await settings.find_two_way(session, connection, kind)
        two_way = found or settings.unsaved(connection, kind)
        session.expunge_all()
    return two_way, mapped(two_way)


def _changes(two_way: TwoWay, fields: Mapped, name: str, said: Mapping[str, str]) -> dict[str, Any]:
    """What `configure` is told: the whole mapping with this one entry in it, and so on."""
    known = fields.by_name.get(name)
    if known is not None and said.get("new"):
        raise Invalid(
            f"There is a field {name} already.",
            next_step="Give it another name, or change the one that there is.",
            fields={f"mapping.{name}": "is there already"},
        )
    entry: dict[str, Any] = {"name": name, "label": said.get("label", "").strip() or name}
    if known is None or known.own:
        entry["kind"] = said.get("kind") or (known.kind if known else "text")
    if known is None or not known.required:
        entry["direction"] = said.get("direction") or "both"
        entry |= _place(two_way, known, said)
    longest = said.get("longest", "").strip()
    entry |= {
        "needed": bool(said.get("needed")),
        "choices": [one for one in said.get("choices", "").split(",") if one.strip()],
        "longest": int(longest) if longest.isdecimal() and len(longest) < 9 else longest or None,
    }
    others = [one for one in two_way.mapping if one["name"] != name]
    changes: dict[str, Any] = {
        "mapping": [*others, entry],
        "field_policies": {**two_way.field_policies, name: said.get("policy", "")},
    }
    default = said.get("default", "").strip()
    usual = None if known is None else known.default
    if default != ("" if usual is None else str(usual)):
        changes["defaults"] = {**two_way.defaults, name: default or None}
    return changes


def _place(two_way: TwoWay, known: Field | None, said: Mapping[str, str]) -> dict[str, Any]:
    """`where`: kept (as it is), none (kept here alone), other (`part` and `field`)."""
    if said.get("where") == "none":
        return {"place": None}
    if said.get("where") == "other" or known is None:
        return {
            "place": {"part": said.get("part") or "main", "field": said.get("field", "").strip()}
        }
    before: dict[str, Any] = next((one for one in two_way.mapping if one["name"] == known.name), {})
    return {"place": before["place"]} if "place" in before else {}


async def _looked_again(
    hub: Hub, user: User, connection: Connection, kind: RecordType, name: str
) -> Response:
    """The site tells whether it can hold the field where it is now."""
    to = f"{page_of(connection, kind)}#fields"
    try:
        two_way, found = await settings.ask_the_site(hub, connection, kind, by=user)
    except FrappeError as error:
        return back_to(
            to, f"Saved, but not checked: {error}", kind="note", next_step=error.next_step
        )
    if why := two_way.cannot_hold.get(name):
        return back_to(to, "Saved, and kept here alone.", kind="note", next_step=str(why))
    if note := next((one.note for one in found.missing if one.field.name == name), None):
        return back_to(to, f"Saved. {note[0]}", kind="note", next_step=note[1])
    return back_to(to, "Saved; the site can hold it.")
