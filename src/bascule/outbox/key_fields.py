"""The hub's own unique field of a DocType: by it a document is known to be a write's, and the site
itself refuses a second one.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.frappe import Duplicate, FrappeError, NoPermission, Site
from bascule.hub import Hub
from bascule.outbox.tables import OutboxKeyField
from bascule.sites.pool import open_site

OWN_FIELD = "bascule_id"
Note = tuple[str, str]  # what limits the hub, and the next step


async def prepare(
    hub: Hub, connection: Connection, doctypes: Sequence[str]
) -> dict[str, Note | None]:
    """Adds the field to these DocTypes of the site, when somebody has agreed to it; by DocType why
    it could not be. Without it documents are looked for by what was sent, owner and time.
    """
    told: dict[str, Note | None] = {}
    async with open_site(hub, connection) as site:
        for doctype in doctypes:
            field, told[doctype] = await add_own_field(site, doctype)
            async with hub.db.session() as session:
                await keep(session, connection, doctype, field, added=field is not None)
    return told


async def key_field(hub: Hub, site: Site, connection: Connection, doctype: str) -> str | None:
    """The hub's own field, if this DocType has it unique. Asked once; nothing is added."""
    async with hub.db.session() as session:
        known = await session.get(OutboxKeyField, (connection.id, doctype))
        if known is not None:
            return known.field
    try:
        there = (await site.meta(doctype)).field(OWN_FIELD)
    except NoPermission:
        there = None
    field = OWN_FIELD if there is not None and there.unique else None
    async with hub.db.session() as session:
        await keep(session, connection, doctype, field)
    return field


async def keep(
    session: AsyncSession,
    connection: Connection,
    doctype: str,
    field: str | None,
    *,
    added: bool = False,
) -> None:
    values = {"field": field, **({"added": True} if added else {})}
    await session.execute(
        insert(OutboxKeyField)
        .values(connection_id=connection.id, doctype=doctype, **values)
        .on_conflict_do_update(index_elements=["connection_id", "doctype"], set_=values)
    )


async def forget(hub: Hub, connection: Connection, doctype: str) -> None:
    """Somebody removed it there."""
    async with hub.db.session() as session:
        await keep(session, connection, doctype, None)


async def added_fields(session: AsyncSession, connection: Connection) -> list[str]:
    """The DocTypes that were given the field by this room."""
    query = select(OutboxKeyField.doctype).where(
        OutboxKeyField.connection_id == connection.id,
        OutboxKeyField.added,
        OutboxKeyField.field.is_not(None),
    )
    return list((await session.scalars(query.order_by(OutboxKeyField.doctype))).all())


async def add_own_field(
    site: Site, doctype: str, known_field: str | None = None
) -> tuple[str | None, Note | None]:
    """The field's name, or None and why not, with the next step. `known_field`: one that the
    DocType has; else it is asked for one where that is needed.
    """
    field_values = {
        "dt": doctype,
        "fieldname": OWN_FIELD,
        "label": "Bascule ID",
        "fieldtype": "Data",
        "unique": 1,
        "read_only": 1,
        "hidden": 1,
        "no_copy": 1,
        "print_hide": 1,
        "description": "Tells the record in Bascule that this belongs to.",
    }
    try:
        await site.insert("Custom Field", field_values)
    except Duplicate:
        return OWN_FIELD, None
    except FrappeError as error:
        if "already exists" in str(error):
            return OWN_FIELD, None
        what = f"The hub's own field {OWN_FIELD} could not be added to {doctype}. {error}"
        refused = not isinstance(error, NoPermission)
        if refused and not await _is_forgotten(site, doctype, known_field):
            what += f" The site may go on with a half-made field, and refuse any new {doctype}."
            return None, (what, "Clear the site's cache: bench --site NAME clear-cache.")
        return None, (what, f"{error.next_step} Then begin again; without it a document is looked "
                      "for by name, owner and time.")  # fmt: skip
    return OWN_FIELD, None


async def _is_forgotten(site: Site, doctype: str, known_field: str | None) -> bool:
    """Whether the site knows nothing any more of a field of the hub's that it refused.

    Frappe keeps a definition with the new field in it before all is checked. What it refuses then
    stays in it: nobody could make a document of the DocType any more ("Unknown column"). It reads
    the definition anew to check another field, such as this one, which is there already.
    """
    try:
        if known_field is None:
            fields = (await site.meta(doctype)).fields
            known_field = next(one.name for one in fields if one.has_column and not one.custom)
        again = {"dt": doctype, "fieldname": known_field, "label": "Name", "fieldtype": "Data"}
        await site.insert("Custom Field", again)
    except FrappeError as error:
        return "already exists" in str(error)
    return False
