"""A connection's settings: the form that connected it, with what is saved in it but the secrets."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from psycopg.sql import SQL

from bascule.accounts.access import TheHub
from bascule.accounts.tables import User
from bascule.audit.entries import about, do_not_record
from bascule.connections.api import TheConnection
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.frequency import parts_of
from bascule.connections.permissions import CONNECTIONS_MANAGE
from bascule.connections.sharing import WAY_IN
from bascule.connections.tables import Connection
from bascule.connections.types.fields import FormField
from bascule.connections.types.registry import type_named
from bascule.connectors.form import MENDABLE, Form, filled, onwards, show
from bascule.data.relation import BadQuery, conditions, find_relation
from bascule.errors import Invalid
from bascule.hub import Hub
from bascule.mirror.setup import change
from bascule.mirror.streams.pending import what_follows
from bascule.mirror.streams.settings import streams_of
from bascule.sites.choices import MOST_FOUND
from bascule.sites.forms import host_of
from bascule.sites.trial import try_changed
from bascule.ui import back_to

pages = APIRouter(prefix="/connectors/{connector}/settings", include_in_schema=False)
PAGE = "connectors/settings.html"
ADMINS_ONLY = "Only an admin may change this of a connection that is shared."


@pages.get("")
async def settings_page(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Response:
    form = _saved(connection, user)
    form.listed = await _mirrored_warehouses(hub, connection)
    return show(request, PAGE, form, connection=connection)


@pages.post("/validate", dependencies=[Depends(do_not_record)])
async def validate_settings(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Response:
    """What is wrong so far."""
    form = await filled(request, _saved(connection, user))
    form.look_over(hub.settings)
    return show(request, PAGE, form, connection=connection)


@pages.post("/test")
async def test_settings(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Response:
    """Asks the site with what is typed, and what is saved where nothing is. Nothing is changed."""
    form = await filled(request, _saved(connection, user))
    try:
        form.judge(hub.settings)
        changes, wanted = _changes(form, connection), await _wanted(hub, connection)
        form.tried(await try_changed(hub, connection, changes, wanted, by=user))
    except Invalid as refused:
        form.refuse(refused)
        return show(request, PAGE, form, 422, connection=connection)
    return show(request, PAGE, form, connection=connection)


@pages.post("", name="change_connector")
async def save_settings(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Response:
    form = await filled(request, _saved(connection, user))
    here = f"/connectors/{connection.slug}"
    try:
        form.judge(hub.settings)
        changes = _changes(form, connection)
        if not changes:
            return onwards(request, back_to(here, "Nothing was changed.", kind="note"))
        changed = await change(hub, connection, changes, by=user)
    except MENDABLE as refused:
        form.saving = True
        form.refuse(refused)
        return show(request, PAGE, form, 422, connection=connection)
    about(request, changed)
    async with hub.db.session() as session:
        step = what_follows(changed, await streams_of(session, changed), changes)
    said = f"The settings of {changed.name} are saved."
    return onwards(request, back_to(here, said, next_step=step))


def _saved(connection: Connection, user: User) -> Form:
    kind = type_named(connection.kind)
    fields = [_as_saved(each, connection) for each in kind.fields if each.type != "presets"]
    # Of the credentials, only the encrypted ones are there to read.
    values = {each.name: getattr(connection, each.name, "") for each in fields}
    may_share = user.may(CONNECTIONS_MANAGE)
    fixed = WAY_IN | {"shared"} if connection.shared and not may_share else set()
    return Form(
        replace(kind, fields=fields),
        {**values, "shared": connection.shared},
        f"/connectors/{connection.slug}/settings",
        may_share,
        fixed=dict.fromkeys(fixed, ADMINS_ONLY),
        keeps=frozenset({"api_key", "api_secret"}),
    )


def _as_saved(each: FormField, connection: Connection) -> FormField:
    if each.name == "api_key":
        end = connection.api_key_ends_with
        return each.model_copy(update={"placeholder": f"ends with {end}" if end else "saved"})
    if each.name == "api_secret":
        return each.model_copy(update={"placeholder": "saved"})
    often = parts_of(connection.schedule)[0]
    if each.name == "schedule" and often not in (each.options or []):
        own = {
            "options": [often, *(each.options or [])],
            "labels": [often.capitalize(), *(each.labels or [])],
        }
        return each.model_copy(update=own)
    return each


def _changes(form: Form, connection: Connection) -> dict[str, Any]:
    """What was typed that is not so already."""
    typed = dict(form.values)
    typed["name"] = typed["name"] or host_of(str(typed["api_url"]))
    typed["ca_bundle"] = typed["ca_bundle"] or None
    kept = {name for name in form.keeps if not typed[name]}
    return {
        name: value
        for name, value in typed.items()
        if name not in kept | form.fixed.keys() and value != getattr(connection, name, None)
    }


async def _mirrored_warehouses(hub: Hub, connection: Connection) -> list[str]:
    """The site's own list, to choose from without asking it; empty where it is not here whole."""
    async with hub.db.session() as session:
        streams = await streams_of(session, connection)
    whole = any(s.doctype == "Warehouse" and s.last_success_at and not s.filters for s in streams)
    if not whole:
        return []
    async with hub.db.connection() as conn:
        try:
            relation = await find_relation(conn, connection.slug, "warehouse")
            names = SQL("SELECT name FROM {} WHERE {} ORDER BY name LIMIT {}").format(
                relation.identifier,
                SQL(" AND ").join(conditions(relation, {"is_group": "0"})),
                MOST_FOUND,
            )
        except BadQuery:  # a column that it takes was left out
            return []
        return [str(row[0]) for row in await (await conn.execute(names)).fetchall()]


async def _wanted(hub: Hub, connection: Connection) -> list[str]:
    """The presets and DocTypes that are mirrored."""
    async with hub.db.session() as session:
        streams = await streams_of(session, connection)
        return list(dict.fromkeys(s.preset or s.doctype for s in streams if s.enabled))
