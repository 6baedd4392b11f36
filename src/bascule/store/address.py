"""The address of a PostgreSQL in the forms that people use, and what is wrong with one."""

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from bascule.store.errors import CannotConnect, StoreError


def libpq_url(url: str, setting: str = "BASCULE_DATABASE_URL") -> str:
    """postgres://, postgresql:// and SQLAlchemy's postgresql+driver:// as libpq takes them."""
    scheme, colon, rest = url.strip().partition("://")
    if not colon or scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise CannotConnect(
            f"{setting} is not a PostgreSQL address.",
            next_step="Write it as postgresql://user:password@host:5432/database.",
        )
    plain = f"postgresql://{rest}"
    try:
        conninfo_to_dict(plain)
    except psycopg.ProgrammingError:  # whose text may quote the address, and with it the password
        raise CannotConnect(
            f"{setting} cannot be read.",
            next_step="Write it as postgresql://user:password@host:5432/database, with special "
            "characters of the password percent-encoded, and only libpq's options after a '?'.",
        ) from None
    return plain


def conninfo(url: str) -> str:
    """The address with the hub's connection options; options of its own stay.

    The encoding is set here because the first statement needs it; `session` sets the rest.
    """
    given = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    wanted = {"application_name": "bascule", "connect_timeout": "10"}
    return make_conninfo(url, **{**wanted, **given, "client_encoding": "UTF8"})


def libpq_environment(url: str) -> dict[str, str]:
    """The address as libpq's environment variables, which others cannot read as a command line."""
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    given = conninfo_to_dict(url)
    return {variables[key]: str(value) for key, value in given.items() if key in variables}


_REASONS = (
    (
        "unsupported startup parameter",
        "A pooler before the database takes no such option at the start of a session.",
        "Take it out of BASCULE_DATABASE_URL (and PGOPTIONS), or let the pooler ignore it (in "
        "PgBouncer ignore_startup_parameters).",
    ),
    (
        "query_wait_timeout",
        "The pooler before the database has no connection left.",
        "Let it give more (in PgBouncer default_pool_size), or stop what holds them.",
    ),
    (
        "no more connections allowed",
        "The pooler before the database takes no more clients.",
        "Let it take more (in PgBouncer max_client_conn), or stop what holds them.",
    ),
    (
        "server down",
        "The pooler before the database does not reach it.",
        "Start that server, or correct the pooler (in PgBouncer under [databases], and its log).",
    ),
    (
        "no such database",
        "The pooler before the database does not know this database.",
        "Add it to the pooler (in PgBouncer under [databases]), or correct its name.",
    ),
    (
        "password authentication failed",
        "The database refuses the user or the password.",
        "Correct the user and password in BASCULE_DATABASE_URL.",
    ),
    (
        "no password supplied",
        "The database wants a password.",
        "Put it into BASCULE_DATABASE_URL: postgresql://user:password@host/database.",
    ),
    (
        "no pg_hba.conf entry",
        "The database lets nobody in from here, or only with encryption.",
        "Add ?sslmode=require to BASCULE_DATABASE_URL, or allow this machine in pg_hba.conf.",
    ),
    (
        "does not exist",
        "The database server does not know this database or user.",
        "Create it (createdb, createuser), or correct the name in BASCULE_DATABASE_URL.",
    ),
    (
        "too many clients",
        "The database has no connection left.",
        "Raise max_connections there, or stop what holds them.",
    ),
    (
        "starting up",
        "The database is starting or recovering.",
        "Wait a moment and start again.",
    ),
)


def cannot_connect(error: psycopg.Error, url: str) -> StoreError:
    """libpq's message as a cause and a next step. libpq never shows the password."""
    said = str(error).strip()
    where = conninfo_to_dict(url)
    host = f"{where.get('host') or 'the local socket'}:{where.get('port') or 5432}"
    for words, cause, step in _REASONS:
        if words in said:
            return CannotConnect(f"{cause} ({host}: {said.splitlines()[-1]})", next_step=step)
    return CannotConnect(
        f"No database answers at {host}: {said.splitlines()[-1] if said else 'no reason given'}",
        next_step="Start that server or correct BASCULE_DATABASE_URL; without one the hub starts "
        "a PostgreSQL of its own.",
    )
