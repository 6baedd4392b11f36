"""`demo`: a site, a database and the hub on this machine, without one word of setup.

The sandbox site and the folder are `site`'s, what is shown `report`'s; the hub is the real one.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.serve import listening, log_to_stderr, one_step, stopping, until_stopped, working
from bascule.cli.terminal import AsJson, document, err, escape, out

if TYPE_CHECKING:
    from bascule.cli.demo.site import Site
    from bascule.cli.runs.display import Seen
    from bascule.connections.tables import Connection
    from bascule.hub import Hub

SLUG = "demo"
COMPANY = "De Spaak Rijwielen"
ROUND = 5.0  # seconds between two looks at the site, so that a change is seen to arrive
LOOKBACK_DAYS = 400  # the company's whole life, and not the last season only


async def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop when everything is here and shown.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget the data of earlier demos first.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """See it work: a sandbox ERPNext, mirrored into an embedded PostgreSQL, kept in step.

    Needs no site, no database and no setup, and touches none that you have: it lives in a data
    folder of its own, with -demo at the end of its name. The sandbox's company is made anew for
    today at every start, and the mirror follows. Ctrl-C stops everything.
    """
    from bascule.cli.demo.site import demo_settings, only_demo
    from bascule.settings import get_settings
    from bascule.store.data_dir import private_files

    settings = demo_settings(get_settings())
    log_to_stderr(settings.log_level if settings.log_level == "DEBUG" else "WARNING")
    with stopping() as stop, private_files(), only_demo(settings.data_dir, reset=reset):
        shown = asyncio.create_task(_demo(settings, stop, once=once, as_json=as_json))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({shown, stopped}, return_when="FIRST_COMPLETED")
        stopped.cancel()
        if not shown.done():
            err.print("Stopping.", style="dim")
            shown.cancel()
        try:
            await shown
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
    return Exit.DONE


async def _demo(settings: Any, stop: asyncio.Event, *, once: bool, as_json: bool) -> None:
    from bascule.cli.demo.site import Memory, after, running_site

    folder = settings.data_dir
    memory = Memory.of(folder)
    async with AsyncExitStack() as running:
        one_step("Starting PostgreSQL, an ERPNext sandbox and the hub ...")
        site_start = asyncio.create_task(
            running.enter_async_context(running_site(memory.site_port))
        )
        await asyncio.sleep(0)  # its process starts, and makes the company while we go on
        try:
            import bascule.app  # noqa: F401 - which takes most of a second
            from bascule.cli.demo.admin import the_admin
            from bascule.cli.demo.report import arrived, tell_arrived, tell_ways, ways_in
            from bascule.cli.runs.progress import watch
            from bascule.hub import open_hub
            from bascule.store.start_steps import steps_told

            with steps_told(one_step):
                hub = await running.enter_async_context(open_hub(settings))
        finally:
            one_step("Waiting for the sandbox ...")
            site = await site_start
        connection, run_ids = await _connect(hub, site)
        worker = await running.enter_async_context(working(hub))
        api = await running.enter_async_context(listening(hub, *after(settings.port)))
        admin = await the_admin(hub, api, memory, folder)
        memory.token, memory.site_port = admin.token, int(site.url.rsplit(":", 1)[1])
        memory.keep(folder)

        seen = await watch(hub, run_ids, worker=worker, quiet=as_json)
        _all_done(seen)
        what = await arrived(hub, SLUG, _today(connection))
        item = str(what.reorder[0]["item_code"]) if what.reorder else ""
        ways = ways_in(hub, api, admin.token, site, item)
        if as_json:
            document(
                {
                    **asdict(what),
                    "runs": [one.as_json() for one in seen],
                    "api": {"url": api, "token": admin.token},
                    "sign_in": {
                        "url": f"{api}/",
                        "username": admin.username,
                        "password": admin.password,
                        "welcome": admin.welcome,
                    },
                    "site": asdict(site),
                    "data_dir": str(folder),
                    "lines": ways,
                }
            )
        else:
            tell_arrived(what)
            tell_ways(ways, api, site, admin)
        if once:
            return
        out.print(f"It looks at the site every {ROUND:.0f} s; Ctrl-C stops everything.")
        keeping = asyncio.create_task(_keep_in_step(hub, connection))
        try:
            await until_stopped(stop, worker)
        finally:
            keeping.cancel()


def _all_done(seen: "list[Seen]") -> None:
    for one in seen:
        if one.run.outcome == "failed":
            raise Refused(
                f"{one.doctype} could not be pulled: {one.run.error}",
                next_step=one.run.next_step or "Try 'bascule demo --reset'.",
                code=Exit.FAILED,
            )


def _today(connection: "Connection") -> date:
    return datetime.now(ZoneInfo(connection.time_zone or "UTC")).date()


async def _connect(hub: "Hub", site: "Site") -> "tuple[Connection, list[int]]":
    """The one connection, to wherever the sandbox is this time.

    Its company was made anew and may stand on another day than last time, so what is here is gone
    over from the start: that is as quick as the first pull, and leaves nothing old behind.
    """
    from bascule.connections.queries import NoSuchConnection, find_connection
    from bascule.mirror.runs.start import start_runs
    from bascule.mirror.setup import change, set_up
    from bascule.sites.fields import NewConnection

    try:
        async with hub.db.session() as session:
            found = await find_connection(session, SLUG, None)
            session.expunge_all()
    except NoSuchConnection:
        new = NewConnection(
            name=COMPANY,
            slug=SLUG,
            schedule="manual",
            lookback_days=LOOKBACK_DAYS,
            api_url=site.url,
            api_key=site.api_key,
            api_secret=site.api_secret,
        )
        connection, _, run_ids = await set_up(hub, new, by=None, trigger="cli")
        return connection, run_ids
    way_in = {"api_url": site.url, "api_key": site.api_key, "api_secret": site.api_secret}
    connection = await change(hub, found, way_in, by=None)
    return connection, await start_runs(hub, connection, kind="full", trigger="cli")


async def _keep_in_step(hub: "Hub", connection: "Connection") -> None:
    """Round after round until it is cancelled: a line for each stream where something changed."""
    from bascule.cli.runs.progress import ended
    from bascule.mirror.runs.start import start_runs

    while True:
        await asyncio.sleep(ROUND)
        began = datetime.now(UTC)
        run_ids = await start_runs(hub, connection, kind="sync", trigger="demo")
        for one in await ended(hub, run_ids):
            if one.run.outcome == "failed":
                err.print(f"[red]✗[/] {escape(one.doctype)}: {escape(one.run.error or '')}")
            elif one.run.rows_changed or one.run.rows_deleted:
                names = ", ".join(await _names(hub, one.run.stream_id, began))
                out.print(
                    f"[dim]{datetime.now():%H:%M:%S}[/] {escape(one.doctype)}:"
                    f" {one.run.rows_changed:,} rows changed, {one.run.rows_deleted:,} deleted"
                    f"  {escape(names)}"
                )


async def _names(hub: "Hub", stream_id: int, since: datetime) -> list[str]:
    """Some of the documents of a stream that were written here since then."""
    from psycopg.sql import SQL, Identifier

    async with hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT table_name FROM bascule.streams WHERE id = %s", [stream_id]
        )
        row = await found.fetchone()
        if row is None:
            return []
        query = SQL(
            "SELECT name FROM {} WHERE greatest(_synced_at, _deleted_at) >= %s"
            " ORDER BY _synced_at DESC LIMIT 3"
        ).format(Identifier(SLUG, str(row[0])))
        found = await conn.execute(query, [since])
        return [str(name) for (name,) in await found.fetchall()]
