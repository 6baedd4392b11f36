"""What `bascule_reader` may read: the schemas of mirrors, all that is in them and will be.

Only where PostgreSQL has that role; see `bascule.store.roles` and docs/settings.md.
"""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from bascule.store.session import READER

_GRANTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {reader}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {reader}",
)
_CLOSED = """
select n.nspname from pg_namespace n join pg_roles r on r.rolname = %s
 where n.nspname = any (%s) and n.nspowner = current_user::regrole
   and not has_schema_privilege(r.oid, n.oid, 'USAGE')"""


async def admit_reader(conn: AsyncConnection[TupleRow], schemas: list[str]) -> None:
    """In the caller's transaction. One query where the reader is in already, or there is none."""
    found = await conn.execute(_CLOSED, [READER, schemas])
    for (name,) in await found.fetchall():
        for grant in _GRANTS:
            await conn.execute(
                SQL(grant).format(schema=Identifier(name), reader=Identifier(READER))
            )


async def admit_reader_to_mirrors(conn: AsyncConnection[TupleRow]) -> None:
    """To those of an earlier version, or that are older than the role."""
    found = await conn.execute("SELECT slug FROM bascule.connections")
    await admit_reader(conn, [slug for (slug,) in await found.fetchall()])
