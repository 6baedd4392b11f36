"""How an attempt at a run begins: what it has to fetch, into which tables, and from where on."""

from dataclasses import dataclass

import msgspec

from bascule.connections.tables import Connection
from bascule.frappe import Site
from bascule.hub import Hub
from bascule.mirror.pull.attempt import Attempt, Superseded
from bascule.mirror.pull.cursor import Cursor
from bascule.mirror.quota import room_of
from bascule.mirror.schema.migration import Catalogue, ensure_tables, tables_as_they_are
from bascule.mirror.schema.table_schemas import table_schema_for
from bascule.mirror.streams.pending import wanted_filters
from bascule.mirror.streams.withheld import FieldsWithheld, note, sentence, settle
from bascule.mirror.tables import Run, Stream


async def begin(hub: Hub, site: Site, run: Run, stream: Stream, connection: Connection) -> Attempt:
    """With the tables as the site's definition and its user's rights have them now."""
    zone, connection.time_zone = connection.time_zone, await site.time_zone()
    cursor = Cursor.load(stream.cursor)
    filters = _filters(connection, stream, cursor, afresh=run.kind == "full" and run.attempts == 1)
    shape = await table_schema_for(site, connection.id, stream.doctype, stream.omit, stream.rename)
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
        filters=filters,
        run_id=run.id,
        fence=run.fence or 0,
        trigger=run.trigger,
        cursor=cursor,
        shape=shape,
        tables=given,
        rows=stream.rows,
        room=room_of(hub),
        streams=streams,
    )
    if zone not in (None, connection.time_zone):
        await attempt.log(f"The site's time zone is {connection.time_zone} now; it was {zone}.")
    await attempt.tell_columns(tables)
    for doctype, fields in news.items():
        await attempt.log(sentence(doctype, fields), "warning")
    return attempt


def _filters(
    connection: Connection, stream: Stream, cursor: Cursor, *, afresh: bool
) -> list[list[object]]:
    """What the site is asked for. The cursor notes the oldest date of it."""
    found, cursor.floor = wanted_filters(connection, stream, cursor, afresh=afresh)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """What streams of a connection that are looked at together have in common. `streams`: how many
    of the connection are on.
    """

    hub: Hub
    site: Site
    connection: Connection
    there: Catalogue
    streams: int

    async def attempt(self, run: Run, stream: Stream) -> Attempt | None:
        """As `begin`, where it would neither write nor tell anything; else None. The rows here are
        all that a sync before has fetched, under today's definition, filters and rights.
        """
        cursor = Cursor.load(stream.cursor)
        filters = _filters(self.connection, stream, cursor, afresh=False)
        settled = cursor.phase == "incremental" and not cursor.refresh and not cursor.withheld
        if not settled or filters != cursor.filters:
            return None
        shape = await table_schema_for(
            self.site, self.connection.id, stream.doctype, stream.omit, stream.rename
        )
        tables = tables_as_they_are(self.there, self.connection.slug, shape, omit=stream.omit)
        if tables is None or not set(tables.gone) <= set(cursor.gone):
            return None
        given, _ = await settle(self.site, shape, tables, cursor)
        if cursor.withheld:
            return None
        if await self.site.has_checksums(stream.doctype):
            given = given.with_checksums()
        return Attempt(
            db=self.hub.db,
            site=self.site,
            connection=self.connection,
            stream_id=stream.id,
            doctype=stream.doctype,
            filters=filters,
            run_id=run.id,
            fence=stream.fence,
            trigger=run.trigger,
            cursor=cursor,
            shape=shape,
            tables=given,
            rows=stream.rows,
            room=room_of(self.hub),
            streams=self.streams,
        )


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
