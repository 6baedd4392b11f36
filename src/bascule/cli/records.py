"""`records`: customers and suppliers in sync with ERPNext, and the decisions about one of them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bascule.cli.exit_codes import Exit, Refused, verb
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.terminal import AsJson, Quiet, ago, document, err, escape, out, show, table

if TYPE_CHECKING:
    from bascule.sync.queries import LinkedRecord
    from bascule.sync.schemas import ConflictAnswer, RecordAnswer

app = typer.Typer(help="Records in two-way sync: list, show, sync, conflicts, resolve, retry, do.")

Type = Annotated[str, typer.Argument(metavar="TYPE", help="customers or suppliers.")]
AnyType = Annotated[
    str | None, typer.Argument(metavar="[TYPE]", help="customers or suppliers; both, if left out.")
]
Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, help="Its number, as 'records list' shows it.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_COLOURS = {"in_sync": "green", "sending": "cyan", "waiting": "yellow", "local": "dim"}
# What cannot be undone, as a question.
_FOR_GOOD = {
    "give_up": "Drop the edit that ERPNext did not take",
    "delete_anyway": "Delete it in ERPNext, with what was changed there since",
}
NEVER_AGREED = "(never the same)"
SYNC_PATIENCE = 3600  # seconds


@app.callback(invoke_without_command=True)
@verb("data.read", group="records")
async def list_types(context: typer.Context, as_json: AsJson = False) -> int:
    """Records in two-way sync. Without a command: how many there are, and in which state."""
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.sync.queries import counts
    from bascule.sync.record_types import RECORD_TYPES
    from bascule.sync.setup.settings import two_ways

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        ways = await two_ways(session, viewer)
        told: dict[str, Any] = {
            kind.plural: {
                "connectors": {c.slug: way.status for way, c in ways if way.record_type == name},
                "counts": await counts(session, kind, viewer),
            }
            for name, kind in RECORD_TYPES.items()
        }
    if as_json:
        document(told)
        return Exit.DONE
    for plural, one in told.items():
        on = ", ".join(f"{slug} ({status})" for slug, status in one["connectors"].items())
        out.print(f"[bold]{plural}[/]  {escape(on) or 'in sync with no connection'}")
        states = [f"{count:,} {state}" for state, count in sorted(one["counts"].items())]
        out.print(f"  {', '.join(states) or 'There are none.'}")
    if not ways:
        out.print("  → 'bascule two-way check customers' is the first step to turn it on.")
    return Exit.DONE


@app.command("list")
@verb("data.read", group="records")
async def list_(
    kind: Type,
    search: Annotated[str, typer.Option("--search", "-s", help="Words that it contains.")] = "",
    state: Annotated[
        str | None,
        typer.Option(help="in_sync, sending, waiting, attention, conflict, local or deleted."),
    ] = None,
    connection: Annotated[
        str | None, typer.Option("--connection", "-c", help="A connection's slug or id.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="Start after this cursor: 'next' of the page before.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    as_json: AsJson = False,
) -> int:
    """Records of one type, by name: searched, filtered, page by page."""
    from bascule.sync.queries import RecordQuery, counts, cursor_of, find_page, position_of
    from bascule.sync.record_types import record_type
    from bascule.sync.schemas import RecordAnswer, Records

    of = record_type(kind)
    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        found = await find_page(
            session,
            of,
            viewer,
            RecordQuery(state, search, connection),
            after=position_of(after),
            limit=limit + 1,
        )
        shown = found[:limit]
        told = Records(
            records=[RecordAnswer.of(whole) for whole in shown],
            next=cursor_of(shown[-1]) if len(found) > limit else None,
            counts=await counts(session, of, viewer),
        )
    if as_json:
        document(told.model_dump(mode="json"))
        return Exit.DONE
    made = table("Number", "Name", "In ERPNext", "Connection", "State", numbers=("Number",))
    for one, whole in zip(told.records, shown, strict=True):
        made.add_row(
            str(one.id),
            escape(whole.record.title),
            escape(one.erpnextId or ""),
            one.connector or "",
            _coloured(one.sync.state),
        )
    show(made)
    if not shown:
        out.print("There are none.")
    if told.next:
        out.print(f"There are more: --after {told.next}", style="dim")
    return Exit.DONE


@app.command("show")
@verb("data.read", group="records")
async def show_(kind: Type, number: Number, as_json: AsJson = False) -> int:
    """One record: its fields, its status, its open conflicts, and what happened last."""
    from bascule.sync.conflicts import open_conflicts
    from bascule.sync.history import history_of
    from bascule.sync.queries import find
    from bascule.sync.record_types import record_type
    from bascule.sync.schemas import ConflictAnswer, RecordAnswer, Step

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        whole = await find(session, record_type(kind), number, viewer)
        record = RecordAnswer.of(whole)
        found = await open_conflicts(session, viewer, record_id=number)
        conflicts = [ConflictAnswer.of(*each) for each in found]
        steps = [Step.of(one) for one in await history_of(session, whole.record, limit=10)]
    if as_json:
        told: dict[str, Any] = {"record": record.model_dump(mode="json")}
        told["conflicts"] = [one.model_dump(mode="json") for one in conflicts]
        told["history"] = [one.model_dump(mode="json") for one in steps]
        document(told)
        return Exit.DONE
    _tell(whole, record)
    for one in whole.fields.fields:
        if (value := whole.record.values.get(one.name)) is not None:
            out.print(f"  [dim]{one.name}[/]  {escape(str(value))}")
    if conflicts:
        _tell_conflicts(conflicts)
    for step in steps:
        changed = "; ".join(f"{n}: {a!r} → {b!r}" for n, (a, b) in step.changes.items())
        said = f"{step.origin} by {step.by}  {changed or step.note}"
        out.print(f"  [dim]{step.at:%Y-%m-%d %H:%M}[/] {escape(said)}")
    return Exit.DONE


@app.command()
@verb("records.edit", group="records")
async def sync(
    kind: Type,
    whole: Annotated[
        bool, typer.Option("--whole", help="Compare all documents, not only those that changed.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Fetch what changed in ERPNext now, and wait until it is applied.

    Exits with 1 where a site could not be reached.
    """
    from bascule.cli.serve import working
    from bascule.sync.receive.sync_now import sync_now
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    async with acting_hub(of=of.plural) as (hub, by), working(hub):
        if not (quiet or as_json):
            err.print("Asking ERPNext what changed …", style="dim")
        told = await sync_now(hub, of, by, whole=whole, wait=SYNC_PATIENCE)
    if not told.connectors and not told.errors:
        raise Refused(
            f"{of.label} are in sync with no connection.",
            next_step="'bascule two-way check' is the first step to turn it on.",
        )
    if as_json:
        document(told.model_dump(mode="json"))
    for slug, counts in told.connectors.items() if not as_json else []:
        if slug in told.errors:
            err.print(f"[red]✗[/] {escape(slug)}: {escape(told.errors[slug])}")
        elif not quiet:
            brought = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            out.print(f"{escape(slug)}: {brought or 'nothing new'}")
    return Exit.DONE if told.success and told.finished else Exit.FAILED


