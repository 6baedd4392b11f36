"""The roles of the embedded PostgreSQL: who may log in, and what each may do.

- `bascule_admin` is the cluster's superuser. It arranges the other two when the server starts; no
  address that the hub or a person is given names it.
- `bascule` is the hub's: it owns its database and what is in it, and is nothing else.
- `bascule_reader` reads the mirrors. What it may read is granted by who makes their schemas, see
  `bascule.mirror.schema.readers`.

In a cluster of Bascule 0.1 the superuser is called `bascule` and owns everything. It is renamed,
and what it owned becomes the hub's, in steps that each find what is left to do.
"""

from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from bascule.store.embedded.cluster import ADMIN, DATABASE, ROLE
from bascule.store.session import READER

# (database, superuser's role) -> its address.
Address = Callable[[str, str], str]
Connection = psycopg.Connection[Any]

BOOTSTRAP = 10  # the oid of the role that initdb makes
FIRST_OID = 16_384  # what is below came with PostgreSQL
AT_ONCE = 200  # objects a transaction: each costs locks, of which a server has some thousands
LOCK_PATIENCE = "20s"
PLAIN = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
READERS_LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "10min",
    "temp_file_limit": "2GB",
}
READERS_CONNECTIONS = 20

# What everybody may do in PostgreSQL, and nobody but the hub needs: take the locks that its work
# waits for, and write large objects.
_OF_THE_HUB_ALONE = """
select p.oid::regprocedure::text from pg_proc p
 where p.pronamespace = 'pg_catalog'::regnamespace
   and (p.proname ~ '^pg_(try_)?advisory_' or p.proname in
        ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lo_truncate', 'lowrite'))
   and (p.proacl is null or exists (select from aclexplode(p.proacl) where grantee = 0))"""

_OPEN_DATABASES = """
select d.datname from pg_database d
 where exists (select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba)))
                where grantee = 0)"""

_OTHER_LOGINS = "select rolname from pg_roles where rolcanlogin and rolname <> all (%s)"

# What is still the superuser's: kind and name, each of which ALTER ... OWNER TO takes.
_LEFT = f"""
with mine as (
  select 'pg_namespace'::regclass as class, oid, 'SCHEMA' as kind, quote_ident(nspname) as name
    from pg_namespace where nspowner = {BOOTSTRAP}
  union all
  select 'pg_class'::regclass, c.oid,
         case c.relkind when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW'
                        when 'S' then 'SEQUENCE' when 'f' then 'FOREIGN TABLE' else 'TABLE' end,
         c.oid::regclass::text
    from pg_class c where c.relowner = {BOOTSTRAP} and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
     and c.relpersistence <> 't'
     and not (c.relkind = 'S' and exists (  -- which goes with its table
              select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
                                        and d.refobjsubid > 0 and d.deptype in ('a', 'i')))
  union all
  select 'pg_type'::regclass, t.oid, case t.typtype when 'd' then 'DOMAIN' else 'TYPE' end,
         t.oid::regtype::text
    from pg_type t left join pg_class c on c.oid = t.typrelid
   where t.typowner = {BOOTSTRAP} and (t.typtype in ('d', 'e', 'r') or c.relkind = 'c')
  union all
  select 'pg_proc'::regclass, oid, 'ROUTINE', oid::regprocedure::text
    from pg_proc where proowner = {BOOTSTRAP}
)
select kind, name from mine
 where oid >= {FIRST_OID} and not exists (  -- an extension's own are altered with it alone
       select from pg_depend d where d.classid = class and d.objid = mine.oid and d.deptype = 'e')
 order by oid limit {AT_ONCE}"""

# What a person had granted beforehand on what the hub would make.
_DEFAULT_GRANTS = f"""
select n.nspname, d.defaclobjtype::text, a.privilege_type, r.rolname
  from pg_default_acl d cross join aclexplode(d.defaclacl) a
  join pg_roles r on r.oid = a.grantee left join pg_namespace n on n.oid = d.defaclnamespace
 where d.defaclrole = {BOOTSTRAP} and a.grantee <> {BOOTSTRAP}"""
_KINDS: dict[str, LiteralString] = {
    "r": "TABLES",
    "S": "SEQUENCES",
    "f": "ROUTINES",
    "T": "TYPES",
    "n": "SCHEMAS",
}


def arrange(address: Address, passwords: dict[str, str]) -> None:
    """Bring the roles, the database and its owner to what this version wants; blocks.

    `passwords`: those of the three roles. By one process at a time. Whatever a killed one left
    undone is done by the next. psycopg.Error: what PostgreSQL said.
    """
    with _superuser(address) as conn:
        _make_roles(conn, passwords)
        _make_database(conn)
        _close_databases(conn)
    with _connect(address(DATABASE, ADMIN)) as conn:
        conn.execute("SELECT set_config('search_path', 'pg_catalog', false)")
        conn.execute(SQL("SET lock_timeout = {}").format(Literal(LOCK_PATIENCE)))
        _hand_over(conn)
        _keep_to_the_hub(conn)


def _connect(address: str) -> Connection:
    return psycopg.connect(address, autocommit=True, application_name="bascule start")


