"""What ERPNext fills in and refuses of parties, items, prices, projects and warehouses."""

from typing import Any

from bascule.sandbox import Running
from tests.sandbox.company.test_erpnexts_own_rules import ask, first


def made(site: Running, doctype: str, **values: Any) -> Any:
    status, body = ask(site, "POST", f"/api/resource/{doctype}", values)
    assert status == 200, body
    return body["data"]


def changed(site: Running, doctype: str, name: str, **values: Any) -> Any:
    status, body = ask(site, "PUT", f"/api/resource/{doctype}/{name}", values)
    return (status, body["data"]) if status == 200 else (status, body["exc_type"])


def new_item(site: Running, code: str) -> Any:
    group = first(site, "Item Group")
    return made(site, "Item", item_code=code, item_group=group, stock_uom="Nos")["name"]


def test_how_a_supplier_is_on_hold_goes_with_that_it_is(site: Running) -> None:
    group = first(site, "Supplier Group")
    name = made(site, "Supplier", supplier_name="Held", supplier_group=group)["name"]
    _, held = changed(site, "Supplier", name, on_hold=1, release_date="2026-12-01")
    assert (held["hold_type"], held["release_date"]) == ("All", "2026-12-01")
    _, free = changed(site, "Supplier", name, on_hold=0)
    assert not free["hold_type"]
    assert not free.get("release_date")


def test_an_item_price_is_there_once_and_refers_to_its_customer(site: Running) -> None:
    item = new_item(site, "Priced")
    listed = {"item_code": item, "price_list": "Standard Selling", "price_list_rate": 5}
    price = made(site, "Item Price", **listed)
    status, body = ask(site, "POST", "/api/resource/Item Price", listed)
    assert (status, body["exc_type"]) == (417, "ItemPriceDuplicateItem")
    customer, supplier = first(site, "Customer"), first(site, "Supplier")
    kept = changed(site, "Item Price", price["name"], customer=customer, supplier=supplier)[1]
    assert (kept["reference"], kept.get("supplier")) == (customer, None)
    dates = {"valid_from": "2026-12-02", "valid_upto": "2026-12-01"}
    assert changed(site, "Item Price", price["name"], **dates) == (417, "InvalidDates")
    assert made(site, "Item Price", **listed)["name"] != price["name"]


def test_an_item_keeps_its_rules(site: Running) -> None:
    item = new_item(site, "Ruled")
    refused = (
        {"is_fixed_asset": 1},
        {"has_variants": 1},
        {"is_customer_provided_item": 1},
        {"retain_sample": 1, "has_batch_no": 1},
        {"batch_number_series": "B#"},
    )
    for change in refused:
        assert changed(site, "Item", item, **change) == (417, "ValidationError"), change
    _, kept = changed(site, "Item", item, retain_sample=1, description="<p>a</p><script>b</script>")
    assert (kept["retain_sample"], kept["description"]) == (0, "<p>a</p>")
    bins = "/api/resource/Bin?limit=1&fields=" + '["item_code"]&filters=[["actual_qty",">",0]]'
    moved = ask(site, "GET", bins)[1]["data"][0]["item_code"]
    assert changed(site, "Item", moved, has_serial_no=1) == (417, "ValidationError")
    assert changed(site, "Item", moved, has_variants=1) == (417, "StockExistsForTemplate")


def test_a_project_without_tasks_is_completed_by_hand(site: Running) -> None:
    company = first(site, "Company")
    project = made(site, "Project", project_name="Alone", company=company)
    _, done = changed(site, "Project", project["name"], status="Completed")
    progress = (done["status"], done["percent_complete_method"], done["percent_complete"])
    assert progress == ("Completed", "Manual", 100)


def test_a_warehouse_with_stock_stays_and_one_without_leaves_a_gap(site: Running) -> None:
    path = '/api/resource/Bin?limit=1&fields=["warehouse"]&filters=[["actual_qty",">",0]]'
    stocked = ask(site, "GET", path)[1]["data"][0]["warehouse"]
    status, body = ask(site, "DELETE", f"/api/resource/Warehouse/{stocked}")
    assert (status, body["exc_type"]) == (417, "ValidationError")
    company = first(site, "Company")
    names = [
        made(site, "Warehouse", warehouse_name=name, company=company)["name"]
        for name in ("Gone", "Stays")
    ]
    assert ask(site, "DELETE", f"/api/resource/Warehouse/{names[0]}")[0] == 202
    after = made(site, "Warehouse", warehouse_name="Later", company=company)
    there = ask(site, "GET", f"/api/resource/Warehouse/{names[1]}")[1]["data"]
    assert (after["lft"] - there["rgt"], there["lft"] % 2) == (1, there["lft"] % 2)
    for name in (names[1], after["name"]):
        assert ask(site, "DELETE", f"/api/resource/Warehouse/{name}")[0] == 202


def test_what_a_link_names_is_looked_at_before_what_a_dynamic_one_does(site: Running) -> None:
    party = {"party_type": "Nonsense", "party": "z"}
    bank = made(site, "Bank", bank_name="Of Nobody")["name"]
    values = {"account_name": "Linked", "bank": bank, **party}
    status, body = ask(site, "POST", "/api/resource/Bank Account", values)
    assert (status, body["exc_type"]) == (417, "ValidationError")
