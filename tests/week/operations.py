"""What people and a site's own jobs do in an ordinary week, one after the other.

Each works on any ERPNext by Frappe's own methods, on documents that it makes or finds; `memo` is
what earlier ones left to later ones. What changes silently does so on another day than it was made.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.week.the_site import Row, WeekSite

Memo = dict[str, Any]
_JOBS = "erpnext."


@dataclass(frozen=True)
class Operation:
    """`day`: what is done on one day may be followed by one sync for all of it.

    `sandbox_only`: cannot be done to a real site by a script.
    """

    day: int
    name: str
    act: Callable[[WeekSite, Memo], None]
    sandbox_only: bool = False


OPERATIONS: list[Operation] = []


def _operation(day: int, name: str, *, sandbox_only: bool = False) -> Callable[[Any], Any]:
    def known(act: Callable[[WeekSite, Memo], None]) -> Callable[[WeekSite, Memo], None]:
        OPERATIONS.append(Operation(day, name, act, sandbox_only))
        return act

    return known


def _day(number: int) -> str:
    return str(date.today() + timedelta(days=number))


def prepared(site: WeekSite) -> Memo:
    """Documents of the week's own, before the mirror is made; names that nobody else has."""
    mark = f"Week{secrets.token_hex(3)}"
    company = site.rows("Company", "name", "default_currency")[0]["name"]
    store = site.make("Warehouse", warehouse_name=f"{mark} Shed", company=company)["name"]
    root = site.rows("Item Group", "name", is_group=1, parent_item_group="")[0]["name"]
    memo: Memo = {"mark": mark, "company": company, "store": store, "root": root}
    named = {"item_group_name": f"{mark} Things", "parent_item_group": root}
    memo["group"] = group = site.make("Item Group", **named)["name"]
    for number in (1, 2, 3):
        item = {"item_code": f"{mark} Item {number}", "item_group": group, "stock_uom": "Nos"}
        site.make("Item", **item, valuation_rate=4)
        memo[f"item{number}"] = item["item_code"]
        _stock(site, memo, f"item{number}", 40, day=-1)  # whatever hour of today it is
    above = site.rows("Customer Group", "name", is_group=1)[0]["name"]
    named = {"customer_group_name": f"{mark} People", "parent_customer_group": above}
    parties = site.make("Customer Group", **named)["name"]
    area = site.rows("Territory", "name", is_group=0)[0]["name"]
    for number in (1, 2):
        values = {"customer_name": f"{mark} Customer {number}", "customer_group": parties}
        made = site.make("Customer", **values, territory=area, mobile_no=f"+3161234567{number}")
        memo[f"customer{number}"] = made["name"]
        memo[f"order{number}"] = _order(site, memo, f"customer{number}")["name"]
    kind = site.rows("Supplier Group", "name", is_group=0)[0]["name"]
    for number in (1, 2):
        made = site.make("Supplier", supplier_name=f"{mark} Supplier {number}", supplier_group=kind)
        memo[f"supplier{number}"] = made["name"]
    price = {"item_code": memo["item3"], "price_list_rate": 9, "uom": "Nos"}
    lists = site.rows("Price List", "name", selling=1)
    site.make("Item Price", **price, price_list=lists[0]["name"])
    above = site.rows("Account", "name", is_group=1, company=company, root_type="Expense")[0][
        "name"
    ]
    account = {"account_name": f"{mark} Costs", "parent_account": above, "company": company}
    memo["account"] = site.make("Account", **account)["name"]
    return memo


def _stock(
    site: WeekSite, memo: Memo, item: str, quantity: float, day: int = 0, rate: float = 4
) -> Row:
    row = {"item_code": memo[item], "qty": abs(quantity), "basic_rate": rate}
    row["t_warehouse" if quantity > 0 else "s_warehouse"] = memo["store"]
    kind = "Material Receipt" if quantity > 0 else "Material Issue"
    return site.make(
        "Stock Entry", stock_entry_type=kind, purpose=kind, items=[row], company=memo["company"],
        set_posting_time=1, posting_date=_day(day), posting_time="08:00:00", docstatus=1,
    )  # fmt: skip


