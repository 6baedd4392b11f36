"""The same rows here as on the site: at first, after changes, and after a person meddled."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

MOMENT = re.compile(r"\d{4}-\d\d-\d\d ")


def moments(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [
        tuple(
            datetime.fromisoformat(v) if isinstance(v, str) and MOMENT.match(v) else v for v in row
        )
        for row in rows
    ]


async def test_a_full_pull_brings_every_document_as_the_site_has_it(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    runs = await mirror.sync("inventory", "customers", "suppliers")
    assert {run.outcome for run in runs} == {"done"}, [run.error for run in runs]
    for doctype, table, text in (
        ("Item", "item", "item_name"),
        ("Customer", "customer", "customer_name"),
        ("Supplier", "supplier", "supplier_name"),
        ("Contact", "contact", "first_name"),
    ):
        there = moments(await mirror.site_rows(doctype, "name", text, "modified"))
        assert await mirror.rows(table, "name", text, "modified") == there
        assert there


async def test_an_order_outside_the_look_back_stays_away_and_children_come_along(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(lookback_days=60)
    [run] = await mirror.sync("orders")
    assert run.outcome == "done", run.error
    orders = await mirror.rows("sales_order", "name", "transaction_date")
    assert orders
    assert (datetime.now().date() - min(day for _, day in orders)).days <= 61
    parents = {parent for (parent,) in await mirror.rows("sales_order_item", "parent")}
    assert parents == {name for name, _ in orders}


async def test_changes_arrive_and_what_did_not_change_is_not_written(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("suppliers")
    before = dict(await mirror.rows("supplier", "name", "xmin"))
    names = sorted(before)
    await mirror.ask(
        "PUT", f"/api/resource/Supplier/{names[0]}", {"website": "https://new.example"}
    )
    made = await mirror.ask(
        "POST",
        "/api/resource/Supplier",
        {"supplier_name": 'New "Ünï" & Co 🚲'},
    )
    [run] = await mirror.sync("suppliers")
    assert run.outcome == "done", run.error
    assert run.rows_changed == 2
    after = dict(await mirror.rows("supplier", "name", "xmin"))
    assert after.keys() == before.keys() | {made["data"]["name"]}
    assert [name for name in before if before[name] != after[name]] == [names[0]]
    websites = dict(await mirror.rows("supplier", "name", "website"))
    assert websites[names[0]] == "https://new.example"


async def test_deleted_and_renamed_documents_leave_the_mirror(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    for name in ("Gone Soon", "Old Name", "Renamed And Gone"):
        await mirror.ask("POST", "/api/resource/Supplier", {"supplier_name": name})
    await mirror.sync("suppliers")
    await mirror.ask("DELETE", "/api/resource/Supplier/Gone Soon")
    await rename(mirror, "Old Name", "New Name")
    [run] = await mirror.sync("suppliers")
    assert run.outcome == "done", run.error
    assert await mirror.rows("supplier", "name", "modified") == moments(
        await mirror.site_rows("Supplier", "name", "modified")
    )
    # Deleted Document knows it by a name that was never here.
    await rename(mirror, "Renamed And Gone", "Nobody Saw This Name")
    await mirror.ask("DELETE", "/api/resource/Supplier/Nobody Saw This Name")
    [run] = await mirror.sync("suppliers")
    assert run.outcome == "done", run.error
    assert await mirror.rows("supplier", "name", "modified") == moments(
        await mirror.site_rows("Supplier", "name", "modified")
    )


async def rename(mirror: Any, old: str, new: str) -> None:
    asked = {"doctype": "Supplier", "old_name": old, "new_name": new}
    await mirror.ask("POST", "/api/method/frappe.client.rename_doc", asked)


async def test_a_verify_finds_what_was_tampered_with_and_a_repair_mends_it(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("suppliers", "Contact")
    # Oldest first: the newest are asked for again at each pull.
    names = [name for _, name in await mirror.rows("supplier", "modified", "name")]
    await mirror.execute(
        f"""
        DELETE FROM mirror.supplier WHERE name = '{names[1].replace("'", "''")}';
        UPDATE mirror.supplier SET modified = '2001-01-01'
         WHERE name = '{names[2].replace("'", "''")}';
        INSERT INTO mirror.supplier (name, modified) VALUES ('Nobody', '2020-01-01');
        DELETE FROM mirror.contact_email WHERE name = (SELECT min(name) FROM mirror.contact_email)
        """
    )
    suppliers, contacts = await mirror.sync("Supplier", "Contact", kind="verify")
    found = suppliers.report
    assert (found["equal"], found["missing"], found["stale"], found["extra"]) == (False, 1, 1, 1)
    assert found["examples"]["extra"] == ["Nobody"]
    assert (contacts.report["equal"], contacts.report["children"]) == (False, 1)
    repaired = await mirror.sync("Supplier", "Contact", kind="repair")
    assert all(run.report["repaired"] for run in repaired)
    again = await mirror.sync("Supplier", "Contact", kind="verify")
    assert all(run.report["equal"] for run in again), [run.report for run in again]


async def test_a_reader_gets_what_it_may_read_and_the_rest_is_left_off(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(user="readonly")
    assert "Item Price" in mirror.connection.left_off
    runs = await mirror.sync()
    assert {run.outcome for run in runs} == {"done"}
    assert await mirror.rows("item", "name") == await mirror.site_rows("Item", "name")


async def test_credentials_revoked_meanwhile_are_told_and_forgiven_once_mended(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("suppliers")
    mirror.site.faults.add("revoked")
    [run] = await mirror.sync("suppliers")
    assert run.outcome == "failed"
    assert run.next_step
    mirror.site.faults.clear()
    [run] = await mirror.sync("suppliers")
    assert run.outcome == "done", run.error
