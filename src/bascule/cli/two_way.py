"""`two-way`: turns it on for records of a connection, after a look at what would become of each."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.connections.streams import Of, one_connection
from bascule.cli.exit_codes import Exit, Refused, verb
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import confirm as confirmed
from bascule.cli.records import Type, Yes
from bascule.cli.terminal import AsJson, ago, document, err, escape, out, show, table

if TYPE_CHECKING:
    from bascule.connections.tables import Connection
    from bascule.hub import Hub
    from bascule.sync.fields import RecordType
    from bascule.sync.setup.schemas import Preview
    from bascule.sync.tables import TwoWay

app = typer.Typer(help="Turn two-way sync on or off: check, begin, matches, decide, confirm, off.")

LOOK = 0.25  # seconds between two looks at whether the pairs are found
_MEANT = {
    "pair": "are kept the same as a pair",
    "bring": "are made here",
    "send": "are made in ERPNext",
    "leave": "are left alone: several would fit",
}


@app.callback(invoke_without_command=True)
@verb("data.read", group="two-way")
async def list_two_ways(context: typer.Context, as_json: AsJson = False) -> int:
    """Two-way sync. Without a command: where it is on, how it goes, and by which policy."""
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.sync.setup.schemas import TwoWayAnswer
    from bascule.sync.setup.settings import two_ways

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        told = [
            TwoWayAnswer.of(way, connection.slug)
            for way, connection in await two_ways(session, viewer)
        ]
    if as_json:
        document({"two_ways": [one.model_dump(mode="json") for one in told]})
        return Exit.DONE
    made = table("Connection", "Type", "Status", "Asked", "Every", "Policy", "What went wrong")
    for one in told:
        made.add_row(
            one.connector,
            one.type,
            one.status,
            ago(one.last_poll_at),
            f"{one.poll_minutes} min",
            one.policy,
            escape(one.last_error or ""),
        )
    if told:
        show(made)
    else:
        out.print("It is on nowhere.\n  → 'bascule two-way check customers' is the first step.")
    return Exit.DONE


@app.command()
@verb("two_way.manage", group="two-way")
async def check(kind: Type, connection: Of = None, as_json: AsJson = False) -> int:
    """Ask the site which fields it can hold, and try each right that is needed.

    Writes nothing there. Fails where two-way sync cannot be turned on.
    """
    from bascule.sync.record_types import record_type
    from bascule.sync.setup.schemas import Checked
    from bascule.sync.setup.settings import ask_the_site

    async with acting_hub(of=kind) as (hub, by):
        found = await one_connection(hub, by, connection)
        asked = await ask_the_site(hub, found, record_type(kind), by=by)
        told = Checked.of(*asked)
    if as_json:
        document(told.model_dump(mode="json"))
        return Exit.SITE if told.refused else Exit.DONE
    for name, why in told.cannot_hold.items():
        out.print(f"[yellow]![/] {escape(name)}: {escape(why)}")
    _tell_notes(told.notes)
    _tell_notes(told.refused, sign="[red]✗[/]")
    if told.refused:
        out.print("It cannot be turned on before that is mended.")
        return Exit.SITE
    if not (told.cannot_hold or told.notes):
        out.print("[green]The site has a place for every field.[/]")
    if asked[0].status != "on":
        out.print(f"  → 'bascule two-way begin {escape(kind)}' pairs what both sides have.")
    return Exit.DONE


@app.command()
@verb("two_way.manage", group="two-way")
async def begin(
    kind: Type,
    connection: Of = None,
    own_field: Annotated[
        bool,
        typer.Option(
            help="Add the hidden, unique field bascule_id to the DocType, if the user may: with it "
            "nothing is ever made twice, also when answers are lost."
        ),
    ] = True,
    as_json: AsJson = False,
) -> int:
    """Pair what both sides have, and tell what would become of it.

    Writes nothing to the site but the hub's own field.
    """
    from bascule.cli.serve import working
    from bascule.sync.record_types import record_type
    from bascule.sync.setup.schemas import TwoWayAnswer
    from bascule.sync.setup.settings import begin as begun

    of = record_type(kind)
    async with acting_hub(of=kind) as (hub, by), working(hub) as worker:
        found = await one_connection(hub, by, connection)
        begun_so = await begun(hub, found, of, by=by, own_field=own_field)
        if not as_json:
            _tell_notes(TwoWayAnswer.of(begun_so, found.slug).notes)
            err.print("Reading both sides …", style="dim")
        while not (told := await _preview(hub, found, of)).ready:
            if worker.done():
                await worker  # tells why it ended
            await _refuse_if_it_ended(hub, found, of)
            await asyncio.sleep(LOOK)
    _tell(told, kind, as_json=as_json)
    return Exit.DONE


@app.command()
@verb("data.read", group="two-way")
async def matches(
    kind: Type,
    connection: Of = None,
    decision: Annotated[
        str | None, typer.Option(help="Only these: pair, bring, send or leave.")
    ] = None,
    after: Annotated[int, typer.Option(min=0, help="Go on behind this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 100,
    as_json: AsJson = False,
) -> int:
    """What would become of each record and document, until you confirm."""
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        told = await _preview(hub, found, of, decision=decision, after=after, limit=limit)
    if not as_json:
        made = table("Number", "Here", "In ERPNext", "By", "Becomes", numbers=("Number",))
        for one in told.matches:
            here = str(one.record[of.title]) if one.record else ""
            row = (here, one.document or "", one.matchedBy or "", one.decision)
            made.add_row(str(one.id), *(escape(text) for text in row))
        show(made)
        if told.next:
            out.print(f"There are more: --after {told.next}", style="dim")
        _tell_notes(told.notes)
    _tell(told, kind, as_json=as_json)
    return Exit.DONE


@app.command()
@verb("two_way.manage", group="two-way")
async def decide(
    kind: Type,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As 'matches' shows it.")],
    decision: Annotated[
        str, typer.Argument(metavar="DECISION", help="pair, bring, send or leave.")
    ],
    document: Annotated[
        str | None,
        typer.Option(help="With pair: the document, where another or none was proposed."),
    ] = None,
    connection: Of = None,
    as_json: AsJson = False,
) -> int:
    """Change what becomes of one of them."""
    from bascule.sync.pairing import matching
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    async with acting_hub(of=kind) as (hub, by):
        found = await one_connection(hub, by, connection)
        await matching.decide(hub, found, of, number, decision, by=by, document=document)
        told = await _preview(hub, found, of)
    _tell(told, kind, as_json=as_json)
    return Exit.DONE


@app.command()
@verb("two_way.manage", group="two-way")
async def confirm(
    kind: Type, connection: Of = None, yes: Yes = False, as_json: AsJson = False
) -> int:
    """Turn it on with these pairs: from now on the hub writes to the site."""
    from bascule.sync.pairing import confirmation
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    async with acting_hub(of=kind) as (hub, by):
        found = await one_connection(hub, by, connection)
        confirmed(f"Let the hub write {of.plural} to {found.api_url}", yes=yes)
        _standing(await confirmation.confirm(hub, found, of, by=by), found, as_json=as_json)
    return Exit.DONE


@app.command()
@verb("two_way.manage", group="two-way")
async def restored(
    kind: Type,
    choice: Annotated[
        str, typer.Argument(metavar="SIDE", help="here: send ours again. there: take theirs.")
    ],
    connection: Of = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Decide what stays, after the site was restored from an older state: of all at once."""
    from bascule.sync.receive import after_restore
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    async with acting_hub(of=kind) as (hub, by):
        found = await one_connection(hub, by, connection)
        what = "Send ours again" if choice == "here" else "Take theirs"
        confirmed(f"{what}, of all {of.plural} that {found.slug} has in an older state", yes=yes)
        decided = await after_restore.decide(hub, found, of, choice, by=by)
    if as_json:
        document({"decided": decided})
    else:
        out.print(f"{decided:,} {of.plural} are decided about.")
    return Exit.DONE