@app.command()
@verb("data.read", group="records")
async def conflicts(
    kind: AnyType = None,
    before: Annotated[int | None, typer.Option(help="Only conflicts older than this id.")] = None,
    as_json: AsJson = False,
) -> int:
    """Open conflicts: fields that differ on both sides, newest first."""
    from bascule.sync.conflicts import open_conflicts
    from bascule.sync.record_types import record_type
    from bascule.sync.schemas import ConflictAnswer, Conflicts

    of = record_type(kind) if kind else None
    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        found = await open_conflicts(session, viewer, kind=of, before=before)
        told = Conflicts(conflicts=[ConflictAnswer.of(*each) for each in found])
    if as_json:
        document(told.model_dump(mode="json"))
    elif told.conflicts:
        _tell_conflicts(told.conflicts)
        out.print("  → 'bascule records resolve TYPE NUMBER here' (or there, base) decides.")
    else:
        out.print("Nothing is open.")
    return Exit.DONE


@app.command()
@verb("records.edit", group="records")
async def resolve(
    kind: Type,
    number: Number,
    choice: Annotated[
        str,
        typer.Argument(
            metavar="CHOICE",
            help="here, there (ERPNext), base (what both had before), or value.",
        ),
    ],
    field: Annotated[
        str | None, typer.Option("--field", "-f", help="Only this field; all, if left out.")
    ] = None,
    value: Annotated[str | None, typer.Option(help="The value, for the choice 'value'.")] = None,
    as_json: AsJson = False,
) -> int:
    """Resolve the conflicts of a record. Values that lose stay in the record's history."""
    from bascule.sync import conflicts as decided
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    if field is None and choice == "value":
        raise Refused(
            "A value is one field's.", next_step="Name it: --field phone --value '+31 71 1'."
        )
    async with acting_hub(of=f"{of.name} {number}") as (hub, by):
        if field is None:
            whole = await decided.resolve_all(hub, of, number, choice, by=by)
        else:
            whole = await decided.resolve(hub, of, number, field, choice, by=by, value=value)
        _answer(whole, as_json=as_json)
    return Exit.DONE