def _order(site: WeekSite, memo: Memo, customer: str) -> Row:
    row = {"item_code": memo["item1"], "qty": 4, "rate": 10, "warehouse": memo["store"]}
    return site.make(
        "Sales Order", customer=memo[customer], company=memo["company"], docstatus=1,
        transaction_date=_day(0), delivery_date=_day(9), items=[row],
    )  # fmt: skip


def _invoice(site: WeekSite, memo: Memo, day: int = 0) -> Row:
    row = {"item_code": memo["item2"], "qty": 1, "rate": 50}
    return site.make(
        "Sales Invoice", customer=memo["customer2"], company=memo["company"], docstatus=1,
        set_posting_time=1, posting_date=_day(day), due_date=_day(day), items=[row],
    )  # fmt: skip


@_operation(1, "a customer is renamed")
def _rename_customer(site: WeekSite, memo: Memo) -> None:
    new = f"{memo['mark']} Renamed"
    site.rename("Customer", memo["customer1"], new)
    memo["customer1"] = new


@_operation(1, "an item is renamed")
def _rename_item(site: WeekSite, memo: Memo) -> None:
    new = f"{memo['mark']} Renamed Item"
    site.rename("Item", memo["item1"], new)
    memo["item1"] = new


@_operation(2, "a customer is merged into another")
def _merge_customers(site: WeekSite, memo: Memo) -> None:
    site.rename("Customer", memo["customer1"], memo["customer2"], merge=True)


@_operation(2, "a supplier is merged into another")
def _merge_suppliers(site: WeekSite, memo: Memo) -> None:
    site.rename("Supplier", memo["supplier1"], memo["supplier2"], merge=True)


@_operation(1, "a warehouse, an item group and a customer group are renamed")
def _rename_nodes(site: WeekSite, memo: Memo) -> None:
    store = f"{memo['mark']} Store"
    site.rename("Warehouse", memo["store"], store)
    memo["store"] = store
    group = f"{memo['mark']} Group"
    site.rename("Item Group", memo["group"], group)
    memo["group"] = group
    held = site.read("Customer", memo["customer2"])["customer_group"]
    site.rename("Customer Group", held, f"{memo['mark']} Buyers")


@_operation(1, "a contact is renamed")
def _rename_contact(site: WeekSite, memo: Memo) -> None:
    contact = site.read("Customer", memo["customer2"])["customer_primary_contact"]
    site.rename("Contact", contact, f"{memo['mark']} Contact")


@_operation(1, "an account gets a number")
def _number_account(site: WeekSite, memo: Memo) -> None:
    site.rename("Account", memo["account"], f"4711 - {memo['account']}")


@_operation(1, "a tree gets new nodes")
def _add_nodes(site: WeekSite, memo: Memo) -> None:
    for name in ("A", "B"):
        node = {"item_group_name": f"{memo['mark']} {name}", "is_group": 1}
        site.make("Item Group", **node, parent_item_group=memo["root"])


@_operation(2, "a node moves")
def _move_node(site: WeekSite, memo: Memo) -> None:
    mark = memo["mark"]
    site.change("Item Group", f"{mark} A", parent_item_group=f"{mark} B")


@_operation(3, "a node is deleted")
def _delete_node(site: WeekSite, memo: Memo) -> None:
    site.delete("Item Group", f"{memo['mark']} A")


@_operation(2, "an item gets another name and description")
def _describe_item(site: WeekSite, memo: Memo) -> None:
    site.change("Item", memo["item3"], item_name="Another", description="Another description")


@_operation(2, "a delivery, and its cancelling")
def _deliver(site: WeekSite, memo: Memo) -> None:
    order = site.read("Sales Order", memo["order2"])
    line = order["items"][0]
    row = {"item_code": line["item_code"], "qty": 3, "rate": 10, "warehouse": memo["store"]}
    row |= {"against_sales_order": order["name"], "so_detail": line["name"]}
    made = [
        site.make("Delivery Note", customer=order["customer"], company=memo["company"],
                  items=[row | {"qty": quantity}], docstatus=1)["name"]
        for quantity in (1, 2)
    ]  # fmt: skip
    site.change("Delivery Note", made[0], docstatus=2)


