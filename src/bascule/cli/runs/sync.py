"""`sync` and `verify`: starts the runs, works them off in this process and tells how they ended."""

from typing import Annotated, Any

import typer

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.identity import acted_on, acting_hub
from bascule.cli.terminal import AsJson, Quiet, document, escape, out

NamedConnection = Annotated[
    str | None,
    typer.Argument(metavar="[CONNECTION]", help="A connection's slug or id; all, if left out."),
]
Streams = Annotated[
    list[str] | None,
    typer.Option(
        "--stream", "-s", help="Only this DocType or preset; may be given more than once."
    ),
]

Debug = Annotated[
    bool,
    typer.Option("--debug", help="Write the SQL that the site runs into the logs of the runs."),
]


async def sync(
    connection: NamedConnection = None,
    full: Annotated[
        bool, typer.Option("--full", help="Fetch everything anew, not only what changed.")
    ] = False,
    stream: Streams = None,
    debug: Debug = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Bring the mirror up to date, with progress, and wait until it is.

    The first sync of a stream fetches everything; later ones what changed.
    """
    kind = "full" if full else "sync"
    seen = await _do(connection, stream, kind, debug=debug, as_json=as_json, quiet=quiet)
    failed = [one for one in seen if one.run.outcome != "done"]
    if as_json:
        document({"ok": not failed, "runs": [one.as_json() for one in seen]})
    elif not quiet or failed:
        from bascule.cli.runs.display import outcomes

        outcomes(seen)
        if debug:
            _where_the_sql_is(seen)
    return Exit.FAILED if failed else Exit.DONE


def _where_the_sql_is(seen: "list[Any]") -> None:
    for one in seen:
        out.print(f"  [dim]bascule logs {one.run.id}[/]  {escape(one.doctype)}")


async def verify(
    connection: NamedConnection = None,
    repair: Annotated[bool, typer.Option("--repair", help="Also mend what differs.")] = False,
    stream: Streams = None,
    debug: Debug = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Prove the mirror equal to the site, document by document, or list what differs.

    Exits with 0 when everything is equal (with --repair: is equal now), else with 1.
    """
    kind = "repair" if repair else "verify"
    seen = await _do(connection, stream, kind, debug=debug, as_json=as_json, quiet=quiet)
    answers = [{**one.as_json(), "equal": equal(one.run.report, one.run.outcome)} for one in seen]
    proven = all(answer["equal"] for answer in answers)
    documents = sum(one.run.report.get("checked", 0) for one in seen)
    if as_json:
        document({"equal": proven, "runs": answers})
    elif not quiet or not proven:
        from bascule.cli.runs.display import outcomes

        outcomes(seen)
        if debug:
            _where_the_sql_is(seen)
        for one in seen:
            _differences(one.doctype, one.run.report, repaired=repair)
        out.print(
            f"[green]The mirror is equal to the site: {documents:,} documents by value.[/]"
            if proven
            else "[red]The mirror is not equal to the site.[/]"
        )
        if not proven and not repair:
            out.print("  → 'bascule verify --repair' fetches what differs again.")
    return Exit.DONE if proven else Exit.FAILED


_MEANT = {
    "missing": "missing here",
    "extra": "only here",
    "stale": "stale",
    "changed": "with other values, though the time of change has not moved",
    "children": "with other child rows",
}


def equal(report: dict[str, Any], outcome: str) -> bool:
    return outcome == "done" and bool(report.get("equal") or report.get("repaired"))


def _differences(doctype: str, report: dict[str, Any], *, repaired: bool) -> None:
    for what, names in report.get("examples", {}).items():
        count = report[what]
        some = ", ".join(escape(str(name)) for name in names[:5])
        more = ", ..." if count > 5 else ""
        tail = " (repaired)" if repaired else ""
        out.print(f"  {escape(doctype)}: {count:,} {_MEANT[what]}{tail}: {some}{more}")
    for column, rows in report.get("columns", {}).items():
        out.print(f"    {escape(column)}: another value in {rows:,}")


async def _do(
    connection: str | None,
    streams: list[str] | None,
    kind: str,
    *,
    debug: bool,
    as_json: bool,
    quiet: bool,
) -> "list[Any]":
    from bascule.cli.runs.progress import work_off
    from bascule.connections.queries import connections_named
    from bascule.mirror.runs.start import start_runs

    async with acting_hub(of=", ".join(streams or [])) as (hub, viewer):
        async with hub.db.session() as session:
            found = await connections_named(session, connection, viewer)
            session.expunge_all()
        if not found:
            raise nothing_connected()
        if connection is not None:
            await acted_on(hub, found[0])
        run_ids = [
            run_id
            for one in found
            for run_id in await start_runs(
                hub, one, names=streams, kind=kind, trigger="cli", by=viewer, debug=debug
            )
        ]
        if not run_ids:
            raise Refused(
                "No stream is switched on, so there is nothing to do.",
                next_step="'bascule streams' lists them; 'bascule streams on' switches one on.",
            )
        return await work_off(hub, run_ids, quiet=quiet or as_json)


def nothing_connected() -> Refused:
    return Refused(
        "No ERPNext site is connected yet.",
        next_step="Connect one with 'bascule connect --url https://erp.yourcompany.com', "
        "or look around without one: 'bascule demo'.",
    )
