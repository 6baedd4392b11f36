"""What a user may not see: it is no value, it is told, and it comes when the right is given."""

from collections.abc import Callable
from typing import Any

from psycopg import sql

from bascule.data.documents import find_document
from bascule.data.documents_api import DocumentAnswer
from bascule.frappe import Site
from bascule.mirror.schema.table_schemas import forget_table_schemas
from bascule.mirror.schemas import StreamAnswer
from bascule.mirror.streams.settings import add_streams, find_stream
from bascule.sandbox.upgrade import upgraded
from bascule.sites.check import check_site
from bascule.sites.pool import pool_of
from tests.mirror.following import is_equal, log_of

ALL = dict.fromkeys(("read", "write", "create", "delete", "submit", "cancel", "report"), 1)


class Rights:
    """Somebody at work in the Role Permissions Manager and in Customize Form."""

    def __init__(self, mirror: Any) -> None:
        self._mirror = mirror

    async def _insert(self, doctype: str, **values: Any) -> str:
        admin = self._mirror.site.users["admin"]
        answer = await self._mirror.ask("POST", f"/api/resource/{doctype}", values, user=admin)
        return str(answer["data"]["name"])

    async def set(self, doctype: str, field: str, prop: str, value: int) -> Callable[[], Any]:
        name = await self._insert(
            "Property Setter",
            doctype_or_field="DocField",
            doc_type=doctype,
            field_name=field,
            property=prop,
            property_type="Int" if prop == "permlevel" else "Check",
            value=str(value),
        )
        return lambda: self.take("Property Setter", name)

    async def give(self, doctype: str, level: int = 0, **rights: int) -> str:
        return await self._insert(
            "Custom DocPerm", parent=doctype, role="System Manager", permlevel=level, **rights
        )

    async def take(self, doctype: str, name: str) -> None:
        admin = self._mirror.site.users["admin"]
        await self._mirror.ask("DELETE", f"/api/resource/{doctype}/{name}", user=admin)


async def warnings(mirror: Any, run: Any) -> list[str]:
    return [line for line in await log_of(mirror, run) if "Withheld" in line]