@_operation(2, "a payment of an invoice, and its cancelling")
def _pay(site: WeekSite, memo: Memo) -> None:
    for cancelled in (True, False):
        invoice = _invoice(site, memo)
        bank = site.rows("Account", "name", account_type=["in", ["Bank", "Cash"]], is_group=0,
                         company=memo["company"])[0]["name"]  # fmt: skip
        about = {"reference_doctype": "Sales Invoice", "reference_name": invoice["name"]}
        payment = site.make(
            "Payment Entry", payment_type="Receive", party_type="Customer", docstatus=1,
            party=invoice["customer"], paid_from=invoice["debit_to"], paid_to=bank,
            paid_amount=20, received_amount=20, company=memo["company"], reference_no="1",
            reference_date=_day(0), source_exchange_rate=1, target_exchange_rate=1,
            references=[{**about, "allocated_amount": 20}],
        )  # fmt: skip
        if cancelled:
            site.change("Payment Entry", payment["name"], docstatus=2)


@_operation(3, "the night: quotations expire, invoices and tasks become overdue")
def _night(site: WeekSite, memo: Memo) -> None:
    row = {"item_code": memo["item2"], "qty": 1, "rate": 5}
    quotation = site.make(
        "Quotation", quotation_to="Customer", party_name=memo["customer2"], items=[row],
        transaction_date=_day(-9), valid_till=_day(-2), company=memo["company"], docstatus=1,
    )  # fmt: skip
    task = site.make("Task", subject=memo["mark"], exp_end_date=_day(-2), company=memo["company"])
    invoice = _invoice(site, memo)
    site.sql("UPDATE `tabSales Invoice` SET `due_date` = ? WHERE `name` = ?", _day(-2),
             invoice["name"])  # fmt: skip
    site.sql("UPDATE `tabPayment Schedule` SET `due_date` = ? WHERE `parent` = ?", _day(-2),
             invoice["name"])  # fmt: skip
    memo["night"] = [("Quotation", quotation["name"]), ("Task", task["name"]),
                     ("Sales Invoice", invoice["name"])]  # fmt: skip


@_operation(4, "its jobs")
def _night_jobs(site: WeekSite, memo: Memo) -> None:
    site.job(f"{_JOBS}selling.doctype.quotation.quotation.set_expired_status")
    site.job(f"{_JOBS}controllers.accounts_controller.update_invoice_status")
    site.job(f"{_JOBS}projects.doctype.task.task.set_tasks_as_overdue")
    stati = [site.read(*about)["status"] for about in memo["night"]]
    assert stati == ["Expired", "Overdue", "Overdue"]


@_operation(4, "stock is entered for an earlier day")
def _back_date(site: WeekSite, memo: Memo) -> None:
    _stock(site, memo, "item2", -5)
    _stock(site, memo, "item2", 10, day=-3, rate=8)


@_operation(5, "and reposted")
def _repost(site: WeekSite, memo: Memo) -> None:
    module = "stock.doctype.repost_item_valuation.repost_item_valuation"
    site.job(f"{_JOBS}{module}.repost_entries")


@_operation(6, "ledger entries get their names")
def _name_ledgers(site: WeekSite, memo: Memo) -> None:
    site.job(f"{_JOBS}accounts.doctype.gl_entry.gl_entry.rename_gle_sle_docs")


@_operation(6, "links are counted")
def _count_links(site: WeekSite, memo: Memo) -> None:
    site.job("frappe.model.utils.link_count.update_link_count")


@_operation(7, "items are merged")
def _merge_items(site: WeekSite, memo: Memo) -> None:
    site.rename("Item", memo["item2"], memo["item3"], merge=True)


@_operation(3, "a serial number is delivered by SQL")
def _serial(site: WeekSite, memo: Memo) -> None:
    code = f"{memo['mark']} Serial"
    site.make("Item", item_code=code, item_group=memo["group"], stock_uom="Nos", has_serial_no=1)
    name = f"{memo['mark']}-S1"
    site.make("Serial No", serial_no=name, item_code=code, company=memo["company"])
    memo["serial"] = name


