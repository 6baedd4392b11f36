"""How an attempt at a run begins: what it has to fetch, into which tables, and from where on."""

from datetime import UTC, date, datetime

import msgspec

from bascule.connections.tables import Connection
from bascule.frappe import Site
from bascule.hub import Hub
from bascule.mirror.attempt import Attempt, Superseded
from bascule.mirror.cursor import Cursor
from bascule.mirror.presets import effective_filters, look_back_floor
from bascule.mirror.schema import ensure_tables
from bascule.mirror.shapes import shape_for
from bascule.mirror.tables import Run, Stream
from bascule.mirror.withheld import FieldsWithheld, note, sentence, settle


async def begin(hub: Hub, site: Site, run: Run, stream: Stream, connection: Connection) -> Attempt:
    """With the tables as the site's definition and its user's rights have them now."""
    zone, connection.time_zone = connection.time_zone, await site.time_zone()
    cursor = Cursor.load(stream.cursor)
    afresh = run.kind == "full" and run.attempts == 1
    floor = date.fromisoformat(cursor.floor) if cursor.floor and not afresh else None
    wanted_floor = look_back_floor(connection, stream.doctype, datetime.now(UTC).date())
    if wanted_floor is not None and (floor is None or wanted_floor < floor):
        floor = wanted_floor
    cursor.floor = floor.isoformat() if floor else None
    shape, asked = await shape_for(site, connection.id, stream.doctype, stream.omit, stream.rename)
    async with hub.db.connection() as conn:
        # Held to the end of the transaction: whoever deletes the connection drops these tables too.
        mine = await conn.execute(
            "SELECT FROM bascule.streams WHERE id = %s AND fence = %s FOR KEY SHARE",
            [stream.id, run.fence],
        )
        if mine.rowcount == 0:
            raise Superseded(f"stream {stream.id} was taken over or deleted")
        others = await conn.execute(
            "SELECT count(*) FROM bascule.streams WHERE connection_id = %s AND enabled",
            [connection.id],
        )
        streams = (await others.fetchone() or (1,))[0]
        tables = await ensure_tables(conn, connection.slug, shape, omit=stream.omit)
    given, news = await settle(site, shape, tables, cursor)
    if await site.has_checksums(stream.doctype):
        given = given.with_checksums()
    attempt = Attempt(
        db=hub.db,
        site=site,
        connection=connection,
        stream_id=stream.id,
        doctype=stream.doctype,
        filters=effective_filters(connection, stream.doctype, stream.filters, floor),
        run_id=run.id,
        fence=run.fence or 0,
        trigger=run.trigger,
        cursor=cursor,
        shape=shape,
        tables=given,
        rows=stream.rows,
        streams=streams,
        asked_definition=asked,
    )
    if zone not in (None, connection.time_zone):
        await attempt.log(f"The site's time zone is {connection.time_zone} now; it was {zone}.")
    await attempt.tell_columns(tables)
    for doctype, fields in news.items():
        await attempt.log(sentence(doctype, fields), "warning")
    return attempt


async def without(hub: Hub, run: Run, attempt: Attempt, told: FieldsWithheld) -> Stream:
    """The stream, its cursor noting what the site withholds."""
    async with hub.db.session() as session:
        stream = await session.get(Stream, attempt.stream_id, with_for_update=True)
        if stream is None or stream.fence != run.fence:
            raise Superseded(f"stream {attempt.stream_id} was taken over or deleted")
        cursor = Cursor.load(stream.cursor)
        note(cursor, told)
        stream.cursor = msgspec.to_builtins(cursor)
    return stream
