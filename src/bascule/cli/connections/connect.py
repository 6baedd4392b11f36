"""`connect` and `disconnect`: the sites that the hub knows."""

from typing import Annotated

import typer

from bascule.cli.connections.check import tell_report
from bascule.cli.exit_codes import Exit
from bascule.cli.identity import acted_on, acting_hub
from bascule.cli.prompts import AllowHttp, CaBundle, Key, Secret, Url, ask_for_missing, confirm
from bascule.cli.serve import one_step
from bascule.cli.terminal import AsJson, Quiet, document, err, escape, out
from bascule.connections.frequency import DEFAULT, IN_WORDS


async def connect(
    url: Url = None,
    key: Key = None,
    secret: Secret = None,
    group: Annotated[str, typer.Option(help="A word to find it by among many.")] = "",
    name: Annotated[
        str | None, typer.Option(help="What you call this site; its host name if left out.")
    ] = None,
    slug: Annotated[
        str | None, typer.Option(help="The schema's name; made from the name if left out.")
    ] = None,
    schedule: Annotated[str, typer.Option(help=f"How often: {IN_WORDS}")] = DEFAULT,
    inventory: Annotated[bool, typer.Option(help="Items, stock and prices.")] = True,
    orders: Annotated[bool, typer.Option(help="Sales orders.")] = True,
    suppliers: Annotated[bool, typer.Option(help="Suppliers.")] = True,
    customers: Annotated[
        bool, typer.Option(help="Customers, their addresses and contacts.")
    ] = True,
    purchase_orders: Annotated[bool, typer.Option(help="Purchase orders.")] = True,
    stock_movements: Annotated[bool, typer.Option(help="Stock movements.")] = True,
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

    What is not given is asked for; the secret is not shown while it is typed. What the user may not
    read is left off, and told; 'bascule streams try-again' adds it once it may be read.
    """
    from bascule.cli.runs.display import outcomes
    from bascule.cli.runs.progress import work_off
    from bascule.connections.schemas import CheckAnswer, Connector
    from bascule.mirror.setup import set_up
    from bascule.mirror.streams.left_off import told, without_left_off
    from bascule.sites.fields import NewConnection

    wanted = {
        "inventory": inventory,
        "orders": orders,
        "suppliers": suppliers,
        "customers": customers,
        "purchase_orders": purchase_orders,
        "stock_movements": stock_movements,
    }
    presets = [name for name, on in wanted.items() if on]
    url, key, secret = ask_for_missing(url, key, secret)
    new = NewConnection(
        group=group,
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
        if check_first and not (as_json or quiet):
            one_step("Asking the site who the hub is there, and what it may read ...")
        connection, report, run_ids = await set_up(
            hub,
            new,
            by=viewer,
            streams=presets,
            test=check_first,
            start=sync_now,
            trigger="cli",
        )
        await acted_on(hub, connection)
        if not as_json and not quiet:
            if report is not None:
                tell_report(without_left_off(report))
                if connection.left_off:
                    what, step = told(report, connection.left_off)
                    err.print(f"[yellow]![/] {escape(what)}\n  → {escape(step)}")
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
    if not as_json and not quiet:
        verb = f"bascule webhooks set-up --connection {connection.slug}"
        out.print(f"  → '{verb}': ERPNext tells of changes within seconds.")
    return Exit.FAILED if failed else Exit.DONE


async def disconnect(
    connection: Annotated[str, typer.Argument(help="A connection's slug or id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Leave the mirrored tables where they are.")
    ] = False,
    keep_on_site: Annotated[
        bool,
        typer.Option(
            "--keep-on-site", help="Leave on the site what the hub made there: webhooks, its field."
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Forget a connection with its streams and runs, and drop its mirrored tables.

    What the hub made on the site is listed, and removed there. Where the site does not answer, the
    hub tries again for a week: 'bascule cleanups'.
    """
    from bascule.connections.deletion.delete import delete_connection
    from bascule.connections.deletion.leaving import leaving
    from bascule.connections.deletion.schemas import DeletedAnswer
    from bascule.connections.queries import find_connection
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load

    load(JOB_MODULES)  # with them come those who know what was made on a site

    async with acting_hub() as (hub, viewer):
        async with hub.db.session() as session:
            found = await find_connection(session, connection, viewer)
            ends = await leaving(session, found)
            session.expunge_all()
        for line in ends.becomes:
            err.print(escape(line))
        if ends.on_site:
            there = ", ".join(one.what for one in ends.on_site)
            fate = "Stays on the site" if keep_on_site else "To be removed from the site"
            err.print(f"{fate}: {escape(there)}.")
        await acted_on(hub, found)
        tail = "" if keep_data else f" and drop the tables in schema {found.slug}"
        confirm(f"Disconnect {found.name} ({found.api_url}){tail}", yes=yes)
        deleted = await delete_connection(
            hub, found, by=viewer, drop_mirror=not keep_data, keep_on_site=keep_on_site
        )
    if as_json:
        document(DeletedAnswer.of(deleted).model_dump(mode="json"))
    else:
        fate = "dropped" if deleted.schema_dropped else "left where they are"
        out.print(
            f"{escape(deleted.slug)} is disconnected; {len(deleted.tables)} tables were {fate}."
        )
        if site := deleted.said():
            out.print(f"{escape(site[0].upper() + site[1:])}.")
        if deleted.cleanup is not None:
            out.print(
                f"  {escape(deleted.cleanup.error or '')}\n  → 'bascule cleanups' tells more."
            )
    return Exit.DONE