@_operation(4, "its status follows")
def _serial_follows(site: WeekSite, memo: Memo) -> None:
    site.sql("UPDATE `tabSerial No` SET `status` = 'Delivered', `customer` = ? WHERE `name` = ?",
             memo["customer2"], memo["serial"])  # fmt: skip


@_operation(3, "an order is picked")
def _pick(site: WeekSite, memo: Memo) -> None:
    order = memo["order2"]
    site.sql("UPDATE `tabSales Order` SET `per_picked` = 50 WHERE `name` = ?", order)
    site.sql("UPDATE `tabSales Order Item` SET `picked_qty` = 2 WHERE `parent` = ?", order)


@_operation(3, "a value is set without its time of change")
def _set_silently(site: WeekSite, memo: Memo) -> None:
    for doctype, field in (("Customer", "website"), ("Item", "description")):
        name = memo["customer2" if doctype == "Customer" else "item3"]
        site.sql(f"UPDATE `tab{doctype}` SET `{field}` = 'silent' WHERE `name` = ?", name)


@_operation(3, "a row goes by SQL, and another comes")
def _delete_by_sql(site: WeekSite, memo: Memo) -> None:
    for name in ("gone", "kept"):
        site.make("Brand", brand=f"{memo['mark']} {name}")
    memo["brands"] = [f"{memo['mark']} {name}" for name in ("gone", "kept")]


@_operation(4, "now it goes")
def _goes(site: WeekSite, memo: Memo) -> None:
    gone, kept = memo["brands"]
    site.sql("DELETE FROM `tabBrand` WHERE `name` = ?", gone)
    site.sql("UPDATE `tabBrand` SET `modified` = NULL, `description` = 'x' WHERE `name` = ?", kept)


@_operation(5, "another clock: a time of change of three hours ago")
def _other_clock(site: WeekSite, memo: Memo) -> None:
    site.sql("UPDATE `tabItem` SET `description` = 'by another clock',"
             " `modified` = '2020-01-01 00:00:00' WHERE `name` = ?", memo["item3"])  # fmt: skip


@_operation(6, "a document is deleted and restored")
def _restore(site: WeekSite, memo: Memo) -> None:
    name = site.make("Brand", brand=f"{memo['mark']} back", description="kept")["name"]
    site.delete("Brand", name)
    [gone] = site.rows("Deleted Document", "name", deleted_name=name)
    restore = "frappe.core.doctype.deleted_document.deleted_document.restore"
    site.call(restore, name=gone["name"])


@_operation(5, "a Custom Field comes, filled by SQL, and goes")
def _custom_field(site: WeekSite, memo: Memo) -> None:
    field = {"dt": "Brand", "fieldname": f"w{memo['mark'].lower()}", "fieldtype": "Int"}
    memo["field"] = site.make("Custom Field", **field, label="W", default="3")["name"]
    name = memo["brands"][1]
    site.sql(f"UPDATE `tabBrand` SET `{field['fieldname']}` = 7 WHERE `name` = ?", name)


@_operation(6, "it goes")
def _no_custom_field(site: WeekSite, memo: Memo) -> None:
    site.delete("Custom Field", memo["field"])


@_operation(7, "the site is restored", sandbox_only=True)
def _restore_site(site: WeekSite, memo: Memo) -> None:
    site.ask("POST", "/sandbox/moments", {"keep": "week"})
    site.change("Customer", memo["customer2"], website="https://later.example")
    site.make("Brand", brand=f"{memo['mark']} later")


@_operation(8, "to what it was", sandbox_only=True)
def _restored_site(site: WeekSite, memo: Memo) -> None:
    site.ask("POST", "/sandbox/moments", {"restore": "week"})


@_operation(9, "the time zone is corrected, and a document edited", sandbox_only=True)
def _time_zone(site: WeekSite, memo: Memo) -> None:
    site.change("System Settings", "System Settings", time_zone="America/New_York")
    site.change("Customer", memo["customer2"], website="https://new-york.example")
