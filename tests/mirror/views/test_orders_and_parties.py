"""Orders, suppliers and customers as the views tell them."""

from typing import Any

from tests.mirror.views.conftest import Site


def order(name: str, status: str, docstatus: int, arrived: float = 0) -> dict[str, Any]:
    return {"name": name, "status": status, "docstatus": docstatus, "per_delivered": arrived}


async def test_sales_orders_have_the_columns_of_the_data_model_in_its_order(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add(
        "Sales Order",
        {
            "name": "SO-1",
            "customer": "CUST-1",
            "customer_name": "Café “Søn” 🚀",
            "transaction_date": "2026-03-05",
            "delivery_date": "2026-03-19",
            "grand_total": "121.00",
            "net_total": "100.00",
            "advance_paid": 20,
            "total_qty": 14,
            "status": "To Deliver and Bill",
            "currency": "EUR",
            "docstatus": 1,
            "per_delivered": 50,
        },
    )
    assert list((await mirror.row("sales_orders")).items()) == [
        ("order_id", "SO-1"),
        ("customer_name", "Café “Søn” 🚀"),
        ("customer_id", "CUST-1"),
        ("order_date", "2026-03-05"),
        ("delivery_date", "2026-03-19"),
        ("total_amount", 121.0),
        ("net_amount", 100.0),
        ("advance_paid", 20.0),
        ("quantity", 14.0),
        ("status", "To Deliver and Bill"),
        ("currency", "EUR"),
        ("is_delivered", False),
        ("is_pending", True),
    ]


async def test_pending_is_what_was_ordered_and_not_yet_delivered(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add(
        "Sales Order",
        order("1 draft", "Draft", 0),
        order("2 open", "To Deliver and Bill", 1, 40),
        order("3 held", "On Hold", 1),
        order("4 delivered", "To Bill", 1, 100),
        order("5 service", "Completed", 1, 0),
        order("6 closed", "Closed", 1, 50),
        order("7 cancelled", "Cancelled", 2, 100),
    )
    rows = await mirror.rows("sales_orders")
    assert [r["order_id"][0] for r in rows if r["is_pending"]] == ["2", "3"]
    assert [r["order_id"][0] for r in rows if r["is_delivered"]] == ["4", "5"]
    assert len(rows) == 7


async def test_the_lines_and_not_the_share_in_the_order_tell_what_was_delivered(
    mirror: Site,
) -> None:
    await mirror.rebuild()
    await mirror.add(
        "Sales Order",
        order("1 old share", "To Deliver and Bill", 1, 0),
        order("2 share ahead", "To Deliver and Bill", 1, 100),
        order("3 draft", "Draft", 0, 100),
    )
    for parent, done in (("1 old share", 2), ("2 share ahead", 1), ("3 draft", 2)):
        lines = [
            {"name": f"{parent} {idx}", "parent": parent, "idx": idx, "qty": 2, **delivered}
            for idx, delivered in ((1, {"delivered_qty": done}), (2, {"delivered_qty": 3}))
        ]
        await mirror.add("Sales Order Item", *lines)
    rows = await mirror.rows("sales_orders")
    assert [r["order_id"][0] for r in rows if r["is_delivered"]] == ["1"]
    assert [r["order_id"][0] for r in rows if r["is_pending"]] == ["2"]


async def test_the_lines_of_orders_follow_their_order(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Sales Order", order("SO-1", "Draft", 0))
    await mirror.add("Sales Order", {**order("SO-2", "Draft", 0), "_deleted_at": "2026-01-01"})
    for parent in ("SO-1", "SO-2"):
        await mirror.add("Sales Order Item", {"name": parent, "parent": parent, "idx": 1, "qty": 2})
    row = await mirror.row("sales_order_items")
    assert (row["order_id"], row["line"], row["quantity"], row["status"]) == ("SO-1", 1, 2, "Draft")


async def test_purchase_orders_tell_what_is_still_to_come(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add(
        "Purchase Order",
        {"name": "PO-1", "status": "To Receive", "docstatus": 1, "schedule_date": "2026-05-01"},
        {"name": "PO-2", "status": "Delivered", "docstatus": 1},
    )
    one, two = await mirror.rows("purchase_orders")
    assert (one["is_pending"], one["is_received"], one["delivery_date"]) == (
        True,
        False,
        "2026-05-01",
    )
    assert (two["is_pending"], two["is_received"]) == (False, True)


async def test_suppliers_have_the_columns_of_the_data_model_and_disabled_ones_leave(
    mirror: Site,
) -> None:
    await mirror.rebuild()
    await mirror.add(
        "Supplier",
        {"name": "S-1", "supplier_name": "Oak & Co", "on_hold": 1, "disabled": 0},
        {"name": "S-2", "disabled": 1},
    )
    row = await mirror.row("suppliers")
    assert list(row) == [
        "supplier_id",
        "supplier_name",
        "supplier_group",
        "supplier_type",
        "country",
        "tax_id",
        "payment_terms",
        "currency",
        "on_hold",
        "is_active",
    ]
    assert (row["supplier_name"], row["on_hold"], row["is_active"]) == ("Oak & Co", True, True)
    await mirror.rebuild(include_disabled=True)
    assert (await mirror.row("suppliers", supplier_id="S-2"))["is_active"] is False


async def test_a_customer_comes_with_its_primary_address_and_contact(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add(
        "Customer",
        {"name": "C", "customer_primary_address": "A1", "customer_primary_contact": "K1"},
    )
    await mirror.add("Address", {"name": "A1", "city": "Utrecht", "pincode": "3511 AB"})
    await mirror.add("Contact", {"name": "K1", "first_name": "Ann", "last_name": "", "phone": "1"})
    row = await mirror.row("customers")
    assert (row["city"], row["postal_code"]) == ("Utrecht", "3511 AB")
    assert (row["contact_name"], row["phone"]) == ("Ann", "1")


async def test_without_a_primary_one_the_linked_address_and_contact_are_shown(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Customer", {"name": "C", "email_id": "own@example.com"}, {"name": "D"})
    await mirror.add(
        "Address",
        {"name": "A1", "city": "Old", "creation": "2020-01-01", "is_primary_address": 0},
        {"name": "A2", "city": "Right", "creation": "2021-01-01", "is_primary_address": 1},
        {"name": "A3", "city": "Off", "is_primary_address": 1, "disabled": 1},
    )
    await mirror.add("Contact", {"name": "A1", "full_name": "Ann", "email_id": ""})
    for doctype, name in (
        ("Address", "A1"),
        ("Address", "A2"),
        ("Address", "A3"),
        ("Contact", "A1"),
    ):
        await mirror.add(
            "Dynamic Link",
            {
                "name": f"{doctype} {name}",
                "parent": name,
                "parenttype": doctype,
                "link_doctype": "Customer",
                "link_name": "C",
            },
        )
    row = await mirror.row("customers", customer_id="C")
    assert (row["city"], row["contact_name"], row["email"]) == ("Right", "Ann", "own@example.com")
    assert (await mirror.row("customers", customer_id="D"))["city"] is None
