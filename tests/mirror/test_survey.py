"""Many streams synced at once: one look at all of them, and a sync of those that it is about."""

import asyncio
from collections.abc import Callable
from typing import Any

from following import until

from bascule.connections.sites import pool_of
from bascule.mirror.runs import carry_out
from bascule.mirror.shapes import LAID_OVER, forget_shapes, shape_for
from bascule.mirror.starting import start_runs
from bascule.mirror.streams import add_streams, find_stream
from bascule.mirror.survey import survey
from bascule.mirror.tables import Stream

NAMES = ["Brand", "Customer", "Item Price", "Purchase Order", "Sales Order", "Supplier"]
MANY = 100_000


async def synced(mirrored: Callable[..., Any]) -> Any:
    mirror = await mirrored(lookback_days=3650)
    await add_streams(mirror.hub, mirror.connection, ["Brand"])
    assert set((await mirror.sync_together(*NAMES)).values()) == {"apart"}
    return mirror


async def apart(mirror: Any) -> list[str]:
    """Which streams were synced by themselves; the others were looked at together."""
    said = await mirror.sync_together(*NAMES)
    assert set(said.values()) <= {"apart", "together"}
    return [name for name, how in said.items() if how == "apart"]


async def stream_of(mirror: Any, name: str) -> Stream:
    async with mirror.hub.db.session() as session:
        return await find_stream(session, mirror.connection, name)


async def tables_of(mirror: Any) -> int:
    """The tables of all streams; one that several streams have counts for each."""
    found = 0
    async with pool_of(mirror.hub).lease(mirror.connection) as site:
        for name in NAMES:
            one = await stream_of(mirror, name)
            shape = await shape_for(site, one.connection_id, one.doctype, one.omit, one.rename)
            found += 1 + len(shape.children)
    return found


async def change(mirror: Any, statement: str, *values: object) -> None:
    """Another app's SQL, which leaves the time of change alone."""
    await mirror.ask("POST", "/sandbox/sql", {"sql": statement, "values": list(values)})


async def test_where_nothing_changed_a_request_a_table_tells_and_what_did_is_found(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await synced(mirrored)
    assert await apart(mirror) == []  # this look also keeps the definitions
    before = {name: await stream_of(mirror, name) for name in NAMES}
    for name in NAMES:
        forget_shapes(mirror.connection.id, name)  # as in another process
    rule = mirror.site.faults.add("latency", seconds=0.0, times=MANY, path="/api")
    assert await apart(mirror) == []
    assert MANY - rule.times == await tables_of(mirror) + len(("DocType", *LAID_OVER))
    for name in NAMES:
        stream = await stream_of(mirror, name)
        assert (stream.compared_by, stream.last_error) == ("checksum", None)
        assert stream.last_success_at == stream.compared_at > before[name].compared_at
        assert stream.rows == before[name].rows

    [(brand,)] = (await mirror.rows("brand", "name"))[:1]
    await change(mirror, "UPDATE `tabBrand` SET description = 'Other' WHERE name = ?", brand)
    assert await apart(mirror) == ["Brand"]
    assert await mirror.rows("brand", "description", where=f"name = '{brand}'") == [("Other",)]

    [(line,)] = (await mirror.rows("sales_order_item", "name"))[:1]
    await change(mirror, "UPDATE `tabSales Order Item` SET qty = 77 WHERE name = ?", line)
    assert await apart(mirror) == ["Sales Order"]
    assert await mirror.rows("sales_order_item", "qty", where=f"name = '{line}'") == [(77,)]

    field = {"dt": "Supplier", "fieldname": "colour", "fieldtype": "Data", "label": "Colour"}
    await mirror.ask("POST", "/api/resource/Custom Field", field, user=mirror.site.users["admin"])
    assert await apart(mirror) == ["Supplier"]
    assert await mirror.rows("supplier", "colour", where="colour IS NOT NULL") == []
    assert await apart(mirror) == []


async def begun(mirror: Any, *, trigger: str = "cli") -> tuple[list[int], Any, asyncio.Task[None]]:
    """A look that waits for the site's answer about one of its streams, until that is let go."""
    held = mirror.site.faults.add("latency", seconds=3_600.0, doctype="Brand")
    ids = await start_runs(mirror.hub, mirror.connection, names=NAMES, trigger=trigger)
    looking = asyncio.create_task(survey(mirror.hub, mirror.connection.id, ids))

    async def under_way() -> bool:
        return set((await outcomes(mirror, ids)).values()) == {"running"}

    await until(under_way)
    return ids, held, looking


async def outcomes(mirror: Any, ids: list[int]) -> dict[str, str]:
    found = {}
    for run_id in ids:
        run = await mirror.run(run_id)
        found[await mirror.doctype(run)] = run.outcome
    return found


async def test_a_look_gives_way_to_other_runs_is_taken_up_again_and_leaves_what_fails_to_runs(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await synced(mirrored)
    ids, held, looking = await begun(mirror)
    [told] = await start_runs(mirror.hub, mirror.connection, names=["Customer"], trigger="webhook")
    assert told not in ids  # what it is told of may have come after the look
    await carry_out(mirror.hub, told)
    held.seconds = 0.0
    await looking
    assert await outcomes(mirror, ids) == dict.fromkeys(NAMES, "done") | {"Customer": "queued"}
    assert (await mirror.run(told)).outcome == "done"
    for run_id in ids:
        await carry_out(mirror.hub, run_id)
    assert await outcomes(mirror, ids) == dict.fromkeys(NAMES, "done")

    ids, held, looking = await begun(mirror)
    looking.cancel()
    await asyncio.wait([looking])
    held.seconds = 0.0
    await survey(mirror.hub, mirror.connection.id, ids)
    assert await outcomes(mirror, ids) == dict.fromkeys(NAMES, "done")

    mirror.site.faults.add("revoked", path="/api")
    ids = await start_runs(mirror.hub, mirror.connection, names=NAMES, trigger="cli")
    await survey(mirror.hub, mirror.connection.id, ids)
    assert await outcomes(mirror, ids) == dict.fromkeys(NAMES, "queued")


async def test_a_document_that_comes_unstamped_into_an_empty_stream_is_found(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await synced(mirrored)
    assert await apart(mirror) == []
    [kept] = (await mirror.ask("GET", '/api/resource/Brand?limit_page_length=1&fields=["*"]'))[
        "data"
    ]
    await change(mirror, "DELETE FROM `tabBrand`")
    assert await apart(mirror) == ["Brand"]
    assert await apart(mirror) == []  # no document here, and none there
    columns = ", ".join(f"`{name}`" for name in kept)
    places = ", ".join("?" * len(kept))
    await change(mirror, f"INSERT INTO `tabBrand` ({columns}) VALUES ({places})", *kept.values())
    assert await apart(mirror) == ["Brand"]
    assert await mirror.rows("brand", "name", where="_deleted_at IS NULL") == [(kept["name"],)]
    assert await apart(mirror) == []
