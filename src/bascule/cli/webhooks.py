"""`webhooks`: whether a connection's webhooks arrive; set up, fixed, removed."""

from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.connections.streams import Of, one_connection
from bascule.cli.exit_codes import Exit, verb
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.runs.sync import nothing_connected
from bascule.cli.terminal import AsJson, ago, document, err, escape, out, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bascule.connections.tables import Connection
    from bascule.hub import Hub
    from bascule.inbox.frappe.schemas import WebhooksAnswer
    from bascule.inbox.frappe.site.webhooks import Brought

app = typer.Typer(help="Webhooks of a connection: set up, check, fix, rotate, retry, remove.")

_COLOURS = {
    "arriving": "green",
    "waiting": "yellow",
    "late": "yellow",
    "trouble": "red",
    "off": "dim",
}


@app.callback(invoke_without_command=True)
@verb("data.read", group="webhooks")
async def list_webhooks(
    context: typer.Context, connection: Of = None, as_json: AsJson = False
) -> int:
    """Whether webhooks arrive. Without a command: how they stand at each connection.

    Asks no site; 'webhooks check' does.
    """
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.connections.queries import connections_named
    from bascule.inbox.frappe.schemas import WebhooksAnswer
    from bascule.inbox.frappe.status import standing_of

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        found = await connections_named(session, connection, viewer)
        told = {one.slug: WebhooksAnswer.of(await standing_of(session, one)) for one in found}
    if as_json:
        document({slug: answer.model_dump(mode="json") for slug, answer in told.items()})
        return Exit.DONE
    if not told:
        raise nothing_connected()
    for slug, answer in told.items():
        _tell(slug, answer)
    return Exit.DONE


