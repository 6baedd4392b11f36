"""Each fault that the sandbox knows, in the middle of a full pull and then of an incremental one.

A kind that the sandbox learns later is tried by itself; `SAID` is what is known of some.
"""

import asyncio
import http.client
from collections.abc import Callable
from typing import Any

import pytest

from bascule.sandbox.faults import KINDS
from tests.mirror.following import is_equal, some_of_it_is_here, tells_how_it_ended, together

STREAMS = ("Supplier", "Customer")
# What a run says when the fault stays; None: it is done all the same.
SAID = {
    "latency": None,
    "slow_body": None,
    "late_commit": None,
    "clock_back": None,
    "rate_limited": "more requests than it allows",
    "server_error": "MySQL server has gone away",
    "truncated": "closed the connection",
    "bad_gateway": "down or overloaded",
    "maintenance": "down or overloaded",
    "dropped": "closed the connection",
    "lost_answer": "closed the connection",
    "revoked": "does not know this API key",
    "forbidden": "may not read",
    "bomb": "MB that the hub takes of one",
    "wrong_encoding": "the hub did not ask for",
    "more_rows_than_asked": "were asked for",
    "endless": "goes on",
}
# Those that make changes here read all of an answer, and unpack none.
OF_LISTS = {"bomb", "wrong_encoding"}
# These strike lists alone, so they find nothing where the last page is here already; what they do
# where they strike is also in tests/security.
MAY_MISS = OF_LISTS | {"more_rows_than_asked", "endless"}
HEALTH = {"revoked": "refused", "bad_gateway": "down", "maintenance": "down", "dropped": "down"}


@pytest.mark.heavy
@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_in_the_middle_of_a_pull_costs_no_row(
    mirrored: Callable[..., Any], kind: str
) -> None:
    mirror = await mirrored()
    faults = mirror.site.faults
    about = {"doctype": "Customer"} if kind == "forbidden" else {}
    if kind in OF_LISTS:
        about = {"path": "frappe.client.get_list"}
    seconds = 0.2 if kind in ("latency", "slow_body") else None

    async def strike(run_ids: list[int]) -> None:
        await some_of_it_is_here(mirror, run_ids[-1])
        faults.clear(slow)
        faults.add(kind, seconds=seconds, **about)

    slow = faults.add("latency", seconds=0.1, path="frappe.client.get")
    runs = await together(mirror, *STREAMS, meanwhile=strike)
    for run in runs:
        await tells_how_it_ended(mirror, run)
    struck = runs[-1]
    if kind in SAID and not (kind in MAY_MISS and struck.outcome == "done"):
        said = SAID[kind]
        assert struck.outcome == ("done" if said is None else "failed"), struck.error
        assert said is None or said in str(struck.error)
    if kind in HEALTH:
        assert await health_of(mirror) == HEALTH[kind]
    faults.clear()
    await is_equal(mirror, *STREAMS)
    assert await health_of(mirror) == "ok"

    await changes(mirror, "Before")
    faults.add(kind, seconds=seconds, times=2, **about)
    writing = asyncio.create_task(changes(mirror, "Meanwhile"))
    for run in await together(mirror, *STREAMS):
        await tells_how_it_ended(mirror, run)
    await writing
    faults.clear()
    await is_equal(mirror, *STREAMS)
    for doctype, table in (("Supplier", "supplier"), ("Customer", "customer")):
        assert await mirror.rows(table, "name") == await mirror.site_rows(doctype, "name")


async def changes(mirror: Any, when: str) -> None:
    """One document of each DocType made, changed, and deleted; the fault may strike these too."""
    for doctype, field in (("Supplier", "supplier_name"), ("Customer", "customer_name")):
        for number, method, path, body in (
            (1, "POST", "", {field: f"{when} made"}),
            (2, "PUT", f"/{await some_name(mirror, doctype.lower())}", {"website": f"{when}.nl"}),
            (3, "POST", "", {field: f"{when} gone"}),
            (4, "DELETE", f"/{when} gone", None),
        ):
            try:
                await mirror.ask(method, f"/api/resource/{doctype}{path}", body)
            except (OSError, http.client.HTTPException) as error:
                assert when == "Meanwhile", (number, error)


async def some_name(mirror: Any, table: str) -> str:
    return str((await mirror.rows(table, "name"))[3][0])


async def health_of(mirror: Any) -> str:
    async with mirror.hub.db.connection() as conn:
        found = await conn.execute("SELECT health FROM bascule.connections")
        return str((await found.fetchall())[0][0])
