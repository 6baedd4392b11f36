"""`streams`: what is mirrored of a connection, field by field if wanted."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bascule.cli.exit_codes import Exit, Refused, verb
from bascule.cli.identity import acted_on, acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.runs.sync import nothing_connected
from bascule.cli.terminal import AsJson, ago, document, escape, out, show, table

if TYPE_CHECKING:
    from bascule.accounts.tables import User
    from bascule.connections.tables import Connection
    from bascule.hub import Hub
    from bascule.mirror.tables import Stream

app = typer.Typer(help="What is mirrored: list, add, remove, switch, filter, omit, rename.")

Of = Annotated[
    str | None,
    typer.Option(
        "--connection", "-c", help="A connection's slug or id; the only one there is, if left out."
    ),
]
Names = Annotated[
    list[str], typer.Argument(metavar="STREAM...", help="DocTypes or presets, such as inventory.")
]
Name = Annotated[str, typer.Argument(metavar="STREAM", help="A DocType or a preset.")]


@app.callback(invoke_without_command=True)
@verb("data.read", group="streams")
async def list_streams(
    context: typer.Context, connection: Of = None, as_json: AsJson = False
) -> int:
    """What is mirrored. Without a command: every stream, its rows and how it went last."""
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.connections.queries import connections_named
    from bascule.mirror.proof.labels import proof_line
    from bascule.mirror.schemas import StreamAnswer
    from bascule.mirror.streams.settings import streams_of

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        found = await connections_named(session, connection, viewer)
        listed = {
            one.slug: [StreamAnswer.of(s, one) for s in await streams_of(session, one)]
            for one in found
        }
    if as_json:
        document({slug: [s.model_dump(mode="json") for s in all_] for slug, all_ in listed.items()})
        return Exit.DONE
    if not listed:
        raise nothing_connected()
    left_off = {one.slug: one.left_off for one in found if one.left_off}
    headings = ("Connection", "Stream", "Preset", "Table", "On", "Rows", "Synced", "Proof")
    made = table(*headings, numbers=("Rows",))
    for slug, streams in listed.items():
        for one in streams:
            proof = proof_line(one.proof, one.compared_by, one.compared_at)
            proof += f" ({one.limits})" if one.limits else ""
            made.add_row(
                slug,
                escape(one.doctype),
                one.preset or "",
                f"{slug}.{one.table_name}",
                "yes" if one.enabled else "no",
                f"{one.rows:,}",
                ago(one.last_success_at),
                proof if one.verified_equal is not False else f"[red]{proof}[/]",
            )
    show(made)
    for slug, streams in listed.items():
        for one in streams:
            if one.pending:
                out.print(f"[yellow]![/] {slug} · {escape(one.doctype)}: {escape(one.pending)}")
    if any(one.pending for streams in listed.values() for one in streams):
        out.print("  → 'bascule sync' does that now.")
    for slug, doctypes in left_off.items():
        out.print(f"{slug}: left off, as they may not be read: {escape(', '.join(doctypes))}")
        out.print(f"  → 'bascule streams try-again --connection {slug}' once they may be.")
    return Exit.DONE


@app.command()
@verb("streams.manage", group="streams")
async def add(names: Names, connection: Of = None, as_json: AsJson = False) -> int:
    """Mirror more: any DocType by its name, custom ones too, or a preset."""
    from bascule.mirror.streams.settings import add_streams

    async with acting_hub(of=", ".join(names)) as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        _tell(found, await add_streams(hub, found, names, by=viewer), as_json=as_json)
    return Exit.DONE


@app.command("try-again")
@verb("streams.manage", group="streams")
async def try_left_off(connection: Of = None, as_json: AsJson = False) -> int:
    """Add what was left off because the user might not read it, if it may be read by now."""
    from dataclasses import asdict

    from bascule.mirror.streams.left_off import try_again

    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        tried = await try_again(hub, found, by=viewer, trigger="cli")
    if as_json:
        document(asdict(tried))
    else:
        out.print(escape(tried.said))
        if tried.added:
            out.print("  → The hub's worker pulls it; without one, 'bascule sync' does.")
    return Exit.DONE if tried.added else Exit.SITE


@app.command()
@verb("streams.manage", group="streams")
async def on(names: Names, connection: Of = None, as_json: AsJson = False) -> int:
    """Switch streams on; their next sync goes on where it was."""
    return await _change(names, connection, {"enabled": True}, as_json=as_json)


@app.command()
@verb("streams.manage", group="streams")
async def off(names: Names, connection: Of = None, as_json: AsJson = False) -> int:
    """Switch streams off; their tables stay as they are."""
    return await _change(names, connection, {"enabled": False}, as_json=as_json)


@app.command("filter")
@verb("streams.manage", group="streams")
async def filter_(
    stream: Name,
    filters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILTER]...",
            help="'company=Acme', 'grand_total>=100', 'status!=Draft', or Frappe's own "
            '\'["name","like","A%"]\'; all must hold. None: no filter any more.',
        ),
    ] = None,
    connection: Of = None,
    as_json: AsJson = False,
) -> int:
    """Mirror only the documents that fit; the next sync fetches and drops accordingly."""
    wanted = [parse_filter(text) for text in filters or []]
    return await _change([stream], connection, {"filters": wanted}, as_json=as_json)


@app.command()
@verb("streams.manage", group="streams")
async def omit(
    stream: Name,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[FIELD]...", help="None: leave out nothing.")
    ] = None,
    connection: Of = None,
    as_json: AsJson = False,
) -> int:
    """Leave fields out of the mirror."""
    return await _change([stream], connection, {"omit": fields or []}, as_json=as_json)


@app.command()
@verb("streams.manage", group="streams")
async def rename(
    stream: Name,
    renames: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=COLUMN]...", help="None: every field keeps its name."),
    ] = None,
    connection: Of = None,
    as_json: AsJson = False,
) -> int:
    """Give fields other column names."""
    pairs = {}
    for text in renames or []:
        field, sign, column = (part.strip() for part in text.partition("="))
        if not (field and sign and column):
            raise Refused(
                f"{text!r} is no FIELD=COLUMN.", next_step="Write it as custom_colour=colour."
            )
        pairs[field] = column
    return await _change([stream], connection, {"rename": pairs}, as_json=as_json)


@app.command()
@verb("streams.manage", group="streams")
async def remove(
    names: Names,
    connection: Of = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Mirror no longer, and drop the tables; the site itself is not touched."""
    from bascule.mirror.schemas import StreamAnswer
    from bascule.mirror.streams.settings import delete_stream

    async with acting_hub(of=", ".join(names)) as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        streams = await _named(hub, found, names)
        confirm(f"Drop the tables of {', '.join(stream.doctype for stream in streams)}", yes=yes)
        answers = [StreamAnswer.of(stream, found) for stream in streams]
        for stream in streams:
            await delete_stream(hub, found, stream)
    if as_json:
        document({found.slug: [answer.model_dump(mode="json") for answer in answers]})
    else:
        for answer in answers:
            out.print(f"{found.slug} · {escape(answer.doctype)}: gone, with {answer.table_name}")
    return Exit.DONE