async def test_a_field_above_the_users_level_keeps_its_values_and_comes_back(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    rights = Rights(mirror)
    [first] = await mirror.sync("Supplier")
    assert await warnings(mirror, first) == []
    before = await mirror.rows("supplier", "name", "website")
    assert any(website for _, website in before)
    name = before[0][0]

    await rights.set("Supplier", "website", "permlevel", 1)
    await mirror.ask("PUT", f"/api/resource/Supplier/{name}", {"supplier_details": "new"})
    [run] = await mirror.sync("Supplier")
    assert run.outcome == "done", run.error
    told = await warnings(mirror, run)
    assert len(told) == 1
    assert "website (needs permission level 1 of Supplier" in told[0]
    assert await mirror.rows("supplier", "name", "website") == before
    assert ("new",) in await mirror.rows("supplier", "supplier_details")
    [full] = await mirror.sync("Supplier", kind="full")
    assert full.outcome == "done", full.error
    assert await mirror.rows("supplier", "name", "website") == before
    await is_equal(mirror, "Supplier")
    async with mirror.hub.db.session() as session:
        stream = await find_stream(session, mirror.connection, "Supplier")
        assert stream.proof.endswith("; withheld: website")
        [told_of] = StreamAnswer.model_validate(stream).withheld
        assert (told_of.doctype, told_of.field) == ("Supplier", "website")
        assert "permission level 1 of Supplier" in told_of.needs
    document = await find_document(mirror.hub, mirror.connection, "Supplier", name)
    assert DocumentAnswer.of(document, None).withheld == [told_of]

    admin = mirror.site.users["admin"]
    path = f"/api/resource/Supplier/{name}"
    await mirror.ask("PUT", path, {"website": "https://new.example"}, user=admin)
    await mirror.sync("Supplier")
    assert await mirror.rows("supplier", "name", "website") == before
    await rights.give("Supplier", **ALL)
    await rights.give("Supplier", 1, read=1)
    [back] = await mirror.sync("Supplier")
    assert back.outcome == "done", back.error
    there = await mirror.site_rows("Supplier", "name", "website")
    assert await mirror.rows("supplier", "name", "website") == there
    assert (name, "https://new.example") in there


async def test_a_field_of_a_level_in_a_child_is_had_through_its_parents(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    rights = Rights(mirror)
    await rights.set("Sales Order Item", "rate", "permlevel", 2)
    two = await rights.give("Sales Order", 2, read=1)
    [run] = await mirror.sync("Sales Order")
    assert run.outcome == "done", run.error
    assert await warnings(mirror, run) == []
    rates = await mirror.rows("sales_order_item", "name", "rate")
    assert rates
    assert all(rate is not None for _, rate in rates)
    order = (await mirror.rows("sales_order", "name", where="docstatus = 0"))[0][0]
    shown = (await mirror.ask("GET", f"/api/resource/Sales Order/{order}"))["data"]
    rate_of = {row["name"]: row["rate"] for row in shown["items"]}
    here = await mirror.rows("sales_order_item", "name", "rate", where=f"parent = '{order}'")
    assert {name: float(rate) for name, rate in here} == rate_of
    await is_equal(mirror, "Sales Order")

    await rights.take("Custom DocPerm", two)
    [run] = await mirror.sync("Sales Order", kind="full")
    assert run.outcome == "done", run.error
    assert (
        "Sales Order Item: rate (needs permission level 2 of Sales Order"
        in (await warnings(mirror, run))[0]
    )
    assert await mirror.rows("sales_order_item", "name", "rate") == rates
    await is_equal(mirror, "Sales Order")


async def test_a_role_that_the_user_loses_is_noticed_where_nothing_changed(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    rights = Rights(mirror)
    await rights.set("Supplier", "website", "permlevel", 1)
    await rights.set("Brand", "description", "permlevel", 1)
    names = ("Supplier", "Brand")  # the one with rows in child tables, the other without
    await add_streams(mirror.hub, mirror.connection, ["Brand"])
    for doctype in names:
        await rights.give(doctype, **ALL)
        await mirror.ask(
            "POST",
            "/api/resource/Custom DocPerm",
            {"parent": doctype, "role": "Sales Manager", "permlevel": 1, "read": 1},
            user=mirror.site.users["admin"],
        )
    roles = mirror.site.site.permissions.roles(mirror.site.users["hub"].name)
    roles.add("Sales Manager")
    await mirror.sync_together(*names)
    for _ in range(2):
        said = await mirror.sync_together(*names)
    assert said == dict.fromkeys(names, "together")
    roles.remove("Sales Manager")
    assert await mirror.sync_together(*names) == dict.fromkeys(names, "apart")
    async with mirror.hub.db.session() as session:
        withheld = {
            name: (await find_stream(session, mirror.connection, name)).cursor["withheld"]
            for name in names
        }
    assert [list(withheld[name][name]) for name in names] == [["website"], ["description"]]


async def test_who_may_only_select_overwrites_nothing_and_goes_on_once_he_may_read(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    rights = Rights(mirror)
    await mirror.sync("Customer")
    fields = ("name", "modified", "customer_name", "customer_group", "website")
    before = await mirror.rows("customer", *fields)
    select = await rights.give("Customer", select=1, read=0)
    path = f"/api/resource/Customer/{before[0][0]}"
    admin = mirror.site.users["admin"]
    await mirror.ask("PUT", path, {"website": "https://seen.later"}, user=admin)
    for kind in ("sync", "full", "verify"):
        [run] = await mirror.sync("Customer", kind=kind)
        assert run.outcome == "failed"
        assert "may not read Customer" in run.error
        assert "role" in run.next_step
        assert await mirror.rows("customer", *fields) == before
    await rights.take("Custom DocPerm", select)
    await is_equal(mirror, "Customer")
    after = await mirror.rows("customer", *fields)
    assert [row[0] for row in after] == [row[0] for row in before]
    assert after[0][-1] == "https://seen.later"
    assert after[1:] == before[1:]


async def test_a_masked_field_is_withheld_and_no_mask_is_ever_a_value(
    mirrored: Callable[..., Any], erpnext_snapshot: Any
) -> None:
    mirror = await mirrored(snapshot=upgraded(erpnext_snapshot))
    rights = Rights(mirror)
    await mirror.sync("Item", "Supplier")
    columns = ("name", "standard_rate", "end_of_life", "description")
    before = await mirror.rows("item", *columns)
    assert any(rate for _, rate, _, _ in before)
    types = await types_of(mirror, "item")
    unmask = [
        await rights.set("Item", field, "mask", 1)
        for field in ("standard_rate", "end_of_life", "description")
    ]
    unmask.append(await rights.set("Item Reorder", "warehouse_reorder_level", "mask", 1))
    async with pool_of(mirror.hub).lease(mirror.connection) as site:
        notes = [note.what for note in (await check_site(site, ["Item"])).notes]
    for field in ("Item.standard_rate", "Item Reorder.warehouse_reorder_level"):
        assert any(note.startswith(f"{field} is withheld from") for note in notes), notes
    assert not [note for note in notes if "inferred" in note]
    for path, named in (("/meta", "Brand"), ("getdoctype", "Brand"), ("resource", "DocType")):
        mirror.site.faults.add("forbidden", path=path, doctype=named)
    async with pool_of(mirror.hub).lease(mirror.connection) as site:
        report = await check_site(site, ["Item", "Brand"])
    [note] = [note.what for note in report.notes if "inferred" in note.what]
    assert note.endswith("their columns are inferred from their documents: Brand.")
    mirror.site.faults.clear()
    name = before[0][0]
    admin = mirror.site.users["admin"]
    await mirror.ask("PUT", f"/api/resource/Item/{name}", {"standard_rate": 77}, user=admin)
    for kind in ("sync", "full"):
        [run] = await mirror.sync("Item", kind=kind)
        assert run.outcome == "done", run.error
        assert await mirror.rows("item", *columns) == before
        assert await types_of(mirror, "item") == types
    assert await no_masks(mirror)
    await is_equal(mirror, "Item")
    for take in unmask:
        await take()
    forget_table_schemas(mirror.connection.id, "Item")  # as it does by itself some minutes later
    [run] = await mirror.sync("Item")
    assert run.outcome == "done", run.error
    after = await mirror.rows("item", "name", "standard_rate")
    assert dict(after)[name] == 77
    assert await mirror.site_rows("Item", "name", "description") == await mirror.rows(
        "item", "name", "description"
    )
    assert await types_of(mirror, "item") == types


async def test_masks_from_the_first_sync_on_leave_columns_empty_and_typed(
    mirrored: Callable[..., Any], erpnext_snapshot: Any
) -> None:
    mirror = await mirrored(snapshot=upgraded(erpnext_snapshot))
    rights = Rights(mirror)
    for field in ("standard_rate", "end_of_life"):
        await rights.set("Item", field, "mask", 1)
    await rights.set("Supplier", "website", "permlevel", 7)
    user = mirror.site.users["hub"]
    async with Site(mirror.site.url, user.api_key, user.api_secret) as site:
        report = await check_site(site, ["Item", "Supplier"])
    notes = {note.what.split(" ")[0]: note.next_step for note in report.notes}
    assert notes.keys() >= {"Item.standard_rate", "Item.end_of_life", "Supplier.website"}
    assert "the right Mask on Item" in notes["Item.end_of_life"]
    assert "permission level 7" in notes["Supplier.website"]
    assert report.ok
    [run] = await mirror.sync("Item")
    assert run.outcome == "done", run.error
    assert "standard_rate" in (await warnings(mirror, run))[0]
    assert set(await mirror.rows("item", "standard_rate", "end_of_life")) == {(None, None)}
    types = await types_of(mirror, "item")
    assert (types["standard_rate"], types["end_of_life"]) == ("numeric", "date")
    assert await no_masks(mirror)


async def test_text_that_only_looks_like_a_mask_is_the_value(
    mirrored: Callable[..., Any], erpnext_snapshot: Any
) -> None:
    mirror = await mirrored(snapshot=upgraded(erpnext_snapshot))
    name = (await mirror.site_rows("Supplier", "name"))[0][0]
    await mirror.ask("PUT", f"/api/resource/Supplier/{name}", {"supplier_details": "XXXXXXXX"})
    [run] = await mirror.sync("Supplier")
    assert run.outcome == "done", run.error
    assert ("XXXXXXXX",) in await mirror.rows("supplier", "supplier_details")


async def test_child_rows_come_with_their_parents_only(mirrored: Callable[..., Any]) -> None:
    mirror = await mirrored()
    admin = mirror.site.users["admin"]
    customers = [name for (name,) in await mirror.site_rows("Customer", "name")][:3]
    [(company,)] = await mirror.site_rows("Company", "name")
    for name in customers:
        limits = [{"company": company, "credit_limit": 5000}]
        path = f"/api/resource/Customer/{name}"
        await mirror.ask("PUT", path, {"credit_limits": limits}, user=admin)
    limit = {"user": mirror.site.users["hub"].name, "allow": "Customer", "for_value": customers[1]}
    made = await mirror.ask("POST", "/api/resource/User Permission", limit, user=admin)
    for kind in ("sync", "full"):
        [run] = await mirror.sync("Customer", kind=kind)
        assert run.outcome == "done", run.error
        assert await mirror.rows("customer", "name") == [(customers[1],)]
        assert await mirror.rows("customer_credit_limit", "parent") == [(customers[1],)]
    await is_equal(mirror, "Customer")

    path = f"/api/resource/User Permission/{made['data']['name']}"
    await mirror.ask("DELETE", path, user=admin)
    [run] = await mirror.sync("Customer", kind="repair")
    assert run.outcome == "done", run.error
    assert {(c,) for c in customers} < set(await mirror.rows("customer_credit_limit", "parent"))


async def types_of(mirror: Any, table: str) -> dict[str, str]:
    async with mirror.hub.db.connection() as conn:
        rows = await conn.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s",
            [mirror.connection.slug, table],
        )
        return dict(await rows.fetchall())


async def no_masks(mirror: Any) -> bool:
    """Whether no row of the tables that were pulled holds a mask."""
    async with mirror.hub.db.connection() as conn:
        for table in ("item", "item_reorder"):
            query = sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE '%%XXXX%%'").format(
                sql.Identifier(mirror.connection.slug, table)
            )
            if (await (await conn.execute(query)).fetchone())[0]:
                return False
    return True
