"""What a site takes away in the middle of a pull, and gives back: a permission, the credentials."""

from collections.abc import Callable
from typing import Any

from bascule.connections.queries import find_connection
from bascule.mirror.setup import change
from bascule.mirror.streams.settings import find_stream
from tests.mirror.following import is_equal, some_of_it_is_here, tells_how_it_ended, together

STREAMS = ("Supplier", "Item", "Contact")


async def test_a_permission_lost_midway_stops_its_stream_and_no_other(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    slow = mirror.site.faults.add("latency", seconds=0.1)

    async def take_away(run_ids: list[int]) -> None:
        await some_of_it_is_here(mirror, run_ids[1])
        mirror.site.faults.add("forbidden", doctype="Item")
        mirror.site.faults.clear(slow)

    supplier, item, contact = await together(mirror, *STREAMS, meanwhile=take_away)
    assert (supplier.outcome, contact.outcome) == ("done", "done"), (supplier.error, contact.error)
    await tells_how_it_ended(mirror, item)
    assert item.outcome == "failed"
    assert item.pages > 0
    for words in ("may not read", "Item"):
        assert words in str(item.error)
    step = str(item.next_step)
    assert "role" in step
    assert "Stock User" in step or "Item Manager" in step, step
    async with mirror.hub.db.session() as session:
        stream = await find_stream(session, mirror.connection, "Item")
        assert (stream.last_error, stream.last_error_step) == (item.error, item.next_step)
        # It is about one DocType: the site itself is as well as before.
        assert (await find_connection(session, mirror.connection.id, None)).health == "ok"
    assert await mirror.rows("contact", "name") == await mirror.site_rows("Contact", "name")

    name = (await mirror.rows("supplier", "name"))[0][0]
    await mirror.ask("PUT", f"/api/resource/Supplier/{name}", {"website": "https://s.example"})
    supplier, item_again = await together(mirror, "Supplier", "Item")
    assert (supplier.outcome, item_again.outcome) == ("done", "failed")
    assert ("https://s.example",) in await mirror.rows("supplier", "website")

    mirror.site.faults.clear()
    [again] = await together(mirror, "Item")
    assert again.outcome == "done", again.error
    assert item.rows_read + again.rows_read == await rows_of_items(mirror)
    async with mirror.hub.db.session() as session:
        assert (await find_stream(session, mirror.connection, "Item")).last_error is None
    await is_equal(mirror, *STREAMS)


async def test_credentials_revoked_midway_are_told_and_new_ones_go_on(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    slow = mirror.site.faults.add("latency", seconds=0.5)
    user = mirror.site.users["hub"]

    async def generate_new_keys(run_ids: list[int]) -> None:
        await some_of_it_is_here(mirror, run_ids[0])
        user.api_secret = "anothersecret"
        mirror.site.faults.clear(slow)

    item, other = await together(mirror, "Item", "Contact", meanwhile=generate_new_keys)
    assert item.outcome == "failed"  # the other one may have been quicker
    assert item.pages > 0
    for run in (item, other):
        await tells_how_it_ended(mirror, run)
        if run.outcome == "failed":
            assert "API key" in str(run.error)
            assert "Generate new keys" in str(run.next_step)
    async with mirror.hub.db.session() as session:
        told = await find_connection(session, mirror.connection.id, None)
        assert (told.health, "API key" in str(told.health_detail)) == ("refused", True)
        session.expunge_all()
    mirror.connection = await change(mirror.hub, told, {"api_secret": user.api_secret}, by=None)
    assert mirror.connection.health == "ok"
    await is_equal(mirror, *STREAMS)


async def rows_of_items(mirror: Any) -> int:
    """The items that are here, and the rows of all their child tables."""
    async with mirror.hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = %s AND column_name = 'parenttype'",
            [mirror.connection.slug],
        )
        children = [name for (name,) in await found.fetchall()]
    rows = await mirror.rows("item", "name")
    for child in children:
        rows += await mirror.rows(child, "name", where="parenttype = 'Item'")
    return len(rows)
