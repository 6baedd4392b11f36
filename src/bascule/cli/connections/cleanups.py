"""`cleanups`: what deleted connections have left on their sites."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from bascule.cli.exit_codes import Exit, verb
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.terminal import AsJson, ago, document, escape, out, show, table

app = typer.Typer(help="What deleted connections left on their sites: list, try now, give up.")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As 'bascule cleanups' shows it.")]


@app.callback(invoke_without_command=True)
@verb("data.read", group="cleanups")
async def list_cleanups(context: typer.Context, as_json: AsJson = False) -> int:
    """What deleted connections left on their sites. Without a command: what is still there.

    The hub tries by itself for a week.
    """
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.connections.deletion.schemas import CleanupAnswer
    from bascule.sites.cleanup import cleanups
    from bascule.sites.cleanup.api import Cleanups

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        found = await cleanups.list_cleanups(session, viewer)
        told = Cleanups(cleanups=[CleanupAnswer.of(one) for one in found])
    if as_json:
        document(told.model_dump(mode="json"))
        return Exit.DONE
    if not told.cleanups:
        out.print("Nothing is left on a site.")
        return Exit.DONE
    made = table("Number", "Connection", "Still there", "Next try", "Until", "Failed of")
    for one in told.cleanups:
        made.add_row(
            str(one.id),
            escape(one.name),
            escape(", ".join(one.remains)),
            _when(one.next_try_at),
            f"{one.until:%F}",
            escape(one.error or ""),
        )
    show(made)
    return Exit.DONE


def _when(next_try_at: datetime | None) -> str:
    if next_try_at is None:
        return "ended"
    return ago(next_try_at) if next_try_at > datetime.now(UTC) else "within minutes"


@app.command()
@verb("connections.edit", group="cleanups")
async def retry(number: Number, as_json: AsJson = False) -> int:
    """Try it at once. Exits with 3 when the site does not let go of it."""
    from bascule.connections.deletion.schemas import CleanupAnswer
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load
    from bascule.sites.cleanup.api import TriedCleanup
    from bascule.sites.cleanup.cleanups import try_now

    load(JOB_MODULES)  # with them come those who remove
    async with acting_hub() as (hub, by):
        tried = await try_now(hub, number, by=by)
    rest = CleanupAnswer.of(tried.cleanup) if tried.cleanup else None
    if as_json:
        told = TriedCleanup(removed=tried.names, left=tried.kept, cleanup=rest)
        document(told.model_dump(mode="json"))
    else:
        out.print(f"{len(tried.names)} documents removed from the site")
        for line in tried.kept:
            out.print(f"Left on the site: {escape(line)}")
        if rest is not None:
            out.print(f"Still there: {escape(', '.join(rest.remains))}. {escape(rest.error or '')}")
            out.print(f"  → {escape(rest.next_step or '')}")
    return Exit.DONE if rest is None else Exit.SITE


@app.command("give-up")
@verb("connections.edit", group="cleanups")
async def end(
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Forget it with its credentials; what is on the site stays there."""
    from bascule.connections.deletion.schemas import CleanupAnswer
    from bascule.sites.cleanup.cleanups import give_up

    async with acting_hub() as (hub, by):
        confirm(f"Leave on the site what clean-up {number} is about", yes=yes)
        gone = CleanupAnswer.of(await give_up(hub, number, by=by))
    if as_json:
        document(gone.model_dump(mode="json"))
    else:
        left = escape(", ".join(gone.remains))
        out.print(f"Given up; left on the site of {escape(gone.name)}: {left}")
    return Exit.DONE
