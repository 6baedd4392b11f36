"""Which DocTypes a connection mirrors, and how: on or off, filtered, with fields left out or
renamed.
"""

import logging
from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection, sql
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.errors import Invalid, NoSuch
from bascule.events.live import publish
from bascule.frappe import (
    CHILD_FIELDS,
    STANDARD_FIELDS,
    FrappeError,
    NoPermission,
    NotFound,
    listed_name,
)
from bascule.frappe import Invalid as Refused
from bascule.hub import Hub
from bascule.mirror.schema.columns import fields_of
from bascule.mirror.schema.names import LONGEST_COLUMN, SYSTEM_COLUMNS, table_name
from bascule.mirror.streams.everyday import refuse_doctypes
from bascule.mirror.streams.presets import PRESET_OF, doctypes_named
from bascule.mirror.tables import Stream
from bascule.mirror.views import RESERVED, others_in_the_way, views_aside
from bascule.sites.pool import open_site

log = logging.getLogger(__name__)

LONGEST_DOCTYPE = 140  # as on the site
OPERATORS = frozenset(
    ["=", "!=", ">", "<", ">=", "<=", "like", "not like", "in", "not in", "is", "between"]
)
_OWN_TABLE = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relkind = 'r' AND obj_description(c.oid, 'pg_class') = %s
   AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                   AND a.attname = 'parenttype')"""
_KEPT = frozenset((*STANDARD_FIELDS, *CHILD_FIELDS))


async def add_streams(
    hub: Hub, connection: Connection, names: list[str], *, by: User | None = None
) -> list[Stream]:
    """Streams for DocTypes and presets by name; one that is there is switched on. The site is asked
    about a DocType of no preset: Invalid when it has none of that name, does not show it or cannot
    list it. Forbidden where `by` may not share one of them; None is the machine.
    """
    doctypes = doctypes_named(names)
    for doctype in doctypes:
        _check_text("doctype", doctype, LONGEST_DOCTYPE)
    doctypes = await _names_on_site(hub, connection, doctypes)
    refuse_doctypes(by, connection, doctypes)
    added = []
    async with hub.db.session() as session:
        there = {stream.doctype: stream for stream in await streams_of(session, connection)}
        taken = {stream.table_name: stream.doctype for stream in there.values()}
        for doctype in doctypes:
            stream = there.get(doctype)
            if stream is None:
                name = table_name(doctype, taken, RESERVED)
                taken[name] = doctype
                preset = PRESET_OF.get(doctype)
                stream = Stream(
                    connection_id=connection.id,
                    doctype=doctype,
                    preset=preset.name if preset else None,
                    table_name=name,
                )
                session.add(stream)
            stream.enabled = True
            added.append(stream)
        await session.flush()
        for stream in added:
            await session.refresh(stream)
            await _tell(session, stream, "added")
        await _no_longer_left_off(session, connection, doctypes)
    return added


async def _no_longer_left_off(
    session: AsyncSession, connection: Connection, doctypes: list[str]
) -> None:
    kept = await session.get(Connection, connection.id)
    if kept is not None and set(kept.left_off) & set(doctypes):
        kept.left_off = [doctype for doctype in kept.left_off if doctype not in doctypes]
        await publish(session, "connection", connection_id=kept.id, change="left off")


async def _tell(session: AsyncSession | AsyncConnection[Any], stream: Stream, change: str) -> None:
    await publish(
        session,
        "stream",
        connection_id=stream.connection_id,
        stream_id=stream.id,
        change=change,
    )


async def _names_on_site(hub: Hub, connection: Connection, doctypes: list[str]) -> list[str]:
    """The DocTypes as the site writes them; those of a preset are known. Invalid for one that it
    has not, does not show or cannot list.
    """
    named = {doctype: doctype for doctype in doctypes}
    strange = [doctype for doctype in doctypes if doctype not in PRESET_OF]
    if not strange:
        return doctypes
    async with open_site(hub, connection) as site:
        for doctype in strange:
            try:
                named[doctype] = await listed_name(site, doctype)
            except (NotFound, NoPermission, Refused) as error:
                raise _invalid("doctype", str(error), error.next_step) from error
            except FrappeError as error:
                # It may be down for now: the first sync will tell what is wrong with the DocType.
                log.warning("%s could not be asked about %s: %s", connection.slug, doctype, error)
    return list(dict.fromkeys(named.values()))


async def streams_of(session: AsyncSession, connection: Connection) -> list[Stream]:
    query = select(Stream).where(Stream.connection_id == connection.id).order_by(Stream.id)
    return list((await session.scalars(query)).all())


async def find_stream(session: AsyncSession, connection: Connection, name: str) -> Stream:
    """A stream by its DocType, its table or its id. NoSuch where there is none."""
    ways = [Stream.doctype == name, Stream.table_name == name]
    if name.isascii() and name.isdigit() and len(name) < 10:
        ways.append(Stream.id == int(name))
    query = select(Stream).where(Stream.connection_id == connection.id, or_(*ways))
    stream = None if "\0" in name else (await session.scalars(query)).first()
    if stream is None:
        raise NoSuch(
            f"{connection.slug} has no stream {name!r}.",
            next_step="`bascule streams` lists what it has; `bascule streams add` adds one.",
        )
    return stream


async def change_stream(
    hub: Hub,
    connection: Connection,
    stream: Stream,
    changes: Mapping[str, Any],
    *,
    by: User | None = None,
) -> Stream:
    """Change `enabled`, `filters`, `omit` and `rename`. The next sync brings the tables in line.
    Forbidden where it may show more of a DocType that `by` may not share. Invalid, too, for fields
    to omit or rename that the site has not.
    """
    if dict(changes) != {"enabled": False}:
        refuse_doctypes(by, connection, [stream.doctype])
    checks = {"filters": _filters, "omit": _omit, "rename": _rename}
    changes = {name: checks[name](to) if name in checks else to for name, to in changes.items()}
    await _refuse_unknown_fields(hub, connection, stream, changes)
    async with hub.db.session() as session:
        found = await session.get(Stream, stream.id, with_for_update=True)
        if found is None or found.connection_id != connection.id:
            raise NoSuch(
                f"The stream {stream.doctype!r} is gone.",
                next_step="`bascule streams` lists those that are there.",
            )
        for field, value in changes.items():
            setattr(found, field, value)
        found.failures, found.retry_at = 0, None  # what was wrong may be mended by it
        await session.flush()
        await session.refresh(found)
        await _tell(session, found, "changed")
    return found


async def delete_stream(hub: Hub, connection: Connection, stream: Stream) -> None:
    """Forget a stream and drop its table, known by the DocType in its comment; child tables stay
    for the other streams that share them.
    """
    schema = connection.slug
    async with hub.db.connection() as conn:
        await conn.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ddl:{schema}"]
        )
        await conn.execute("DELETE FROM bascule.streams WHERE id = %s", [stream.id])
        await _tell(conn, stream, "removed")
        there = await conn.execute(_OWN_TABLE, [schema, stream.doctype])
        for (table,) in await there.fetchall():
            async with views_aside(conn, schema):
                drop = sql.SQL("DROP TABLE {}").format(sql.Identifier(schema, table))
                with others_in_the_way(f"The table {schema}.{table}"):
                    await conn.execute(drop)


async def _refuse_unknown_fields(
    hub: Hub, connection: Connection, stream: Stream, changes: Mapping[str, Any]
) -> None:
    """What was named before may be a field that the site dropped meanwhile, and stays."""
    named = {
        field: set(changes[field]) - set(stream.omit) - set(stream.rename)
        for field in ("omit", "rename")
        if field in changes
    }
    if not any(named.values()):
        return
    try:
        async with open_site(hub, connection) as site:
            known = fields_of(await site.meta(stream.doctype))
    except FrappeError as error:
        # It may be down, or not let its definition be read.
        log.warning("%s could not be asked about %s: %s", connection.slug, stream.doctype, error)
        return
    for field, names in named.items():
        if unknown := sorted(names - known):
            raise _invalid(
                field,
                f"{stream.doctype} has no field {', '.join(unknown)}",
                "Give the fields by their names in the DocType, such as "
                f"{', '.join(sorted(known - _KEPT)[:3])}.",
            )


def _invalid(field: str, why: str, next_step: str) -> Invalid:
    return Invalid(f"{field}: {why}", next_step=next_step, fields={field: why})


def _check_text(field: str, text: Any, longest: int) -> str:
    if not isinstance(text, str) or not text.strip() or "\0" in text or len(text) > longest:
        raise _invalid(
            field,
            f"it has to be a text of 1 to {longest} characters",
            "Give it as the site writes it.",
        )
    return text


def _filters(value: Any) -> list[Any]:
    for condition in value or []:
        if not isinstance(condition, list | tuple) or len(condition) != 3:
            raise _invalid(
                "filters",
                "each has three parts",
                'Write them as [["status", "=", "Open"]]: field, operator, value.',
            )
        _check_text("filters", condition[0], LONGEST_DOCTYPE)
        if not isinstance(condition[1], str) or condition[1].lower() not in OPERATORS:
            raise _invalid(
                "filters",
                "the operator is not known",
                f"Take one of {', '.join(sorted(OPERATORS))}.",
            )
        if "\0" in str(condition[2]) or "\\u0000" in repr(condition[2]):
            raise _invalid("filters", "a value holds a NUL", "Leave it out.")
    return [list(condition) for condition in value or []]


def _omit(value: Any) -> list[str]:
    omitted = [_check_text("omit", name, LONGEST_DOCTYPE) for name in value or []]
    if kept := sorted(_KEPT & set(omitted)):
        raise _invalid(
            "omit", f"{', '.join(kept)} cannot be left out", "The mirror itself needs these fields."
        )
    return omitted


def _rename(value: Any) -> dict[str, str]:
    renamed = {
        _check_text("rename", field, LONGEST_DOCTYPE): _check_text("rename", column, LONGEST_COLUMN)
        for field, column in (value or {}).items()
    }
    if kept := sorted(_KEPT & renamed.keys()):
        raise _invalid(
            "rename",
            f"{', '.join(kept)} cannot be renamed",
            "The mirror itself needs these fields.",
        )
    names = list(renamed.values())
    if taken := sorted(SYSTEM_COLUMNS & set(names)):
        raise _invalid(
            "rename",
            f"{', '.join(taken)} is a column that every table of PostgreSQL has anyway",
            "Choose another name.",
        )
    if any(len(name.encode()) > LONGEST_COLUMN for name in names):
        raise _invalid(
            "rename",
            f"a column's name has at most {LONGEST_COLUMN} bytes",
            "Choose a shorter name; letters beyond ASCII take two bytes or more.",
        )
    if len(set(names)) < len(names) or _KEPT & set(names) or any(n.startswith("_") for n in names):
        raise _invalid(
            "rename",
            "two columns would have one name, or one of the mirror's own",
            "Choose other names, not beginning with an underscore.",
        )
    return renamed
