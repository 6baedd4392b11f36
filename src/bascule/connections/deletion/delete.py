"""A connection deleted: with its mirror, and with what the hub made on its site."""

from dataclasses import dataclass, field

from psycopg import errors as pg
from psycopg import sql

from bascule.accounts.tables import User
from bascule.connections.deletion.leaving import leaving
from bascule.connections.queries import NoSuchConnection
from bascule.connections.sharing import refuse_delete
from bascule.connections.tables import Connection, SiteCleanup
from bascule.connections.types.registry import behaviour_of
from bascule.errors import Conflict
from bascule.events.live import publish
from bascule.hub import Hub
from bascule.store.database import driver_connection

DELETE_TRIES = 5


@dataclass(frozen=True)
class Deleted:
    """`removed`: names of documents that are gone from the site. `left`: what stays there, in
    words. `cleanup`: what the site did not let go of yet, and is tried again.
    """

    slug: str
    schema_dropped: bool
    tables: list[str]  # of the mirror: dropped, or left behind
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    cleanup: SiteCleanup | None = None

    def said(self) -> str:
        """What became of the site, in a sentence; "": the hub had made nothing there."""
        count = len(self.removed)
        documents = "1 document" if count == 1 else f"{count} documents"
        parts = [f"{documents} removed from the site"] if count else []
        parts += [f"left on the site: {', '.join(self.left)}"] if self.left else []
        if self.cleanup is not None:
            rest = ", ".join(one["what"] for one in self.cleanup.remains)
            parts.append(f"not removed from the site yet, and tried again: {rest}")
        return "; ".join(parts)


async def delete_connection(
    hub: Hub,
    connection: Connection,
    *,
    by: User | None,
    drop_mirror: bool = True,
    keep_on_site: bool = False,
) -> Deleted:
    """Forgets a connection with its streams, runs and logs; a run on its way stops at its page.
    Its schema goes too unless `drop_mirror` is off, and what the hub made on the site unless
    `keep_on_site`. A site that does not let go of it is asked again later, see `cleanups`.
    Conflict when somebody is reading the mirror; then nothing is deleted anywhere.
    """
    refuse_delete(by, connection)
    behaviour = behaviour_of(connection.kind)
    async with hub.db.connection() as conn:
        # A page commits under its stream's fence: from here on none does, so none is waited for.
        await conn.execute(
            "UPDATE bascule.streams SET fence = fence + 1 WHERE connection_id = %s", [connection.id]
        )
    for tries_left in reversed(range(DELETE_TRIES)):
        try:
            tables, left, number = await _forget(
                hub, connection, drop_mirror=drop_mirror, keep_on_site=keep_on_site
            )
            break
        except (pg.LockNotAvailable, pg.DeadlockDetected) as held_up:
            # Of two who wait for each other PostgreSQL ends one at once; the other then goes on.
            if tries_left and isinstance(held_up, pg.DeadlockDetected):
                continue
            raise Conflict(
                "The mirror is being read or written right now, so it cannot be dropped.",
                next_step="Close what reads it and try again, or keep it with drop_mirror=false.",
            ) from None
    await behaviour.forget(hub, connection.id)
    if number is None:
        return Deleted(connection.slug, drop_mirror, tables, left=left)
    tried = await behaviour.remove(hub, number)
    return Deleted(
        connection.slug, drop_mirror, tables, tried.names, [*left, *tried.kept], tried.cleanup
    )


async def _forget(
    hub: Hub, connection: Connection, *, drop_mirror: bool, keep_on_site: bool
) -> tuple[list[str], list[str], int | None]:
    """In one transaction; the tables of its mirror, what is left on the site on purpose, and the
    number of the clean-up of the rest.
    """
    async with hub.db.session() as session:
        conn = await driver_connection(session)
        found = await conn.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace ="
            " (SELECT oid FROM pg_namespace WHERE nspname = %s) ORDER BY 1",
            [connection.slug],
        )
        tables = [str(name) for (name,) in await found.fetchall()]
        await conn.execute("SET LOCAL lock_timeout = '10s'")
        on_site = (await leaving(session, connection)).on_site
        left = [one.what for one in on_site] if keep_on_site else []
        number = None
        if on_site and not keep_on_site:
            number = await behaviour_of(connection.kind).set_aside(
                hub, session, connection, on_site
            )
        await publish(conn, "connection", connection_id=connection.id, change="deleted")
        gone = await conn.execute("DELETE FROM bascule.connections WHERE id = %s", [connection.id])
        if gone.rowcount == 0:
            raise NoSuchConnection
        if drop_mirror:
            schema = sql.Identifier(connection.slug)
            await conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
    return tables, left, number
