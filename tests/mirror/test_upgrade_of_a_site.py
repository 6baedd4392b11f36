"""A site is upgraded from version 15 to 16 under a mirror of it."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

from bascule.mirror.streams.settings import add_streams
from bascule.sandbox import Sandbox
from bascule.sandbox.upgrade import upgraded
from tests.mirror.following import is_equal, log_of

NAMES = ("Task", "Shipment Parcel Template", "Payment Term", "Customer", "Sales Order")
FEW = ("Company", "Currency", "Country", "Payment Term", "Customer", "Sales Order")
STAMPS = {"owner": "Administrator", "modified_by": "Administrator", "docstatus": 0, "idx": 0}
STAMPS |= {"creation": "2026-01-02 09:00:00.000001", "modified": "2026-01-02 09:00:00.000001"}
PARCEL: dict[str, Any]
PARCEL = {"doctype": "Shipment Parcel Template", "name": "Box", "parcel_template_name": "Box"}
PARCEL |= {"length": 30, "width": 20, "height": 10, "weight": 1.5}
TASK: dict[str, Any]
TASK = {"doctype": "Task", "name": "TASK-2026-00001", "subject": "Paint it", "status": "Open"}
TASK |= {"exp_start_date": "2026-01-05", "exp_end_date": "2026-02-05", "lft": 1, "rgt": 2}
TYPES = """
    SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = %s AND a.attnum > 0 AND NOT a.attisdropped
"""


def _free_port() -> int:
    """One that the system gives nobody who asks for any, so that it is free a second time."""
    for port in range(20_000 + os.getpid() % 9_000, 32_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


async def _types(mirror: Any) -> dict[str, str]:
    return dict(await mirror.execute_rows(TYPES, mirror.connection.slug))


async def test_types_widen_no_further_than_they_have_to_and_what_changed_is_told_once(
    mirrored: Callable[..., Any], erpnext_snapshot: Any
) -> None:
    more = {str(one["doctype"]): [one | STAMPS] for one in (PARCEL, TASK)}
    documents = {name: erpnext_snapshot.documents[name][:20] for name in FEW} | more
    users = dict(erpnext_snapshot.users)
    users["hub"] = {**users["hub"], "roles": [*users["hub"]["roles"], "Projects User"]}
    before = replace(erpnext_snapshot, documents=documents, users=users)
    port = _free_port()
    async with Sandbox(before).serve(port=port) as site:
        mirror = await mirrored(site=site)
        await add_streams(mirror.hub, mirror.connection, list(NAMES))
        for run in await mirror.sync(*NAMES):
            assert run.outcome == "done", run.error
    tasks = await mirror.rows("task", "name", "exp_end_date")
    titles = await mirror.rows("sales_order", "name", "title")
    assert tasks == [("TASK-2026-00001", date(2026, 2, 5))]
    then = await _types(mirror)
    of_15 = (then["task.exp_end_date"], then["shipment_parcel_template.length"])
    assert of_15 == ("date", "bigint")

    async with Sandbox(upgraded(before)).serve(port=port) as site:
        mirror.site = site
        runs = await mirror.sync(*NAMES)
        assert [run.outcome for run in runs] == ["done"] * len(NAMES), [r.error for r in runs]
        now = await _types(mirror)
        changed = {name: now[name] for name in then if then[name] != now[name]}
        sizes = [f"shipment_parcel_template.{size}" for size in ("length", "width", "height")]
        days = ["task.exp_start_date", "task.exp_end_date"]
        moment = "timestamp without time zone"
        assert changed == dict.fromkeys(sizes, "numeric") | dict.fromkeys(days, moment)
        assert now.keys() - then.keys() >= {
            "sales_order.utm_source",
            "sales_order.transaction_time",
        }
        told = [line for run in runs for line in await log_of(mirror, run)]
        gone = ("Sales Order.title", "Customer.salutation")
        for words in (*(f"{name} became" for name in changed), *gone):
            assert len([line for line in told if words in line]) == 1, (words, told)
        moments = await mirror.rows("task", "name", "exp_end_date")
        assert [(name, day and day.date()) for name, day in moments] == tasks
        assert await mirror.rows("sales_order", "name", "title") == titles
        path = "/api/resource/Shipment Parcel Template/Box"
        await mirror.ask("PUT", path, {"length": 30.5, "width": 20, "height": 10})
        await is_equal(mirror, *NAMES)
        assert await mirror.rows(PARCEL["doctype"].lower().replace(" ", "_"), "length") == [(30.5,)]
        again = await mirror.sync(*NAMES)
        told = [line for run in again for line in await log_of(mirror, run)]
        assert not [line for line in told if any(w in line for w in ("became", *gone))], told
