"""`change`: another schedule, other credentials and the like for a connection that is there."""

import os
from typing import Annotated, Any

import typer

from bascule.cli.connections.check import tell_report
from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.identity import acted_on, acting_hub
from bascule.cli.prompts import CaBundle, ask_for_missing
from bascule.cli.terminal import AsJson, ago, document, escape, out
from bascule.connections.frequency import IN_WORDS

Switch = bool | None


async def change(
    connection: Annotated[str, typer.Argument(help="A connection's slug or id.")],
    credentials: Annotated[
        bool,
        typer.Option(
            "--credentials",
            help="Another API key and secret: asked for, or from BASCULE_SITE_KEY and "
            "BASCULE_SITE_SECRET.",
        ),
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="Another address; wants --credentials, too.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What you call this site.")] = None,
    group: Annotated[
        str | None, typer.Option(help="A word to find it by among many; '' takes it away.")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help=f"How often: {IN_WORDS}")] = None,
    inventory: Annotated[Switch, typer.Option(help="Items, stock and prices.")] = None,
    orders: Annotated[Switch, typer.Option(help="Sales orders.")] = None,
    suppliers: Annotated[Switch, typer.Option(help="Suppliers.")] = None,
    lookback_days: Annotated[int | None, typer.Option(help="How old an order may be.")] = None,
    proof_days: Annotated[
        int | None, typer.Option(help="Within how many nights every row is compared by value.")
    ] = None,
    warehouse: Annotated[
        list[str] | None,
        typer.Option(help="Only stock in this one; may be given more than once."),
    ] = None,
    all_warehouses: Annotated[
        bool, typer.Option("--all-warehouses", help="Stock in all of them again.")
    ] = False,
    include_disabled: Annotated[
        Switch, typer.Option(help="Show in the views what ERPNext has disabled.")
    ] = None,
    allow_http: Annotated[
        Switch, typer.Option(help="Speak plain HTTP to a site that is not on loopback.")
    ] = None,
    ca_bundle: CaBundle = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="The most that the site is asked at a time.")
    ] = None,
    check_first: Annotated[
        bool,
        typer.Option(
            "--check/--no-check",
            help="Try a changed way in before saving it, and ask for the warehouses named.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> int:
    """Change a connection: what is not named stays as it is. Nothing on the site changes.

    Another address or other credentials are tried first; if the site refuses them, nothing is
    saved.
    """
    from bascule.connections.queries import find_connection
    from bascule.connections.schemas import Connector
    from bascule.mirror import setup
    from bascule.mirror.streams.pending import what_follows
    from bascule.mirror.streams.settings import streams_of
    from bascule.sites.service import recheck

    given: dict[str, Any] = {
        "api_url": url,
        "name": name,
        "group": group,
        "schedule": schedule,
        "sync_inventory": inventory,
        "sync_orders": orders,
        "sync_suppliers": suppliers,
        "lookback_days": lookback_days,
        "proof_days": proof_days,
        "warehouse_filter": [] if all_warehouses else warehouse or None,
        "include_disabled": include_disabled,
        "allow_http": allow_http,
        "ca_bundle": ca_bundle,
        "max_concurrency": max_concurrency,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes and not credentials:
        raise Refused(
            "Nothing is named that should change.",
            next_step="'bascule change --help' lists what can be changed.",
        )
    async with acting_hub() as (hub, viewer):
        async with hub.db.session() as session:
            found = await find_connection(session, connection, viewer)
            session.expunge_all()
        await acted_on(hub, found)
        if credentials:
            _, changes["api_key"], changes["api_secret"] = ask_for_missing(
                url or found.api_url, *_credentials()
            )
        changed = await setup.change(hub, found, changes, by=viewer, test=check_first)
        report = await recheck(hub, changed) if warehouse and check_first else None
        async with hub.db.session() as session:
            follows = what_follows(changed, await streams_of(session, changed), changes)
    if as_json:
        document(Connector.of(changed).model_dump(mode="json"))
        return Exit.DONE
    if report is not None:
        tell_report(report)
    due = ago(changed.next_sync_at) if changed.next_sync_at else "when asked"
    out.print(
        f"[green]✓[/] [bold]{escape(changed.slug)}[/] is changed; its next sync is"
        f" {due} ({changed.schedule})."
    )
    if follows:
        out.print(f"  {escape(follows)}")
    out.print("  → 'bascule sync' brings the mirror in line now.")
    return Exit.DONE


def _credentials() -> tuple[str | None, str | None]:
    """No options of their own: a variable that is set for another verb must change nothing here."""
    return os.environ.get("BASCULE_SITE_KEY"), os.environ.get("BASCULE_SITE_SECRET")
