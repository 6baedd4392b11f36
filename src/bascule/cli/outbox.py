"""`outbox`: documents on their way to ERPNext: list, look at one, retry, give up, take back."""

from typing import Annotated

import typer

from bascule.cli.exit_codes import Exit, verb
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.terminal import AsJson, ago, document, escape, out, show, table

app = typer.Typer(help="Documents on their way to ERPNext: list, show, retry, give up, take back.")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As 'bascule outbox' shows it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.callback(invoke_without_command=True)
@verb("data.read", group="outbox")
async def list_writes(
    context: typer.Context,
    state: Annotated[
        str | None,
        typer.Option(help="waiting, sending, in_doubt, written, failed or given_up; else all."),
    ] = None,
    connector: Annotated[
        str | None, typer.Option(help="Those of one connection alone, by its slug.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many, the newest.")] = 50,
    as_json: AsJson = False,
) -> int:
    """Documents on their way to ERPNext, and those that arrived. Without a command: the newest."""
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.errors import Invalid
    from bascule.outbox import queries
    from bascule.outbox.pages import LABELS
    from bascule.outbox.schemas import WriteAnswer, Writes

    known = next((each for each in LABELS if each == state), None)
    if state is not None and known is None:
        raise Invalid(
            f"There is no state '{state}'.",
            next_step=f"These are there: {', '.join(LABELS)}.",
        )
    wanted = queries.Wanted(known, connector)
    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        found = await queries.list_writes(session, viewer, wanted, limit=limit)
        many = await queries.counts(session, viewer)
        writes = [WriteAnswer.of(*one) for one in found]
    if as_json:
        told = Writes.model_validate({"writes": writes, "counts": many, "next": None})
        document(told.model_dump(mode="json"))
        return Exit.DONE
    if not writes:
        out.print("Nothing is in the outbox.")
        return Exit.DONE
    made = table("Number", "Key", "Document", "State", "Put", "Why")
    for one in writes:
        made.add_row(
            str(one.id),
            escape(one.key),
            escape(f"{one.operation} {one.doctype} {one.name or ''}".strip()),
            LABELS[one.state],
            ago(one.created_at),
            escape(one.why or ""),
        )
    show(made)
    return Exit.DONE


@app.command("show")
@verb("data.read", group="outbox")
async def show_write(number: Number, as_json: AsJson = False) -> int:
    """One write, with every request that was made for it."""
    from bascule.outbox import queries
    from bascule.outbox.pages import LABELS
    from bascule.outbox.schemas import WholeWrite

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        write, connection = await queries.find_write(session, viewer, number)
        told = WholeWrite.of(write, connection, await queries.attempts_of(session, number))
    if as_json:
        document(told.model_dump(mode="json"))
        return Exit.DONE
    one = told.write
    out.print(escape(f"{one.key}: {one.operation} {one.doctype} {one.name or ''}".strip()))
    out.print(f"{LABELS[one.state]}, put {ago(one.created_at)}")
    if one.why:
        out.print(escape(one.why))
        out.print(f"  → {escape(one.next_step or '')}")
    made = table("When", "Request", "Status", "Error")
    for each in told.requests:
        status = str(each.status or ("" if each.finished_at else "no answer"))
        made.add_row(ago(each.at), escape(each.what), status, escape(each.error or ""))
    show(made)
    return Exit.DONE


@app.command()
@verb("outbox.manage", group="outbox")
async def retry(
    number: Annotated[
        int | None,
        typer.Argument(metavar="[NUMBER]", help="Of one write; without, all that failed."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Send again what failed. What may have arrived is looked for first."""
    from bascule.outbox import decisions, queries
    from bascule.outbox.schemas import RetriedWrites

    async with acting_hub() as (hub, by), hub.db.session() as session:
        if number is None:
            many = await queries.retry_failed(hub, session, by, queries.Wanted())
        else:
            write, _ = await queries.find_write(session, by, number, lock=True)
            await decisions.retry(hub, session, write)
            many = 1
    if as_json:
        document(RetriedWrites(retried=many).model_dump(mode="json"))
    else:
        out.print(f"Sending {many} {'write' if many == 1 else 'writes'} again.")
    return Exit.DONE


@app.command("give-up")
@verb("outbox.manage", group="outbox")
async def give_up(number: Number, yes: Yes = False, as_json: AsJson = False) -> int:
    """Send it no more; what depends on it fails. What was made of it stays in ERPNext."""
    from bascule.outbox import decisions, queries
    from bascule.outbox.schemas import WriteAnswer

    async with acting_hub() as (hub, by):
        confirm(f"Give write {number} up", yes=yes)
        async with hub.db.session() as session:
            write, connection = await queries.find_write(session, by, number, lock=True)
            await decisions.give_up(hub, session, write)
            told = WriteAnswer.of(write, connection)
    if as_json:
        document(told.model_dump(mode="json"))
    else:
        out.print(f"Given up: {escape(told.key)}")
    return Exit.DONE


@app.command()
@verb("outbox.manage", group="outbox")
async def undo(number: Number, yes: Yes = False, as_json: AsJson = False) -> int:
    """Take a write back: a draft is deleted, what was submitted is cancelled, a change is put back.

    The document has to be as the hub left it.
    """
    from bascule.outbox import decisions, queries
    from bascule.outbox.schemas import WriteAnswer

    async with acting_hub() as (hub, by):
        confirm(f"Take write {number} back in ERPNext", yes=yes)
        async with hub.db.session() as session:
            write, connection = await queries.find_write(session, by, number, lock=True)
            name = by.username if by else ""
            new = await decisions.undo(hub, session, write, by=name)
            other, _ = await queries.find_write(session, by, new)
            await session.refresh(other)
            told = WriteAnswer.of(other, connection)
    if as_json:
        document(told.model_dump(mode="json"))
    else:
        out.print(f"Write {told.id} takes it back.")
    return Exit.DONE