# Longest first, so that >= is not taken for >.
_OPERATORS = ("!=", ">=", "<=", "=", ">", "<")


def parse_filter(text: str) -> list[Any]:
    """`field=value` or a JSON list as Frappe takes it; Refused when it is neither."""
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except json.JSONDecodeError:
            listed = None
        if isinstance(listed, list) and len(listed) == 3:
            return listed
    else:
        places = {sign: text.find(sign) for sign in _OPERATORS}
        first = min((place for place in places.values() if place > 0), default=0)
        sign = next((s for s in _OPERATORS if first and places[s] == first), None)
        if sign is not None:
            return [text[:first].strip(), sign, text[first + len(sign) :].strip()]
    raise Refused(
        f"The filter {text!r} is not understood.",
        next_step="Write it as field=value, field>=value, or a JSON list: field, operator, value.",
    )


async def one_connection(hub: "Hub", viewer: "User | None", named: str | None) -> "Connection":
    """The one that is named; without a name, the only one there is."""
    from bascule.connections.queries import find_connection, list_connections

    async with hub.db.session() as session:
        if named is not None:
            found = await find_connection(session, named, viewer)
        else:
            every = await list_connections(session, viewer)
            if not every:
                raise nothing_connected()
            if len(every) > 1:
                raise Refused(
                    "There are several connections.",
                    next_step=f"Add --connection and one of: {', '.join(c.slug for c in every)}.",
                )
            found = every[0]
        session.expunge_all()
    await acted_on(hub, found)
    return found


async def _change(
    names: list[str], connection: str | None, changes: dict[str, Any], *, as_json: bool
) -> int:
    from bascule.mirror.streams.settings import change_stream

    async with acting_hub(of=", ".join(names)) as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        changed = [
            await change_stream(hub, found, stream, changes, by=viewer)
            for stream in await _named(hub, found, names)
        ]
        _tell(found, changed, as_json=as_json)
    return Exit.DONE


async def _named(hub: "Hub", connection: "Connection", names: list[str]) -> "list[Stream]":
    from bascule.mirror.streams.presets import doctypes_named
    from bascule.mirror.streams.settings import streams_of

    async with hub.db.session() as session:
        by_doctype = {stream.doctype: stream for stream in await streams_of(session, connection)}
        session.expunge_all()
    wanted = doctypes_named(names)
    for doctype in wanted:
        if doctype not in by_doctype:
            raise Refused(
                f"{connection.slug} has no stream {doctype}.",
                next_step=f"Add it with 'bascule streams add \"{doctype}\"', or take one of: "
                f"{', '.join(by_doctype)}.",
            )
    return [by_doctype[doctype] for doctype in wanted]


def _tell(connection: "Connection", changed: "list[Stream]", *, as_json: bool) -> None:
    from bascule.mirror.schemas import StreamAnswer

    streams = [StreamAnswer.of(stream, connection) for stream in changed]
    if as_json:
        document({connection.slug: [stream.model_dump(mode="json") for stream in streams]})
        return
    for stream in streams:
        facts = ["on" if stream.enabled else "off"]
        if stream.filters:
            facts.append(f"only {json.dumps(stream.filters, ensure_ascii=False)}")
        if stream.omit:
            facts.append(f"without {', '.join(stream.omit)}")
        if stream.rename:
            facts.append(", ".join(f"{field} as {name}" for field, name in stream.rename.items()))
        out.print(f"{connection.slug} · {escape(stream.doctype)}: {escape('; '.join(facts))}")
        if stream.pending:
            out.print(f"  {escape(stream.pending)}")
    out.print("  → 'bascule sync' brings the mirror in line now.")
