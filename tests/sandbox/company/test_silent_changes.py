"""What ERPNext changes without moving `modified`: renames, trees, jobs, items, stock, SQL.

Expectations are what ERPNext 15.90 does; each test works on documents of its own.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from bascule.sandbox import Running
from bascule.sandbox.company import demo_company
from bascule.sandbox.company.masters import CENTRAL, COMPANY
from bascule.sandbox.server import SandboxThread
from tests.sandbox.company.test_erpnexts_own_rules import ask, first

TODAY = date(2026, 11, 20)
JOBS = "erpnext"


@pytest.fixture(scope="module")
def site() -> Iterator[Any]:
    with SandboxThread(demo_company(1, TODAY)) as running:
        yield running


def done(site: Running, verb: str, path: str, body: Any = None, *, as_user: Any = "admin") -> Any:
    status, told = ask(site, verb, path, body, as_user=as_user)
    assert status in (200, 201, 202), told
    return told


def made(site: Running, doctype: str, **values: Any) -> Any:
    return done(site, "POST", f"/api/resource/{doctype}", values)["data"]


def read(site: Running, doctype: str, name: str) -> Any:
    return done(site, "GET", f"/api/resource/{doctype}/{name}")["data"]


def called(site: Running, function: str, /, **values: Any) -> Any:
    return done(site, "POST", f"/api/method/{function}", values).get("message")


def rows(site: Running, doctype: str, *fields: Any, **filters: Any) -> Any:
    asked: dict[str, Any]
    asked = {"doctype": doctype, "fields": list(fields), "filters": filters}
    asked |= {"limit_page_length": 0, "order_by": "name asc"}
    if doctype in ("Sales Order Item", "Item Price"):
        asked["parent"] = "Sales Order"
    return called(site, "frappe.client.get_list", **asked)


def job(site: Running, name: str) -> None:
    done(site, "POST", "/sandbox/jobs", {"job": name})


def sql(site: Running, statement: str, *values: Any) -> Any:
    return done(site, "POST", "/sandbox/sql", {"sql": statement, "values": values})["changed"]


def submitted(site: Running, doctype: str, **values: Any) -> Any:
    return made(site, doctype, docstatus=1, **values)


def an_order(site: Running, quantity: Any = 4, **more: Any) -> Any:
    item = rows(site, "Bin", "item_code", actual_qty=[">", 20], warehouse=CENTRAL)[0]["item_code"]
    row = {"item_code": item, "qty": quantity, "rate": 10, "warehouse": CENTRAL}
    given = {"customer": first(site, "Customer"), "company": COMPANY, "items": [row]}
    return submitted(site, "Sales Order", delivery_date=str(TODAY + timedelta(days=400)),
                     transaction_date=str(TODAY), **given, **more)  # fmt: skip


def test_a_renamed_customer_is_renamed_in_orders_that_look_untouched(site: Running) -> None:
    customer = rows(site, "Sales Order", "customer", docstatus=1)[0]["customer"]
    before = rows(site, "Sales Order", "name", "modified", "customer_name", customer=customer)
    called(site, "frappe.client.rename_doc", doctype="Customer", old_name=customer, new_name="Nu")
    assert rows(site, "Sales Order", "name", "modified", "customer_name", customer="Nu") == before
    assert rows(site, "Sales Order", "name", customer=customer) == []
    assert read(site, "Customer", "Nu")["customer_name"] == "Nu"


def test_a_customer_named_by_series_keeps_its_title_when_it_is_renamed(site: Running) -> None:
    settings = "/api/resource/Selling Settings/Selling Settings"
    done(site, "PUT", settings, {"cust_master_name": "Naming Series"})
    group = first(site, "Customer Group")
    by_series = made(site, "Customer", customer_name="Serial Sam", customer_group=group)
    assert by_series["name"].startswith("CUST-2")
    called(site, "frappe.client.rename_doc", doctype="Customer", old_name=by_series["name"],
           new_name="SAM-1")  # fmt: skip
    after = read(site, "Customer", "SAM-1")
    assert (after["customer_name"], after["modified"]) == ("Serial Sam", by_series["modified"])
    done(site, "PUT", settings, {"cust_master_name": "Customer Name"})


def test_a_renamed_item_goes_by_its_new_code_everywhere(site: Running) -> None:
    code = rows(site, "Bin", "item_code", actual_qty=[">", 3], warehouse=CENTRAL)[1]["item_code"]
    bins = rows(site, "Bin", "name", "modified", "actual_qty", item_code=code)
    ledger = rows(site, "Stock Ledger Entry", "name", "modified", item_code=code)
    moved = read(site, "Item", code)["modified"]
    called(site, "frappe.client.rename_doc", doctype="Item", old_name=code, new_name="NEW-CODE")
    assert rows(site, "Bin", "name", "modified", "actual_qty", item_code="NEW-CODE") == bins
    assert rows(site, "Stock Ledger Entry", "name", "modified", item_code="NEW-CODE") == ledger
    after = read(site, "Item", "NEW-CODE")
    assert after["item_code"] == "NEW-CODE"
    assert after["modified"] > moved
    assert all(row["parent"] == "NEW-CODE" for row in after["uoms"])


def test_bins_of_merged_items_vanish_and_one_comes_for_both(site: Running) -> None:
    codes = [f"MERGE-{number}" for number in (1, 2)]
    for code in codes:
        made(site, "Item", item_code=code, item_group=first(site, "Item Group"), stock_uom="Nos")
        row = {"item_code": code, "qty": 5, "t_warehouse": CENTRAL, "basic_rate": 2}
        submitted(site, "Stock Entry", stock_entry_type="Material Receipt", items=[row])
    before = rows(site, "Bin", "name", item_code=["in", codes])
    assert len(before) == 2
    called(site, "frappe.client.rename_doc", doctype="Item", old_name=codes[0], new_name=codes[1],
           merge=True)  # fmt: skip
    [after] = rows(site, "Bin", "name", "actual_qty", item_code=["in", codes])
    assert after["name"] not in [row["name"] for row in before]
    assert len(rows(site, "Stock Ledger Entry", "name", item_code=codes[1])) == 2
    gone = rows(site, "Deleted Document", "deleted_doctype", deleted_name=codes[0])
    assert gone == [{"deleted_doctype": "Item"}]
    assert rows(site, "Deleted Document", "name", deleted_doctype="Bin") == []
    job(site, f"{JOBS}.stock.doctype.repost_item_valuation.repost_item_valuation.repost_entries")
    assert rows(site, "Bin", "actual_qty", item_code=codes[1]) == [{"actual_qty": 10.0}]


def test_a_warehouse_is_renamed_by_force_alone(site: Running) -> None:
    new = made(site, "Warehouse", warehouse_name="Attic", company=COMPANY)
    given = {"doctype": "Warehouse", "old_name": new["name"], "new_name": "Loft"}
    status, _ = ask(site, "POST", "/api/method/frappe.client.rename_doc", given, as_user="admin")
    assert status == 417
    called(site, "run_doc_method", dt="Warehouse", dn=new["name"], method="rename",
           args={"name": "Loft", "force": 1})  # fmt: skip
    assert read(site, "Warehouse", "Loft")["modified"] == new["modified"]


def places(site: Running, doctype: str) -> Any:
    listed = rows(site, doctype, "name", "lft", "rgt", "modified", f"parent_{doctype.lower()}")
    return {row["name"]: row for row in listed}


def sound(tree: Any, parent: Any) -> None:
    """Places are 1 to twice the number of nodes, and children lie within their parents."""
    sides = sorted(row[side] for row in tree.values() for side in ("lft", "rgt"))
    assert sides == list(range(1, 2 * len(tree) + 1))
    for row in tree.values():
        if row[parent]:
            above = tree[row[parent]]
            assert above["lft"] < row["lft"] < row["rgt"] < above["rgt"]


def test_nodes_move_others_whose_modified_stays(site: Running) -> None:
    parent = "parent_territory"
    root = next(name for name, row in places(site, "Territory").items() if not row[parent])
    new = {"is_group": 1, parent: root}
    for name in ("East", "West"):
        before = places(site, "Territory")
        made(site, "Territory", territory_name=name, **new)
        after = places(site, "Territory")
        sound(after, parent)
        assert after[root]["rgt"] == before[root]["rgt"] + 2
        assert {k: v["modified"] for k, v in before.items()}.items() <= {
            k: v["modified"] for k, v in after.items()
        }.items()
    made(site, "Territory", territory_name="Far", **{"parent_territory": "East"})
    before = places(site, "Territory")
    done(site, "PUT", "/api/resource/Territory/East", {parent: "West"})
    after = places(site, "Territory")
    sound(after, parent)
    assert after["West"]["lft"] < before["West"]["lft"]
    changed = {name for name in after if after[name]["modified"] != before[name]["modified"]}
    assert changed == {"East"}
    told = {parent: "Far"}
    status, body = ask(site, "PUT", "/api/resource/Territory/West", told, as_user="admin")
    assert (status, body["exc_type"]) == (417, "NestedSetRecursionError")
    for name in ("Far", "East", "West"):
        done(site, "DELETE", f"/api/resource/Territory/{name}")
        sound(places(site, "Territory"), parent)


def test_a_merged_node_leaves_a_tree_numbered_anew(site: Running) -> None:
    parent = "parent_territory"
    root = next(name for name, row in places(site, "Territory").items() if not row[parent])
    for name in ("Here", "There"):
        made(site, "Territory", territory_name=name, parent_territory=root)
    called(site, "frappe.client.rename_doc", doctype="Territory", old_name="Here",
           new_name="There", merge=True)  # fmt: skip
    tree = places(site, "Territory")
    assert "Here" not in tree
    sound(tree, parent)


def test_an_items_name_and_description_go_into_prices_and_boms(site: Running) -> None:
    part = rows(site, "BOM", "item")[0]["item"]
    bom = rows(site, "BOM", "name", "modified", "description", item=part)[0]
    price = rows(site, "Item Price", "name", "modified", item_code=part)[0]
    done(site, "PUT", f"/api/resource/Item/{part}", {"item_name": "N", "description": "Another"})
    changed = read(site, "Item Price", price["name"])
    assert (changed["item_name"], changed["item_description"]) == ("N", "Another")
    assert changed["modified"] == price["modified"]
    changed = read(site, "BOM", bom["name"])
    assert (changed["description"], changed["modified"]) == ("Another", bom["modified"])


def test_a_deleted_items_prices_leave_no_trace(site: Running) -> None:
    made(site, "Item", item_code="GONE", item_group=first(site, "Item Group"), stock_uom="Nos")
    price = {"item_code": "GONE", "price_list_rate": 3, "uom": "Nos"}
    name = made(site, "Item Price", price_list=first(site, "Price List"), **price)["name"]
    done(site, "DELETE", "/api/resource/Item/GONE")
    assert rows(site, "Item Price", "name", name=name) == []
    assert rows(site, "Deleted Document", "name", deleted_name=name) == []


def test_what_is_past_its_day_is_told_so_by_the_nights_jobs(site: Running) -> None:
    item = {"item_code": first(site, "Item"), "qty": 1, "rate": 5}
    yesterday = str(TODAY - timedelta(days=10))
    quotation = submitted(
        site, "Quotation", party_name=first(site, "Customer"), items=[item], valid_till=yesterday,
        transaction_date=yesterday, company=COMPANY,
    )  # fmt: skip
    tomorrow = str(date.today() + timedelta(days=2))
    invoice = submitted(
        site, "Sales Invoice", customer=first(site, "Customer"), items=[item], company=COMPANY,
        due_date=tomorrow, posting_date=yesterday, set_posting_time=1,
    )  # fmt: skip
    assert invoice["status"] == "Unpaid"
    sql(site, "UPDATE `tabSales Invoice` SET `due_date` = ? WHERE `name` = ?", yesterday,
        invoice["name"])  # fmt: skip
    task = made(site, "Task", subject="Call", exp_end_date=yesterday, company=COMPANY)
    for name in (
        "selling.doctype.quotation.quotation.set_expired_status",
        "controllers.accounts_controller.update_invoice_status",
        "projects.doctype.task.task.set_tasks_as_overdue",
    ):
        job(site, f"{JOBS}.{name}")
    for doctype, document, status in (
        ("Quotation", quotation, "Expired"),
        ("Sales Invoice", invoice, "Overdue"),
        ("Task", task, "Overdue"),
    ):
        after = read(site, doctype, document["name"])
        assert (after["status"], after["modified"]) == (status, document["modified"])


def test_a_delivery_moves_its_order_and_the_stock(site: Running) -> None:
    order = an_order(site)
    item, line = order["items"][0]["item_code"], order["items"][0]["name"]
    [before] = rows(site, "Bin", "actual_qty", "reserved_qty", item_code=item, warehouse=CENTRAL)
    sold = {"item_code": item, "qty": 3, "rate": 10, "warehouse": CENTRAL}
    sold |= {"against_sales_order": order["name"], "so_detail": line}
    note = submitted(site, "Delivery Note", customer=order["customer"], company=COMPANY,
                     items=[sold])  # fmt: skip
    after = read(site, "Sales Order", order["name"])
    assert (after["per_delivered"], after["delivery_status"]) == (75.0, "Partly Delivered")
    assert after["items"][0]["delivered_qty"] == 3
    assert after["modified"] > order["modified"]
    assert after["items"][0]["modified"] > order["items"][0]["modified"]
    [bin_] = rows(site, "Bin", "actual_qty", "reserved_qty", item_code=item, warehouse=CENTRAL)
    assert bin_ == {
        "actual_qty": before["actual_qty"] - 3, "reserved_qty": before["reserved_qty"] - 3,
    }  # fmt: skip
    done(site, "PUT", f"/api/resource/Delivery Note/{note['name']}", {"docstatus": 2})
    after = read(site, "Sales Order", order["name"])
    assert (after["per_delivered"], after["items"][0]["delivered_qty"]) == (0.0, 0.0)
    [bin_] = rows(site, "Bin", "actual_qty", "reserved_qty", item_code=item, warehouse=CENTRAL)
    assert bin_ == before
    entries = rows(
        site, "Stock Ledger Entry", "actual_qty", "is_cancelled", voucher_no=note["name"]
    )
    assert sorted(row["actual_qty"] for row in entries) == [-3.0, 3.0]
    assert {row["is_cancelled"] for row in entries} == {1}


def test_a_payment_settles_its_invoice_until_it_is_cancelled(site: Running) -> None:
    item = {"item_code": first(site, "Item"), "qty": 1, "rate": 50}
    invoice = submitted(site, "Sales Invoice", customer=first(site, "Customer"), items=[item],
                        company=COMPANY, due_date="2099-01-01")  # fmt: skip
    about = {"reference_doctype": "Sales Invoice", "reference_name": invoice["name"]}
    bank = rows(site, "Account", "name", account_type="Bank")[0]["name"]
    paid = {"payment_type": "Receive", "party_type": "Customer", "party": invoice["customer"]}
    payment = submitted(
        site, "Payment Entry", **paid, paid_amount=20, received_amount=20, paid_to=bank,
        company=COMPANY, references=[{**about, "allocated_amount": 20}], reference_no="1",
        reference_date=str(TODAY), target_exchange_rate=1,
    )  # fmt: skip
    assert payment["unallocated_amount"] == 0
    after = read(site, "Sales Invoice", invoice["name"])
    assert (after["outstanding_amount"], after["status"]) == (30.0, "Partly Paid")
    assert after["modified"] > invoice["modified"]
    done(site, "PUT", f"/api/resource/Payment Entry/{payment['name']}", {"docstatus": 2})
    after = read(site, "Sales Invoice", invoice["name"])
    assert (after["outstanding_amount"], after["status"]) == (50.0, "Unpaid")


def stock_entry(
    site: Running,
    item: Any,
    quantity: Any,
    rate: Any = 0.0,
    at: Any = "2026-11-20",
    kind: str = "Material Receipt",
    **more: Any,
) -> Any:
    side = "t_warehouse" if kind == "Material Receipt" else "s_warehouse"
    row = {"item_code": item, "qty": quantity, side: CENTRAL, "basic_rate": rate, **more}
    return submitted(site, "Stock Entry", stock_entry_type=kind, items=[row], company=COMPANY,
                     posting_date=at, posting_time="10:00:00", set_posting_time=1)  # fmt: skip


def test_a_back_dated_entry_changes_later_ones_and_reposting_their_rates(site: Running) -> None:
    made(site, "Item", item_code="BACK", item_group=first(site, "Item Group"), stock_uom="Nos")
    stock_entry(site, "BACK", 10, 4.0, "2026-11-10")
    issue = stock_entry(site, "BACK", 5, at="2026-11-12", kind="Material Issue")
    assert issue["items"][0]["basic_rate"] == 4.0
    ledger = ("name", "modified", "qty_after_transaction", "valuation_rate")
    [before] = rows(site, "Stock Ledger Entry", *ledger, voucher_no=issue["name"])
    stock_entry(site, "BACK", 10, 8.0, "2026-11-11")
    [after] = rows(site, "Stock Ledger Entry", *ledger, voucher_no=issue["name"])
    assert after == before | {"qty_after_transaction": 15.0}
    job(site, f"{JOBS}.stock.doctype.repost_item_valuation.repost_item_valuation.repost_entries")
    [after] = rows(site, "Stock Ledger Entry", *ledger, voucher_no=issue["name"])
    assert after == before | {"qty_after_transaction": 15.0, "valuation_rate": 6.0}
    changed = read(site, "Stock Entry", issue["name"])
    assert (changed["items"][0]["basic_rate"], changed["items"][0]["amount"]) == (6.0, 30.0)
    assert (changed["total_outgoing_value"], changed["modified"]) == (30.0, issue["modified"])


def test_ledger_entries_get_their_names_by_a_job_that_leaves_no_trace(site: Running) -> None:
    made(site, "Item", item_code="LEDGER", item_group=first(site, "Item Group"), stock_uom="Nos")
    stock_entry(site, "LEDGER", 1, 1.0)
    [before] = rows(site, "Stock Ledger Entry", "name", "to_rename", item_code="LEDGER")
    assert before["to_rename"] == 1
    job(site, f"{JOBS}.accounts.doctype.gl_entry.gl_entry.rename_gle_sle_docs")
    [after] = rows(site, "Stock Ledger Entry", "name", "to_rename", item_code="LEDGER")
    assert after["name"].startswith("MAT-SLE-2")
    assert after["to_rename"] == 0
    assert rows(site, "Deleted Document", "name", deleted_name=before["name"]) == []


def test_a_serial_number_that_is_issued_looks_untouched(site: Running) -> None:
    made(site, "Item", item_code="SER", item_group=first(site, "Item Group"), stock_uom="Nos",
         has_serial_no=1)  # fmt: skip
    serial = {"serial_no": "S-1", "item_code": "SER", "company": COMPANY, "status": "Active"}
    before = made(site, "Serial No", **serial, warehouse=CENTRAL)
    stock_entry(site, "SER", 1, 3.0)
    stock_entry(site, "SER", 1, kind="Material Issue", serial_no="S-1", use_serial_batch_fields=1)
    after = read(site, "Serial No", "S-1")
    assert (after["status"], after.get("warehouse")) == ("Consumed", None)
    assert after["modified"] == before["modified"]


def test_links_are_counted_in_idx(site: Running) -> None:
    before = read(site, "Brand", first(site, "Brand"))
    made(site, "Item", item_code="COUNTED", item_group=first(site, "Item Group"), stock_uom="Nos",
         brand=before["name"])  # fmt: skip
    job(site, "frappe.model.utils.link_count.update_link_count")
    after = read(site, "Brand", before["name"])
    assert (after["idx"], after["modified"]) == (before["idx"] + 1, before["modified"])


def test_a_deleted_document_is_restored_as_another(site: Running) -> None:
    made(site, "Brand", brand="Phoenix", description="Kept")
    done(site, "DELETE", "/api/resource/Brand/Phoenix")
    [kept] = rows(site, "Deleted Document", "name", "modified", deleted_name="Phoenix")
    called(site, "frappe.core.doctype.deleted_document.deleted_document.restore", name=kept["name"])
    assert read(site, "Brand", "Phoenix")["description"] == "Kept"
    again = read(site, "Deleted Document", kept["name"])
    assert (again["restored"], again["new_name"]) == (1, "Phoenix")
    assert again["modified"] == kept["modified"]


def test_the_whole_site_is_restored(site: Running) -> None:
    made(site, "Brand", brand="Before")
    done(site, "POST", "/sandbox/moments", {"keep": "monday"})
    field = {"dt": "Brand", "fieldname": "later", "fieldtype": "Data", "label": "Later"}
    made(site, "Custom Field", **field)
    made(site, "Brand", brand="After", later="x")
    done(site, "DELETE", "/api/resource/Brand/Before")
    done(site, "POST", "/sandbox/moments", {"restore": "monday"})
    assert read(site, "Brand", "Before")["brand"] == "Before"
    assert rows(site, "Brand", "name", name="After") == []
    assert "later" not in read(site, "Brand", "Before")
    assert ask(site, "POST", "/sandbox/moments", {"restore": "sunday"})[0] == 400


def test_a_corrected_time_zone_is_what_times_are_of_from_then_on(site: Running) -> None:
    before = made(site, "Brand", brand="Amsterdam")["modified"]
    settings = "/api/resource/System Settings/System Settings"
    done(site, "PUT", settings, {"time_zone": "Asia/Tokyo"})
    assert called(site, "frappe.client.get_time_zone") == {"time_zone": "Asia/Tokyo"}
    after = made(site, "Brand", brand="Tokyo")["modified"]
    assert after > str(date.fromisoformat(before[:10])) and after[:13] > before[:13]
    assert read(site, "Brand", "Amsterdam")["modified"] == before
    done(site, "PUT", settings, {"time_zone": "Europe/Amsterdam"})


def test_a_renamed_doctype_takes_its_rows_children_and_links_along(site: Running) -> None:
    right = {"role": "System Manager", "read": 1, "write": 1, "create": 1}
    child = {"name": "Cargo Line", "istable": 1, "custom": 1, "module": "Custom"}
    made(
        site, "DocType", **child, fields=[{"fieldname": "what", "fieldtype": "Data", "label": "W"}]
    )
    fields = [
        {"fieldname": "title", "fieldtype": "Data", "label": "Title"},
        {"fieldname": "lines", "fieldtype": "Table", "options": "Cargo Line", "label": "Lines"},
    ]
    made(site, "DocType", name="Cargo", custom=1, module="Custom", fields=fields,
         permissions=[right], autoname="prompt", allow_rename=1)  # fmt: skip
    link = {"fieldname": "cargo", "fieldtype": "Link", "options": "Cargo", "label": "Cargo"}
    made(site, "DocType", name="Voyage", custom=1, module="Custom", fields=[link],
         permissions=[right], autoname="prompt")  # fmt: skip
    before = made(site, "Cargo", name="C1", title="Tea", lines=[{"what": "Crate"}])
    made(site, "Voyage", name="V1", cargo="C1")
    called(
        site, "frappe.client.rename_doc", doctype="DocType", old_name="Cargo", new_name="Freight"
    )
    after = read(site, "Freight", "C1")
    assert (after["title"], after["modified"]) == ("Tea", before["modified"])
    assert [(row["what"], row["parenttype"]) for row in after["lines"]] == [("Crate", "Freight")]
    assert ask(site, "GET", "/api/resource/Cargo/C1")[0] == 500  # no such DocType
    [field] = read(site, "DocType", "Voyage")["fields"]
    assert field["options"] == "Freight"
    made(site, "Voyage", name="V2", cargo="C1")


def test_rows_come_and_go_by_sql(site: Running) -> None:
    name = made(site, "Brand", brand="Raw")["name"]
    assert sql(site, "UPDATE `tabBrand` SET `modified` = NULL WHERE `name` = ?", name) == 1
    assert read(site, "Brand", name).get("modified") is None
    assert sql(site, "DELETE FROM `tabBrand` WHERE `name` = ?", name) == 1
    assert rows(site, "Deleted Document", "name", deleted_name=name) == []
    assert ask(site, "POST", "/sandbox/sql", {"sql": "DROP nothing"})[0] == 400
    assert ask(site, "POST", "/sandbox/jobs", {"job": "nobody"})[0] == 400
