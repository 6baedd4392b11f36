"""`status` and `logs`: how the connections stand, and what a run said."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.identity import acting_hub
from bascule.cli.terminal import AsJson, ago, document, err, escape, out, show, table
from bascule.mirror.status.states import STATES, figures

if TYPE_CHECKING:
    from bascule.accounts.tables import User
    from bascule.hub import Hub
    from bascule.mirror.schemas import ConnectorStatus, LogLine, RunAnswer
    from bascule.mirror.status.roster import Roster

_COLOURS = {"ok": "green", "syncing": "cyan", "waiting": "yellow"}
FEW = 3  # connections that are told in full without being asked
FOLLOW = 0.5  # seconds between two looks at a log that is followed


async def status(
    connection: Annotated[
        str | None, typer.Argument(metavar="[CONNECTION]", help="Only this slug or id.")
    ] = None,
    search: Annotated[
        str, typer.Option(help="Only those with these words in name, slug, address or group.")
    ] = "",
    state: Annotated[
        str, typer.Option(help=f"Only those that stand so: {', '.join(STATES)}.")
    ] = "",
    group: Annotated[str, typer.Option(help="Only those of this group.")] = "",
    details: Annotated[
        bool, typer.Option("--details", help="Streams and what went wrong, also of many.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """How each connection stands: its health, when it was synced, what is here, what went wrong.

    Many connections are a line each, those first that want somebody. Streams that failed for one
    cause are told together. Exits with 0 also when something went wrong; `doctor` is the one that
    judges.
    """
    from bascule.connections.queries import find_connection
    from bascule.mirror.schemas import StatusAnswer
    from bascule.mirror.status.roster import RosterQuery, find, page_of

    if state and state not in STATES:
        raise Refused(f"There is no state {state!r}.", next_step=f"One of {', '.join(STATES)}.")
    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        found = await find(session, viewer, RosterQuery(search, state, group))
        if connection is not None:
            wanted = (await find_connection(session, connection, viewer)).id
            found = replace(found, wanted=[one for one in found.wanted if one.id == wanted])
        page = await page_of(session, found, worst_first=True)
    if as_json:
        answer = StatusAnswer(
            connectors=page.statuses, counts=page.counts, total=page.total, next=None
        )
        document(answer.model_dump(mode="json"))
    elif not page.everything:
        out.print("No ERPNext site is connected yet.")
        out.print("  → 'bascule connect' connects one; 'bascule demo' shows what you would get.")
    elif details or page.total <= FEW:
        for one in page.statuses:
            _tell(one)
    else:
        _list(page)
    if not as_json and page.everything and not page.total:
        out.print("No connection fits this search and this state.")
        out.print("  → 'bascule status' lists all of them.")
    return Exit.DONE


def _list(page: "Roster") -> None:
    made = table("Slug", "Name", "State", "Documents", "Synced", "Next", numbers=("Documents",))
    for one in page.statuses:
        made.add_row(
            escape(one.slug),
            escape(one.name),
            f"[{_COLOURS.get(one.status, 'red')}]{one.status}[/]",
            f"{one.records:,}",
            ago(one.last_sync_at),
            _next_of(one),
        )
    show(made)
    out.print(f"{page.total:,} connections: {figures(page.counts)}.")
    out.print("  → 'bascule status SLUG' tells more of one, 'bascule status --details' of all.")


def _next_of(one: "ConnectorStatus") -> str:
    if one.paused_until is not None:  # the next sync is not what is next
        return f"tried again {ago(one.paused_until)}"
    return ago(one.next_sync_at) if one.next_sync_at else "when asked"


def _tell(one: "ConnectorStatus") -> None:
    from bascule.mirror.proof.labels import proof_line

    colour = _COLOURS.get(one.status, "red")
    out.print(
        f"[bold]{escape(one.name)}[/] ({escape(one.slug)})  [{colour}]{one.status}[/]"
        f"  {one.records:,} documents, synced {ago(one.last_sync_at)}, next"
        f" {_next_of(one)} ({one.schedule})"
    )
    out.print(f"  {proof_line(one.proof, one.compared_by, one.compared_at)}")
    made = table("  Stream", "Documents", numbers=("Documents",))
    for doctype, count in one.record_counts.items():
        made.add_row(f"  {escape(doctype)}", f"{count:,}")
    if made.row_count:
        show(made)
    for need in one.attention:  # one for each cause
        out.print(f"  [red]✗[/] {escape(need.what)}")
        out.print(f"    → {escape(need.next_step)}")


async def logs(
    run: Annotated[
        int | None,
        typer.Argument(metavar="[RUN]", help="A run's number; the newest runs' list, if left out."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    connection: Annotated[
        str | None, typer.Option(help="With no run given: only this connection's runs.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many runs to list.")] = 20,
    as_json: AsJson = False,
) -> int:
    """What a run said, line by line; without a run's number, which runs there were.

    With --follow and no number it follows the newest run.
    """

    async with acting_hub() as (hub, viewer):
        if run is None and not follow:
            found = await _runs(hub, viewer, connection, limit)
            _list_runs(found, as_json=as_json)
            return Exit.DONE
        if run is None:
            newest = await _runs(hub, viewer, connection, 1)
            if not newest:
                raise Refused("There was no run yet.", next_step="'bascule sync' makes one.")
            run = newest[0].id
        return await _tell_log(hub, viewer, run, follow=follow, as_json=as_json)


async def _runs(
    hub: "Hub", viewer: "User | None", connection: str | None, limit: int
) -> "list[RunAnswer]":
    from sqlalchemy import select

    from bascule.connections.queries import find_connection
    from bascule.connections.sharing import seen_by
    from bascule.connections.tables import Connection
    from bascule.mirror.status.overview import with_doctypes
    from bascule.mirror.tables import Run

    query = select(Run).join(Connection, Connection.id == Run.connection_id)
    query = query.where(seen_by(viewer)).order_by(Run.id.desc()).limit(limit)
    async with hub.db.session() as session:
        if connection is not None:
            wanted = (await find_connection(session, connection, viewer)).id
            query = query.where(Run.connection_id == wanted)
        return await with_doctypes(session, list((await session.scalars(query)).all()))


def _list_runs(runs: "list[RunAnswer]", *, as_json: bool) -> None:
    if as_json:
        document({"runs": [run.model_dump(mode="json") for run in runs]})
        return
    if not runs:
        out.print("There was no run yet.\n  → 'bascule sync' makes one.")
        return
    numbers = ("Run", "Read", "Changed", "Deleted")
    made = table(
        *("Run", "Stream", "Kind", "By", "Outcome", "Read", "Changed", "Deleted", "When"),
        numbers=numbers,
    )
    for run in runs:
        made.add_row(
            str(run.id),
            escape(run.doctype or ""),
            run.kind,
            run.trigger,
            run.outcome,
            f"{run.rows_read:,}",
            f"{run.rows_changed:,}",
            f"{run.rows_deleted:,}",
            ago(run.started_at or run.queued_at),
        )
    show(made)


async def _tell_log(
    hub: "Hub", viewer: "User | None", run_id: int, *, follow: bool, as_json: bool
) -> int:
    from bascule.mirror.runs.execution import logs_of, run_of
    from bascule.mirror.schemas import LogLine, RunAnswer
    from bascule.mirror.tables import OVER

    told: list[LogLine] = []
    while True:
        async with hub.db.session() as session:
            # First the run, then its lines: what it said last is there once it has ended.
            run = RunAnswer.model_validate(await run_of(session, run_id, viewer))
            after = told[-1].id if told else 0
            lines = [LogLine.model_validate(line) for line in await logs_of(session, run_id, after)]
        told += lines
        for line in lines if not as_json else []:
            out.print(f"[dim]{line.at:%H:%M:%S}[/] {_levelled(line)}")
        if run.outcome in OVER or not (follow or lines):
            break
        if not lines:
            await asyncio.sleep(FOLLOW)
    if as_json:
        answer: dict[str, Any] = {"run": run.model_dump(mode="json")}
        document(answer | {"lines": [line.model_dump(mode="json") for line in told]})
    elif run.error:
        err.print(f"[red]✗[/] {escape(run.error)}\n  → {escape(run.next_step or '')}")
    return Exit.FAILED if run.outcome in ("failed", "cancelled") and follow else Exit.DONE


def _levelled(line: "LogLine") -> str:
    colour = {"warning": "yellow", "error": "red"}.get(line.level)
    return f"[{colour}]{escape(line.message)}[/]" if colour else escape(line.message)
