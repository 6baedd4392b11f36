"""`cancel`: ends runs that wait or go."""

from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.identity import acted_on, acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.terminal import AsJson, document, out

if TYPE_CHECKING:
    from bascule.mirror.tables import Run

COMPARES = ("verify", "repair")


async def cancel(
    run: Annotated[
        int | None, typer.Argument(metavar="[RUN]", help="A run's number; 'bascule logs' has them.")
    ] = None,
    connection: Annotated[
        str | None, typer.Option(help="All runs of this connection that have not ended.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """End runs: those that wait at once, those that go within seconds.

    What is here stays, and the next sync goes on where this one was. Only a comparison that goes is
    lost, so that is asked about first.
    """
    from bascule.connections.queries import find_connection
    from bascule.mirror.runs.cancel import cancel_run, cancel_runs, not_ended
    from bascule.mirror.runs.execution import run_of
    from bascule.mirror.status.overview import with_doctypes

    if (run is None) == (connection is None):
        raise Refused(
            "Which runs? Neither a run nor a connection was named, or both were.",
            next_step="'bascule cancel 42', or 'bascule cancel --connection acme_trading'.",
            code=Exit.USAGE,
        )
    of = f"run {run}" if run is not None else ""
    async with acting_hub(of=of) as (hub, viewer):
        async with hub.db.session() as session:
            if run is not None:
                found = [await run_of(session, run, viewer)]
            else:
                its = await find_connection(session, str(connection), viewer)
                await acted_on(hub, its)
                found = await not_ended(session, its)
            session.expunge_all()
        _ask(found, yes=yes)
        if run is not None:
            cancelled = [await cancel_run(hub, found[0], by=viewer)]
        else:
            cancelled = await cancel_runs(hub, its, by=viewer)
        async with hub.db.session() as session:
            answers = await with_doctypes(session, cancelled)
    if as_json:
        document({"runs": [one.model_dump(mode="json") for one in answers]})
    for one in answers if not as_json else []:
        out.print(f"Cancelled run {one.id}, {one.doctype}.", markup=False)
    if not answers and not as_json:
        out.print("Nothing was under way.")
    return Exit.DONE


def _ask(runs: "list[Run]", *, yes: bool) -> None:
    lost = [one for one in runs if one.outcome == "running" and one.kind in COMPARES]
    if lost:
        many = "the comparison" if len(lost) == 1 else f"{len(lost)} comparisons"
        confirm(f"Cancel {many} that goes, of which what was compared is lost", yes=yes)