def _superuser(address: Address) -> Connection:
    """By the name of today; in a cluster of an earlier version by that of then."""
    try:
        return _connect(address("postgres", ADMIN))
    except psycopg.OperationalError as error:
        if "authentication failed" not in str(error):
            raise
        try:
            conn = _connect(address("postgres", ROLE))
        except psycopg.OperationalError:
            raise error from None  # no earlier version's either
        if conn.info.parameter_status("is_superuser") != "on":
            conn.close()
            raise
        return conn


def _make_roles(conn: Connection, passwords: dict[str, str]) -> None:
    """In one transaction: there is no moment at which nobody can log in as superuser."""
    with conn.transaction():
        _rename_superuser(conn)
        found = conn.execute("SELECT rolname FROM pg_roles").fetchall()
        there = {name for (name,) in found}
        limits: tuple[tuple[str, LiteralString], ...] = ((ROLE, ""), (READER, " CONNECTION LIMIT "))
        for role, limit in limits:
            verb = SQL("ALTER" if role in there else "CREATE")
            many = Literal(READERS_CONNECTIONS) if limit else SQL("")
            conn.execute(
                SQL("{} ROLE {} {}{}{} PASSWORD {}").format(
                    verb,
                    Identifier(role),
                    SQL(PLAIN),
                    SQL(limit),
                    many,
                    _verifier(conn, role, passwords[role]),
                )
            )
        password = _verifier(conn, ADMIN, passwords[ADMIN])
        conn.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(ADMIN), password))
        for name, value in READERS_LIMITS.items():
            conn.execute(
                SQL("ALTER ROLE {} SET {} = {}").format(
                    Identifier(READER), Identifier(name), Literal(value)
                )
            )


def _rename_superuser(conn: Connection) -> None:
    """The bootstrap role stays superuser for good, and no role can rename itself."""
    row = conn.execute("SELECT rolname FROM pg_roles WHERE oid = %s", [BOOTSTRAP]).fetchone()
    if row is None or row[0] == ADMIN:
        return
    conn.execute("CREATE ROLE bascule_renamer SUPERUSER")
    conn.execute("SET SESSION AUTHORIZATION bascule_renamer")
    conn.execute(SQL("ALTER ROLE {} RENAME TO {}").format(Identifier(row[0]), Identifier(ADMIN)))
    conn.execute("RESET SESSION AUTHORIZATION")
    conn.execute("DROP ROLE bascule_renamer")


def _verifier(conn: Connection, role: str, password: str) -> Literal:
    """What PostgreSQL keeps of a password: the password itself is never in a statement or a log."""
    made = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return Literal(made.decode())


def _make_database(conn: Connection) -> None:
    """Outside of a transaction, as PostgreSQL wants it; it is there whole or not at all."""
    row = conn.execute(
        "SELECT datdba::regrole::text FROM pg_database WHERE datname = %s", [DATABASE]
    ).fetchone()
    owned = (Identifier(DATABASE), Identifier(ROLE))
    if row is None:
        conn.execute(SQL("CREATE DATABASE {} OWNER {}").format(*owned))
    elif row[0] != ROLE:
        conn.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(*owned))


def _close_databases(conn: Connection) -> None:
    """A database is open to everybody until that is taken back; to a person's roles it stays."""
    found = conn.execute(_OTHER_LOGINS, [[ADMIN, ROLE, READER]]).fetchall()
    with conn.transaction():
        for (name,) in conn.execute(_OPEN_DATABASES).fetchall():
            database = Identifier(name)
            conn.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            for (login,) in found:
                grant = SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}")
                conn.execute(grant.format(database, Identifier(login)))
        grant = SQL("GRANT CONNECT ON DATABASE {} TO {}")
        conn.execute(grant.format(Identifier(DATABASE), Identifier(READER)))


def _hand_over(conn: Connection) -> None:
    """What the superuser made as the hub of earlier versions becomes the hub's, some at a time."""
    owner = Identifier(ROLE)
    while left := conn.execute(_LEFT.encode()).fetchall():
        with conn.transaction():
            for kind, name in left:
                alter = SQL("ALTER {} {} OWNER TO {}")
                conn.execute(alter.format(SQL(kind), SQL(name), owner))
    with conn.transaction():
        for schema, kind, privilege, role in conn.execute(_DEFAULT_GRANTS.encode()).fetchall():
            inside = SQL("IN SCHEMA {} ").format(Identifier(schema)) if schema else SQL("")
            grant = SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} {}GRANT {} ON {} TO {}").format(
                owner, inside, SQL(privilege), SQL(_KINDS[kind]), Identifier(role)
            )
            conn.execute(grant)


def _keep_to_the_hub(conn: Connection) -> None:
    with conn.transaction():
        for (function,) in conn.execute(_OF_THE_HUB_ALONE).fetchall():
            revoke = SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC")
            conn.execute(revoke.format(SQL(function)))
            grant = SQL("GRANT EXECUTE ON FUNCTION {} TO {}")
            conn.execute(grant.format(SQL(function), Identifier(ROLE)))
