"""Runs followed while they are under way, and what is true of a mirror once all is well again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bascule.mirror.runs.execution import carry_out, logs_of, run_of
from bascule.mirror.runs.start import start_runs
from bascule.mirror.tables import Run
from tests.kit.waiting import until_async


async def look(mirror: Any, run_id: int) -> Run:
    async with mirror.hub.db.session() as session:
        return await run_of(session, run_id, None)


async def some_of_it_is_here(mirror: Any, run_id: int, pages: int = 1) -> None:
    """Waits until a run has committed a page, or has ended without."""

    async def begun() -> bool:
        run = await look(mirror, run_id)
        return run.pages >= pages or run.outcome in ("done", "failed")

    await until_async(begun, pause=0.01)


async def together(
    mirror: Any,
    *names: str,
    meanwhile: Callable[[list[int]], Awaitable[None]] | None = None,
    kind: str = "sync",
) -> list[Run]:
    """The streams' runs, all at once as a worker does them; `meanwhile` gets their ids."""
    ids = await start_runs(
        mirror.hub, mirror.connection, names=names or None, kind=kind, trigger="cli"
    )
    work = [asyncio.create_task(worked_off(mirror, run_id)) for run_id in ids]
    try:
        if meanwhile is not None:
            await meanwhile(ids)
    finally:
        await asyncio.gather(*work)
    return [await look(mirror, run_id) for run_id in ids]


async def worked_off(mirror: Any, run_id: int) -> None:
    """As a worker does it: a run may be put back, while another finds out whether its site answers
    again.
    """
    await carry_out(mirror.hub, run_id)
    while (await look(mirror, run_id)).outcome == "queued":
        await asyncio.sleep(0.2)
        await carry_out(mirror.hub, run_id)


async def tells_how_it_ended(mirror: Any, run: Run) -> None:
    """A run that is over says so, and one that failed says why and what to do."""
    assert run.finished_at
    assert run.seconds is not None
    if run.outcome == "done":
        assert run.error is None
        return
    assert (run.outcome, bool(run.error), bool(run.next_step)) == ("failed", True, True)
    said = str(run.error)
    assert "in the hub" not in said, said
    assert any(said in line for line in await log_of(mirror, run))


async def log_of(mirror: Any, run: Run) -> list[str]:
    async with mirror.hub.db.session() as session:
        return [line.message for line in await logs_of(session, run.id)]


async def is_equal(mirror: Any, *names: str) -> None:
    """One more sync, and then every document and child row is as on the site."""
    runs = await together(mirror, *names)
    assert {run.outcome for run in runs} == {"done"}, [run.error for run in runs]
    proofs = await together(mirror, *names, kind="verify")
    assert all(run.report.get("equal") for run in proofs), [run.report for run in proofs]