@app.command("set-up")
@verb("connections.edit", group="webhooks")
async def set_up(
    connection: Of = None,
    doctype: Annotated[
        list[str] | None,
        typer.Option("--doctype", "-d", help="Customer, Address and Contact, if left out."),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option("--event", "-e", help="insert, update or delete; all, if left out."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The hub's address as the site reaches it; else BASCULE_PUBLIC_URL."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Make the webhooks on the site, signed with a secret that the hub makes.

    Said again, it changes and mends them. This writes Webhook documents to ERPNext, for which the
    hub's user needs the role System Manager there.
    """
    from bascule.cli.admin.users import hub_address
    from bascule.inbox.frappe.site import setup
    from bascule.inbox.frappe.site.webhooks import DOCTYPES, EVENTS

    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        order = setup.Order(doctype or list(DOCTYPES), event or list(EVENTS), url)
        done = await setup.set_up(hub, found, order, by=viewer, asked_at=hub_address(hub.settings))
        return await _standing(hub, found, done, as_json=as_json)


@app.command()
@verb("connections.edit", group="webhooks")
async def check(connection: Of = None, as_json: AsJson = False) -> int:
    """Ask the site for its webhooks and for failed deliveries. Writes nothing there.

    Exits with 1 where something is wrong.
    """
    from bascule.inbox.frappe.site import monitor

    return await _do(monitor.check, connection, as_json=as_json)


@app.command()
@verb("connections.edit", group="webhooks")
async def fix(connection: Of = None, as_json: AsJson = False) -> int:
    """Create webhooks missing on the site, reset altered ones, remove duplicates."""
    from bascule.inbox.frappe.site import setup

    return await _do(setup.mend, connection, as_json=as_json)


app.command("mend", hidden=True)(fix)  # its name in 0.1


@app.command()
@verb("connections.edit", group="webhooks")
async def rotate(connection: Of = None, as_json: AsJson = False) -> int:
    """Replace their secret, here and on the site. The old one is accepted for one more hour."""
    from bascule.inbox.frappe.site import setup

    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        done = await setup.rotate(hub, found, by=viewer)
        return await _standing(hub, found, done, as_json=as_json)


@app.command()
@verb("connections.edit", group="webhooks")
async def retry(connection: Of = None, as_json: AsJson = False) -> int:
    """Dispatch failed deliveries again; the hub's worker does it."""
    from bascule.inbox.dispatch import try_failed_again

    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        count = await try_failed_again(hub, found.id)
    if as_json:
        document({"deliveries": count})
    else:
        out.print(f"{count:,} told again." if count else "Nothing waits for another attempt.")
    return Exit.DONE


@app.command()
@verb("data.read", group="webhooks")
async def deliveries(
    source: Annotated[
        str | None, typer.Option(help="Of this source alone, such as erpnext.")
    ] = None,
    state: Annotated[str | None, typer.Option(help="kept, done, failed or unreadable.")] = None,
    connection: Of = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> int:
    """What services sent to the hub, newest first, and what came of it at each subscriber."""
    from bascule.connections.queries import connections_named
    from bascule.inbox.schemas import InboxDelivery, SourceAnswer
    from bascule.inbox.status import Wanted, deliveries_seen, state_named, status_of_sources

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        if connection is not None:
            connection = (await connections_named(session, connection, viewer))[0].slug
        wanted = Wanted(source, state_named(state), connection)
        statuses = await status_of_sources(session, viewer)
        sources = [SourceAnswer.of(status) for status in statuses]
        found = await deliveries_seen(session, viewer, wanted, limit)
        told = [InboxDelivery.of(*each) for each in found]
    if as_json:
        shown = [one.model_dump(mode="json") for one in told]
        document({"sources": [one.model_dump(mode="json") for one in sources], "deliveries": shown})
        return Exit.DONE
    for one in sources:
        last = f"last delivery {ago(one.last_at)}" if one.last_at else "nothing came yet"
        out.print(
            f"[bold]{escape(one.label)}[/]  {last}, {one.last_day:,} in 24 hours, "
            f"{one.kept:,} waiting, {one.failed:,} failed, {one.unreadable:,} unreadable"
        )
    listed = table("Id", "Arrived", "Source", "About", "State", "Subscribers")
    for each in told:
        about = " ".join(filter(None, (each.subject_type, each.subject, each.event)))
        outcomes = ", ".join(f"{of.name} {of.state}" for of in each.subscribers)
        row = str(each.id), ago(each.received_at), each.source, about, each.state, outcomes
        listed.add_row(*map(escape, row))
    if told:
        out.print(listed)
    return Exit.DONE


@app.command()
@verb("connections.edit", group="webhooks")
async def clear(
    connection: Of = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Remove webhooks from the site that lead to this hub and belong to no connection."""
    from bascule.cli.admin.users import hub_address
    from bascule.inbox.frappe.site import monitor, orphans

    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        here = hub_address(hub.settings)
        there = await orphans.find_orphans(hub, found, asked_at=here)
        if not as_json:
            for one in there:
                err.print(f"{escape(one.name)}  {escape(one.address)}")
        removed = []
        if there:
            confirm(f"Remove these {len(there)} from the site of {found.slug}", yes=yes)
            removed = await orphans.remove_orphans(hub, found, by=viewer, asked_at=here)
            await monitor.check(hub, found)
    if as_json:
        document({"removed": removed})
    elif removed:
        out.print(f"{found.slug}: {len(removed)} webhooks removed from the site")
    else:
        out.print(f"{found.slug}: every webhook there that leads here belongs to a connection")
    return Exit.DONE


@app.command()
@verb("connections.edit", group="webhooks")
async def remove(
    connection: Of = None,
    only_here: Annotated[
        bool,
        typer.Option("--only-here", help="The site does not exist any more: do not ask it."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Remove the webhooks from the site; what still arrives is refused. Polling goes on."""
    from bascule.inbox.frappe.site import setup

    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        confirm(f"Remove the webhooks of {found.slug}", yes=yes)
        removed = await setup.remove(hub, found, by=viewer, at_the_site=not only_here)
    if as_json:
        document({"removed": removed})
    else:
        out.print(f"{found.slug}: {len(removed)} webhooks removed from the site")
    return Exit.DONE


async def _do(
    act: "Callable[[Hub, Connection], Awaitable[Brought | None]]",
    connection: str | None,
    *,
    as_json: bool,
) -> int:
    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        return await _standing(hub, found, await act(hub, found), as_json=as_json)


async def _standing(
    hub: "Hub", connection: "Connection", done: "Brought | None" = None, *, as_json: bool
) -> int:
    """Tells how they stand now."""
    from bascule.inbox.frappe.schemas import WebhooksAnswer
    from bascule.inbox.frappe.status import standing_of

    async with hub.db.session() as session:
        answer = WebhooksAnswer.of(await standing_of(session, connection), done)
    if as_json:
        document(answer.model_dump(mode="json"))
    else:
        _tell(connection.slug, answer)
    return Exit.FAILED if answer.state == "trouble" else Exit.DONE


def _tell(slug: str, answer: "WebhooksAnswer") -> None:
    last = f", last delivery {ago(answer.last_at)}" if answer.state != "off" else ""
    out.print(f"[bold]{slug}[/]  [{_COLOURS[answer.state]}]{answer.state}[/]{last}")
    for word in ("made", "changed", "removed"):
        if names := getattr(answer, word):
            out.print(f"  {len(names)} {word}")
    if answer.late:
        out.print(f"  {escape(answer.late)}")
    for trouble in answer.troubles:
        out.print(f"  [red]✗[/] {escape(trouble.what)}\n    → {escape(trouble.next_step)}")
    if answer.state == "off":
        out.print(f"  → 'bascule webhooks set-up --connection {slug}' sets them up.")
