"""Deliveries that are committed at the same time as others."""

import asyncio
import hashlib
import json
from uuid import UUID

from bascule.hub import Hub
from bascule.inbox.frappe.payload import read
from bascule.inbox.ingest import IncomingDelivery, ingest_buffer
from bascule.inbox.sources import Arrival
from tests.inbox.conftest import connected


def given(connection: UUID, number: int) -> IncomingDelivery:
    body = json.dumps({"doctype": "Customer", "name": f"No. {number}", "modified": "1"}).encode()
    return IncomingDelivery(
        connection, "erpnext", Arrival("customers", {}, {}, body), read(body, "customers")
    )


async def test_the_same_deliveries_in_another_order_at_the_same_time_are_each_kept_once(
    hub: Hub,
) -> None:
    """Each of two commits waits then for what the other has, and PostgreSQL ends one of them."""
    connection = await connected(hub)
    some = [given(connection, number) for number in range(5)]
    keep = ingest_buffer(hub).keep
    async with hub.db.connection() as conn:
        # Both wait for this one, each with two that the other will want.
        await conn.execute(
            "INSERT INTO bascule.deliveries (connection_id, source, address, event, digest, state)"
            " VALUES (%s, 'erpnext', 'customers', '', %s, 'kept')",
            [connection, hashlib.sha256(some[2].arrival.body).digest()],
        )
        there = [asyncio.ensure_future(keep(one)) for one in some]
        await asyncio.sleep(0.2)
        back = [asyncio.ensure_future(keep(one)) for one in reversed(some)]
        await asyncio.sleep(0.2)
        await conn.rollback()
    assert await asyncio.gather(*there, *back) == [True] * 10
    async with hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT subject FROM bascule.deliveries WHERE connection_id = %s ORDER BY subject",
            [connection],
        )
        assert await found.fetchall() == [(f"No. {number}",) for number in range(5)]
