"""`token` and `psql`: the ways into the hub for programs and for people who write SQL."""

import asyncio
import os
import shutil
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.terminal import AsJson, document, err

if TYPE_CHECKING:
    from bascule.hub import Hub


async def token(
    name: Annotated[
        str, typer.Option(help="What it is for; shown where tokens are listed.")
    ] = "command line",
    user: Annotated[
        str | None,
        typer.Option(help="Whose it is, with their role; the admin's if left out."),
    ] = None,
    read: Annotated[bool, typer.Option("--read", help="The same as --scope read.")] = False,
    scope: Annotated[
        str | None,
        typer.Option(help="read, write or admin; the widest that the role has if left out."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="After how many days it ends.")] = 90,
    as_json: AsJson = False,
) -> int:
    """Print a new token for the API. It is shown this once; only a hash of it is kept."""
    from bascule.accounts.people.users import find_active
    from bascule.accounts.tokens import ensure_admin, issue_token, widest_scope
    from bascule.cli.identity import acting_hub

    if read and scope not in (None, "read"):
        raise Refused(f"Both --read and --scope {scope}: choose one.", next_step="Leave one out.")
    ends = datetime.now(UTC) + timedelta(days=days)
    async with acting_hub(of=user or "") as (hub, _), hub.db.session() as session:
        owner = await (ensure_admin(session) if user is None else find_active(session, user))
        scope = "read" if read else scope or widest_scope(owner)
        issued = await issue_token(session, name, owner, scope=scope, expires_at=ends)
        username = owner.username
    if as_json:
        told = {"token": issued, "name": name, "user": username, "scope": scope}
        document({**told, "expires_at": ends.isoformat(timespec="seconds")})
    else:
        print(issued)
        err.print(
            f"Send it as 'Authorization: Bearer <token>'. It ends on {ends:%F}; {username} is "
            "reminded a week before.",
            style="dim",
        )
    return Exit.DONE


async def psql(
    context: typer.Context,
    connection: Annotated[
        str | None,
        typer.Option(
            help="Whose tables are found without their schema; the only one's if left out."
        ),
    ] = None,
    as_hub: Annotated[
        bool,
        typer.Option(
            "--as-hub", help="As the hub's own role, which sees and owns everything it has."
        ),
    ] = False,
) -> int:
    """Open the database with psql as a role that only reads mirrors; all else is psql's own.

    For instance: bascule psql -c 'select * from inventory where needs_reorder'
    """
    from bascule.hub import open_hub
    from bascule.mirror.schema.readers import admit_reader_to_mirrors
    from bascule.store.address import libpq_environment

    program = _psql()
    async with open_hub() as hub:
        url = hub.db.url if as_hub else hub.db.reader_url
        if url is None:
            raise Refused(
                "This PostgreSQL is yours, and no role that only reads the mirrors is named.",
                next_step="Make bascule_reader as docs/settings.md says and name it in "
                "BASCULE_READER_URL, or add --as-hub for a session of the hub's own role.",
            )
        async with hub.db.connection() as conn:
            await admit_reader_to_mirrors(conn)
        schemas = await _schemas(hub, connection)
        environment = {**os.environ, **libpq_environment(url)}
        if hub.db.pooled:
            err.print(
                "The pooler before the database takes no search path: name tables with their "
                f"schema, such as {(schemas or ['schema'])[0]}.inventory.",
                style="dim",
            )
        else:
            path = ",".join([*schemas, "public"])
            # Of the hub's role a guard against slips; who means to write sets it off.
            options = f"-c search_path={path} -c default_transaction_read_only=on"
            environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} {options}".strip()
        return await _run(program, context.args, environment)


def _psql() -> str:
    """The machine's psql, or the one that comes with the embedded server."""
    from bascule.store.embedded.binaries import binary

    found = shutil.which("psql") or shutil.which(str(binary("psql")))
    if found is None:
        raise Refused(
            "There is no psql on this machine.",
            next_step="Install PostgreSQL's client, or connect with another tool: "
            "'bascule doctor' tells the address.",
        )
    return found


async def _schemas(hub: "Hub", connection: str | None) -> list[str]:
    from bascule.connections.queries import find_connection, list_connections

    async with hub.db.session() as session:
        if connection is not None:
            return [(await find_connection(session, connection, None)).slug]
        every = await list_connections(session, None)
        return [every[0].slug] if len(every) == 1 else []


async def _run(program: str, arguments: list[str], environment: dict[str, str]) -> int:
    """Ctrl-C is psql's own: it ends a query there, and not us."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            env=environment,
            preexec_fn=_interruptible if sys.platform != "win32" else None,
        )
        return await process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _interruptible() -> None:
    # An ignored signal stays ignored in a child, so psql must be told that this one is not.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