@app.command()
@verb("two_way.manage", group="two-way")
async def off(kind: Type, connection: Of = None, yes: Yes = False, as_json: AsJson = False) -> int:
    """Turn it off: nothing is read or written any more. What is here stays."""
    from bascule.sync.record_types import record_type
    from bascule.sync.setup import settings

    of = record_type(kind)
    async with acting_hub(of=kind) as (hub, by):
        found = await one_connection(hub, by, connection)
        confirmed(f"Turn two-way sync of {of.plural} off for {found.slug}", yes=yes)
        _standing(await settings.turn_off(hub, found, of, by=by), found, as_json=as_json)
    return Exit.DONE


def _tell_notes(notes: list[dict[str, str]], sign: str = "[yellow]![/]") -> None:
    for note in notes:
        out.print(f"{sign} {escape(note['what'])}\n  → {escape(note['next_step'])}")


async def _refuse_if_it_ended(hub: "Hub", connection: "Connection", kind: "RecordType") -> None:
    from bascule.sync.setup.settings import find_two_way

    async with hub.db.session() as session:
        two_way = await find_two_way(session, connection, kind)
    if two_way is None or two_way.status != "matching":
        raise Refused(
            (two_way and two_way.last_error) or "Somebody turned it off meanwhile.",
            next_step=(two_way and two_way.last_error_step) or "Begin again.",
            code=Exit.FAILED,
        )


async def _preview(
    hub: "Hub",
    connection: "Connection",
    kind: "RecordType",
    *,
    decision: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> "Preview":
    from bascule.sync.setup.api import preview_of

    async with hub.db.session() as session:
        return await preview_of(
            session, connection, kind, decision=decision, after=after, limit=limit
        )


def _tell(told: "Preview", kind: str, *, as_json: bool) -> None:
    if as_json:
        document(told.model_dump(mode="json"))
        return
    for decision, count in told.counts.items():
        out.print(f"{count:,} {_MEANT.get(decision, decision)}")
    if not told.counts:
        out.print("There is nothing on either side yet.")
    if told.ready:
        out.print(
            f"  → 'bascule two-way matches {escape(kind)}' lists them; 'confirm' turns it on."
        )


def _standing(two_way: "TwoWay", connection: "Connection", *, as_json: bool) -> None:
    from bascule.sync.setup.schemas import TwoWayAnswer

    answer = TwoWayAnswer.of(two_way, connection.slug)
    if as_json:
        document(answer.model_dump(mode="json"))
    else:
        out.print(f"{answer.connector} · {answer.type}: {answer.status}")
