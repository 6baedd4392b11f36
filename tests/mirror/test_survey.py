"""Many streams synced at once: one look at all of them, and a sync of those that it is about."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bascule.mirror.pull.survey import survey
from bascule.mirror.runs.execution import carry_out
from bascule.mirror.runs.start import start_runs
from bascule.mirror.schema.table_schemas import LAID_OVER, forget_table_schemas, table_schema_for
from bascule.mirror.streams.settings import add_streams, find_stream
from bascule.mirror.tables import Stream
from bascule.sites.pool import pool_of
from tests.kit.waiting import until_async

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


def later(one: datetime | None, other: datetime | None) -> bool:
    assert one is not None and other is not None
    return one > other


async def stream_of(mirror: Any, name: str) -> Stream:
    async with mirror.hub.db.session() as session:
        return await find_stream(session, mirror.connection, name)


async def change(mirror: Any, statement: str, *values: object) -> None:
    """Another app's SQL, which leaves the time of change alone."""
    await mirror.ask("POST", "/sandbox/sql", {"sql": statement, "values": list(values)})


async def test_where_nothing_changed_a_request_a_stream_tells_and_what_did_is_found(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await synced(mirrored)
    assert await apart(mirror) == []  # this look also keeps the definitions
    before = {name: await stream_of(mirror, name) for name in NAMES}
    for name in NAMES:
        forget_table_schemas(mirror.connection.id, name)  # as in another process
    rule = mirror.site.faults.add("latency", seconds=0.0, times=MANY, path="/api")
    assert await apart(mirror) == []
    # The lines of that many orders are asked for by themselves.
    assert MANY - rule.times == len(NAMES) + 1 + len(("DocType", *LAID_OVER))
    for name in NAMES:
        stream = await stream_of(mirror, name)
        assert (stream.compared_by, stream.last_error) == ("checksum", None)
        assert stream.last_success_at == stream.compared_at
        assert later(stream.compared_at, before[name].compared_at)
        assert stream.rows == before[name].rows

    [(brand,)] = (await mirror.rows("brand", "name"))[:1]
    await change(mirror, "UPDATE `tabBrand` SET description = 'Other' WHERE name = ?", brand)
    assert await apart(mirror) == ["Brand"]
    assert await mirror.rows("brand", "description", where=f"name = '{brand}'") == [("Other",)]

    [(line,)] = (await mirror.rows("sales_order_item", "name"))[:1]
    await change(mirror, "UPDATE `tabSales Order Item` SET qty = 77 WHERE name = ?", line)
    assert await apart(mirror) == ["Sales Order"]
    assert await mirror.rows("sales_order_item", "qty", where=f"name = '{line}'") == [(77,)]

    for table, parent in (("Customer Credit Limit", "Customer"), ("Item Default", "Brand")):
        [other] = (await mirror.ask("GET", f"/api/resource/{parent}?limit_page_length=1"))["data"]
        values = ("unseen", other["name"], parent, "somewhere", 1)
        columns = "name, parent, parenttype, parentfield, idx"
        await change(
            mirror, f"INSERT INTO `tab{table}` ({columns}) VALUES (?, ?, ?, ?, ?)", *values
        )
        assert await apart(mirror) == [parent]
        await change(mirror, f"UPDATE `tab{table}` SET idx = 2 WHERE name = 'unseen'")
        assert await apart(mirror) == [parent]
        await change(mirror, f"DELETE FROM `tab{table}` WHERE name = 'unseen'")
        assert await apart(mirror) == [parent]

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

    await until_async(under_way)
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


async def asked_by_the_clock(mirror: Any) -> int:
    """Requests of a sync that the clock begins and that finds nothing, some time after the last."""
    await age(mirror, "looked_at", minutes=20)
    rule = mirror.site.faults.add("latency", seconds=0.0, times=MANY, path="/api")
    said = await mirror.sync_together(*NAMES, trigger="schedule")
    assert set(said.values()) == {"together"}
    return MANY - int(rule.times)


async def age(mirror: Any, name: str, *, minutes: int) -> None:
    """So many minutes go by for what the cursors say of a look."""
    at = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    aged = f"UPDATE bascule.streams SET cursor = cursor || jsonb_build_object('{name}', '{at}')"
    await mirror.execute(aged)


# The lines of that many orders are not asked for with them.
LARGE = "Sales Order"


async def test_by_the_clock_large_child_tables_and_definitions_are_looked_at_in_turns(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await synced(mirrored)
    assert await apart(mirror) == []
    before = {name: await stream_of(mirror, name) for name in NAMES}
    assert await asked_by_the_clock(mirror) == len(NAMES)  # neither these nor definitions
    for name in NAMES:
        now = await stream_of(mirror, name)
        assert later(now.last_success_at, before[name].last_success_at)
        assert later(now.compared_at, before[name].compared_at) == (name != LARGE), name

    [(line,)] = (await mirror.rows("sales_order_item", "name"))[:1]
    await change(mirror, "UPDATE `tabSales Order Item` SET qty = 77 WHERE name = ?", line)
    assert await asked_by_the_clock(mirror) == len(NAMES)
    await age(mirror, "looked_at", minutes=20)
    await age(mirror, "family_at", minutes=91)
    said = await mirror.sync_together(*NAMES, trigger="schedule")
    assert [name for name, how in said.items() if how == "apart"] == ["Sales Order"]
    assert await mirror.rows("sales_order_item", "qty", where=f"name = '{line}'") == [(77,)]

    field = {"dt": "Supplier", "fieldname": "colour", "fieldtype": "Data", "label": "Colour"}
    await mirror.ask("POST", "/api/resource/Custom Field", field, user=mirror.site.users["admin"])
    assert await asked_by_the_clock(mirror) == len(NAMES)
    await mirror.execute("UPDATE bascule.definitions SET looked_at = now() - interval '1 hour'")
    await age(mirror, "looked_at", minutes=20)
    said = await mirror.sync_together(*NAMES, trigger="schedule")
    assert [name for name, how in said.items() if how == "apart"] == ["Supplier"]
    assert await mirror.rows("supplier", "colour", where="colour IS NOT NULL") == []


async def test_each_stream_has_a_turn_within_ninety_minutes(mirrored: Callable[..., Any]) -> None:
    mirror = await synced(mirrored)
    assert await apart(mirror) == []
    await age(mirror, "looked_at", minutes=20)
    await age(mirror, "family_at", minutes=20)
    before = {name: (await stream_of(mirror, name)).cursor["family_at"] for name in NAMES}
    turns = {int(datetime.now(UTC).timestamp() // 900) % 6}
    await mirror.sync_together(*NAMES, trigger="schedule")
    turns |= {int(datetime.now(UTC).timestamp() // 900) % 6}  # two where the quarter just ended
    looked = {}
    for name in NAMES:
        now = await stream_of(mirror, name)
        looked[name] = now.cursor["family_at"] != before[name]
        if name == LARGE:
            assert not looked[name] or now.id % 6 in turns
            assert len(turns) > 1 or looked[name] == (now.id % 6 in turns)
    assert all(looked[name] for name in NAMES if name != LARGE)


async def test_sites_of_one_version_share_what_their_doctypes_are_made_of(
    mirrored: Callable[..., Any],
) -> None:
    one, other = await mirrored(), await mirrored()
    found = []
    for mirror in (one, other):
        async with pool_of(mirror.hub).lease(mirror.connection) as site:
            found.append(await table_schema_for(site, mirror.connection.id, "Customer", [], {}))
    assert one.connection.id != other.connection.id
    assert found[0] is found[1]
