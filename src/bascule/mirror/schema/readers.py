"""What `bascule_reader` may read: the schemas of mirrors, all that is in them and will be.

Only where PostgreSQL has that role; see `bascule.store.embedded.roles` and docs/settings.md.
"""

from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from bascule.store.session import READER

_GRANTS: tuple[LiteralString, ...] = (
    "GRANT USAGE ON SCHEMA {schema} TO {reader}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {reader}",
)
_CLOSED = """
select n.nspname from pg_namespace n join pg_roles r on r.rolname = %s
 where n.nspname = any (%s) and n.nspowner = current_user::regrole
   and not has_schema_privilege(r.oid, n.oid, 'USAGE')"""
# Not ALL TABLES: among them may be a person's own, which are not the hub's to open.
_OURS = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm')
   and pg_has_role(c.relowner, 'USAGE')"""


async def admit_reader(conn: AsyncConnection[TupleRow], schemas: list[str]) -> None:
    """In the caller's transaction. One query where the reader is in already, or there is none."""
    found = await conn.execute(_CLOSED, [READER, schemas])
    for (name,) in await found.fetchall():
        parts = {"schema": Identifier(name), "reader": Identifier(READER)}
        for grant in _GRANTS:
            await conn.execute(SQL(grant).format(**parts))
        ours = await (await conn.execute(_OURS, [name])).fetchall()
        if ours:
            tables = SQL(", ").join(Identifier(name, table) for (table,) in ours)
            await conn.execute(SQL("GRANT SELECT ON {} TO {reader}").format(tables, **parts))


async def admit_reader_to_mirrors(conn: AsyncConnection[TupleRow]) -> None:
    """To those of an earlier version, or that are older than the role."""
    found = await conn.execute("SELECT slug FROM bascule.connections")
    await admit_reader(conn, [slug for (slug,) in await found.fetchall()])
