"""`connect` and `disconnect`: the sites that the hub knows."""

from typing import Annotated

import typer

from bascule.cli.acting import acted_on, acting_hub
from bascule.cli.asking import AllowHttp, CaBundle, Key, Secret, Url, ask_for_missing, confirm
from bascule.cli.checking import tell_report
from bascule.cli.exits import Exit
from bascule.cli.terminal import AsJson, Quiet, document, escape, out


async def connect(
    url: Url = None,
    key: Key = None,
    secret: Secret = None,
    name: Annotated[
        str | None, typer.Option(help="What you call this site; its host name if left out.")
    ] = None,
    slug: Annotated[
        str | None, typer.Option(help="The schema's name; made from the name if left out.")
    ] = None,
    schedule: Annotated[
        str, typer.Option(help='manual, "every N minutes", hourly, daily or weekly.')
    ] = "daily",
    inventory: Annotated[bool, typer.Option(help="Items, stock and prices.")] = True,
    orders: Annotated[bool, typer.Option(help="Sales orders.")] = True,
    suppliers: Annotated[bool, typer.Option(help="Suppliers.")] = True,
    lookback_days: Annotated[int, typer.Option(help="How old an order may be.")] = 90,
    warehouse: Annotated[
        list[str] | None,
        typer.Option(help="Only stock in this one; may be given more than once."),
    ] = None,
    allow_http: AllowHttp = False,
    ca_bundle: CaBundle = None,
    check_first: Annotated[
        bool, typer.Option("--check/--no-check", help="Try the credentials before saving.")
    ] = True,
    sync_now: Annotated[
        bool, typer.Option("--sync/--no-sync", help="Fetch everything right away.")
    ] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Connect an ERPNext site: try its credentials, save them encrypted, fetch everything.

    What is not given is asked for; the secret is not shown while it is typed.
    """
    from bascule.cli.drawing import outcomes
    from bascule.cli.progress import work_off
    from bascule.connections.answers import CheckAnswer, Connector
    from bascule.connections.fields import NewConnection
    from bascule.mirror.setup import set_up

    url, key, secret = ask_for_missing(url, key, secret)
    new = NewConnection(
        name=name or url.strip().split("://")[-1].split("/")[0],
        api_url=url,
        api_key=key,
        api_secret=secret,
        slug=slug,
        sync_inventory=inventory,
        sync_orders=orders,
        sync_suppliers=suppliers,
        lookback_days=lookback_days,
        warehouse_filter=warehouse or [],
        schedule=schedule,
        allow_http=allow_http,
        ca_bundle=ca_bundle,
    )
    async with acting_hub() as (hub, viewer):
        connection, report, run_ids = await set_up(
            hub, new, by=viewer, test=check_first, start=sync_now, trigger="cli"
        )
        await acted_on(hub, connection)
        if not as_json and not quiet:
            if report is not None:
                tell_report(report)
            when = connection.schedule if connection.next_sync_at else "when you say so"
            out.print(f"Saved as [bold]{escape(connection.slug)}[/], synced {when}.")
        seen = await work_off(hub, run_ids, quiet=quiet or as_json) if run_ids else []
    failed = any(one.run.outcome == "failed" for one in seen)
    if as_json:
        document(
            {
                "connection": Connector.of(connection).model_dump(mode="json"),
                "check": CheckAnswer.of(report).model_dump(mode="json") if report else None,
                "runs": [one.as_json() for one in seen],
            }
        )
    elif seen and (failed or not quiet):
        outcomes(seen)
        by_itself = connection.next_sync_at is not None
        keeps = (
            "'bascule up' keeps it in step" if by_itself else "'bascule sync' brings what changes"
        )
        out.print(f"{keeps}; 'bascule psql' opens it.")
    return Exit.FAILED if failed else Exit.DONE


async def disconnect(
    connection: Annotated[str, typer.Argument(help="A connection's slug or id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Leave the mirrored tables where they are.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Forget a connection with its streams and runs, and drop its mirrored tables.

    The ERPNext site itself is not touched.
    """
    from bascule.connections.answers import DeletedAnswer
    from bascule.connections.service import delete_connection, find_connection

    async with acting_hub() as (hub, viewer):
        async with hub.db.session() as session:
            found = await find_connection(session, connection, viewer)
            session.expunge_all()
        await acted_on(hub, found)
        tail = "" if keep_data else f" and drop the tables in schema {found.slug}"
        confirm(f"Disconnect {found.name} ({found.api_url}){tail}", yes=yes)
        deleted = await delete_connection(hub, found, by=viewer, drop_mirror=not keep_data)
    if as_json:
        document(DeletedAnswer.model_validate(deleted).model_dump(mode="json"))
    else:
        fate = "dropped" if deleted.schema_dropped else "left where they are"
        out.print(
            f"{escape(deleted.slug)} is disconnected; {len(deleted.tables)} tables were {fate}."
        )
    return Exit.DONE