app.command("settle", hidden=True)(resolve)  # its name in 0.1


@app.command()
@verb("records.edit", group="records")
async def retry(
    kind: AnyType = None,
    remedy: Annotated[
        str | None, typer.Option(help="Only those that failed in this way: down, credentials, ...")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Try all records again that wait or need attention; the hub's worker sends them."""
    from bascule.sync.conflicts import retry_all
    from bascule.sync.record_types import record_type

    of = record_type(kind) if kind else None
    async with acting_hub(of=of.plural if of else "") as (hub, by):
        count = await retry_all(hub, of, by=by, remedy=remedy)
    if as_json:
        document({"retried": count})
    else:
        out.print(f"{count:,} tried again." if count else "Nothing waits to be sent.")
    return Exit.DONE


@app.command()
@verb("records.edit", group="records")
async def do(
    kind: Type,
    number: Number,
    act: Annotated[
        str,
        typer.Argument(
            metavar="ACT",
            help="retry, send, give_up, recreate, delete_anyway, disable_instead or accept.",
        ),
    ],
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Decide about a record that waits or needs attention.

    retry: send it now. send: it is local only; create it in ERPNext. give_up: take what ERPNext
    has. recreate: it was deleted in ERPNext; create it again. delete_anyway, disable_instead: for
    a deletion that was not carried out. accept: keep local only what ERPNext did not store.
    """
    from bascule.sync.conflicts import act as decide
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    act = act.replace("-", "_")
    if question := _FOR_GOOD.get(act):
        confirm(f"{of.name.capitalize()} {number}: {question}", yes=yes)
    async with acting_hub(of=f"{of.name} {number}") as (hub, by):
        _answer(await decide(hub, of, number, act, by=by), as_json=as_json)
    return Exit.DONE


@app.command("join")
@verb("records.edit", group="records")
async def join_(
    kind: Type,
    number: Number,
    name: Annotated[
        str, typer.Argument(metavar="DOCUMENT", help="The document's name in ERPNext.")
    ],
    connection: Annotated[
        str | None, typer.Option("--connection", "-c", help="A connection's slug or id.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Pair a record that has no document with a document that exists: both become one."""
    from bascule.sync.pairing.joining import join_with
    from bascule.sync.record_types import record_type

    of = record_type(kind)
    async with acting_hub(of=f"{of.name} {number}") as (hub, by):
        joined = await join_with(hub, of, number, name, by=by, connector=connection)
        _answer(joined, as_json=as_json)
    return Exit.DONE


def _answer(whole: "LinkedRecord", *, as_json: bool) -> None:
    from bascule.sync.schemas import RecordAnswer

    record = RecordAnswer.of(whole)
    if as_json:
        document(record.model_dump(mode="json"))
    else:
        _tell(whole, record)


def _tell(whole: "LinkedRecord", record: "RecordAnswer") -> None:
    where = f" ({escape(record.erpnextId)} in {record.connector})" if record.erpnextId else ""
    sync = record.sync
    out.print(f"[bold]{escape(whole.record.title)}[/]{where}  {_coloured(sync.state)}")
    if sync.why:
        out.print(f"  [red]✗[/] {escape(sync.why)}")
    for name, wrong in sync.wrong.items():
        out.print(f"    {escape(name)}: {escape(wrong)}")
    if sync.nextStep:
        out.print(f"  → {escape(sync.nextStep)}")
    if sync.retryAt:
        out.print(f"  tried again {ago(sync.retryAt)}", style="dim")


def _tell_conflicts(conflicts: "list[ConflictAnswer]") -> None:
    from bascule.sync.record_types import record_type

    made = table("Type", "Number", "Record", "Field", "Before", "Here", "In ERPNext")
    for one in conflicts:
        values = [str(v) if v is not None else "" for v in (one.base, one.here, one.there)]
        values[0] = values[0] if one.agreed else NEVER_AGREED
        about = (record_type(one.recordType).plural, str(one.recordId), one.record, one.field)
        made.add_row(*(escape(text) for text in (*about, *values)))
    show(made)


def _coloured(state: str) -> str:
    return f"[{_COLOURS.get(state, 'red')}]{state}[/]"
