"""What ERPNext itself refuses and fills in of orders, items and trees."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from bascule.sandbox import Running

ORDER: dict[str, Any] = {
    "customer": None,
    "transaction_date": "2026-11-20",
    "delivery_date": "2026-12-01",
    "items": [{"item_code": None, "qty": 2, "rate": 10}],
}


def ask(site: Running, verb: str, path: str, body: Any = None, *, as_user: Any = "hub") -> Any:
    user = site.users[as_user]
    request = urllib.request.Request(
        site.url + urllib.parse.quote(path, safe="/?=&%"),
        data=None if body is None else json.dumps(body).encode(),
        method=verb,
        headers={
            "Authorization": f"token {user.api_key}:{user.api_secret}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def first(site: Running, doctype: str) -> Any:
    status, body = ask(site, "GET", f"/api/resource/{doctype}?limit=1")
    assert status == 200, body
    return body["data"][0]["name"]


@pytest.fixture
def order(site: Running) -> Any:
    item = {**ORDER["items"][0], "item_code": first(site, "Item")}
    return {**ORDER, "customer": first(site, "Customer"), "items": [item]}


def with_item(order: Any, **values: Any) -> Any:
    return {**order, "items": [{**order["items"][0], **values}]}


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        (lambda order: {**order, "customer": "Nobody"}, 404, "DoesNotExistError"),
        (lambda order: with_item(order, item_code="Nothing"), 404, "DoesNotExistError"),
        (lambda order: with_item(order, qty=0), 417, "InvalidQtyError"),
        (lambda order: with_item(order, qty=-1), 417, "ValidationError"),
        (lambda order: {**order, "delivery_date": None}, 417, "ValidationError"),
        (lambda order: {**order, "delivery_date": "2026-11-01"}, 417, "ValidationError"),
        (lambda order: {**order, "transaction_date": "soon"}, 417, "ValidationError"),
        (lambda order: {**order, "items": []}, 500, "TypeError"),
    ],
)
def test_an_order_that_erpnext_refuses_is_refused(
    site: Running, order: Any, change: Any, status: int, kind: str
) -> None:
    got, body = ask(site, "POST", "/api/resource/Sales Order", change(order))
    assert (got, body["exc_type"]) == (status, kind), body


def test_an_order_is_due_when_the_last_of_its_rows_is(site: Running, order: Any) -> None:
    two = [{**order["items"][0], "delivery_date": day} for day in ("2026-12-03", "2026-12-24")]
    status, body = ask(site, "POST", "/api/resource/Sales Order", {**order, "items": two})
    assert (status, body["data"]["delivery_date"]) == (200, "2026-12-24")
    assert ask(site, "DELETE", f"/api/resource/Sales Order/{body['data']['name']}")[0] == 202


def test_two_reorder_rows_for_one_warehouse_are_refused(site: Running) -> None:
    leaves = urllib.parse.quote('[["is_group","=",0]]')
    status, body = ask(site, "GET", f"/api/resource/Warehouse?filters={leaves}")
    row = {"warehouse": body["data"][0]["name"], "warehouse_reorder_level": 1}
    row |= {"warehouse_reorder_qty": 1, "material_request_type": "Purchase"}
    item = first(site, "Item")
    status, body = ask(site, "PUT", f"/api/resource/Item/{item}", {"reorder_levels": [row, row]})
    assert (status, body["exc_type"]) == (417, "DuplicateReorderRows")
    assert body["_exc_source"] == "erpnext (app)"


def test_a_new_group_has_its_place_in_the_tree_and_a_root_is_not_deleted(site: Running) -> None:
    groups = "/api/resource/Item Group"
    root = ask(site, "GET", f"{groups}?limit=1&order_by=lft")[1]["data"][0]["name"]
    before = ask(site, "GET", f"{groups}/{root}")[1]["data"]
    status, body = ask(site, "POST", groups, {"item_group_name": "Newest"})
    made = body["data"]
    assert (status, made["parent_item_group"]) == (200, root)
    assert (made["lft"], made["rgt"]) == (before["rgt"], before["rgt"] + 1)
    assert ask(site, "GET", f"{groups}/{root}")[1]["data"]["rgt"] == before["rgt"] + 2
    status, body = ask(site, "DELETE", f"{groups}/{root}")
    assert (status, body["exc_type"]) == (417, "NestedSetChildExistsError")
    assert ask(site, "DELETE", f"{groups}/Newest")[0] == 202


def test_a_credit_limit_below_what_is_outstanding_is_refused(site: Running) -> None:
    where = urllib.parse.quote('[["status","=","To Deliver and Bill"],["per_billed","<",100]]')
    fields = urllib.parse.quote('["customer"]')
    found = ask(site, "GET", f"/api/resource/Sales Order?limit=1&filters={where}&fields={fields}")
    customer = f"/api/resource/Customer/{found[1]['data'][0]['customer']}"
    company = first(site, "Company")
    low, high = ({"company": company, "credit_limit": amount} for amount in (0.5, 10**7))
    assert ask(site, "PUT", customer, {"credit_limits": [high]})[0] == 200
    status, body = ask(site, "PUT", customer, {"credit_limits": [low]})
    assert (status, body["exc_type"], body["_exc_source"]) == (
        417,
        "ValidationError",
        "erpnext (app)",
    )
    assert "New credit limit is less than current outstanding amount" in body["exception"]
    # A change of anything else looks at no limit, nor do orders count where they are bypassed.
    assert ask(site, "PUT", customer, {"website": "x.example"})[0] == 200
    bypassed = {**low, "bypass_credit_limit_check": 1}
    assert ask(site, "PUT", customer, {"credit_limits": [bypassed]})[0] == 200
    status, body = ask(site, "PUT", customer, {"credit_limits": [high, high]})
    assert (status, "already defined for the Company" in body["exception"]) == (417, True)


@pytest.mark.parametrize(
    ("doctype", "party", "submitted"),
    [
        ("Quotation", "party_name", "Open"),
        ("Sales Invoice", "customer", "Unpaid"),
        ("Delivery Note", "customer", "To Bill"),
        ("Purchase Invoice", "supplier", "Unpaid"),
        ("Purchase Receipt", "supplier", "To Bill"),
        ("Material Request", None, "Pending"),
    ],
)
def test_what_a_paper_needs_besides_what_is_given_is_filled_in(
    site: Running, doctype: str, party: Any, submitted: Any
) -> None:
    item = {"item_code": first(site, "Item"), "qty": 3, "rate": 2, "schedule_date": "2099-12-01"}
    paper = {"items": [item], "material_request_type": "Purchase"}
    if party:
        paper[party] = first(site, "Supplier" if party == "supplier" else "Customer")
    status, body = ask(site, "POST", f"/api/resource/{doctype}", paper)
    assert status == 200, body
    made = body["data"]
    row = made["items"][0]
    assert (made["status"], row["conversion_factor"], bool(row["item_name"])) == (
        "Draft",
        1.0,
        True,
    )
    if party:
        assert made["grand_total"] == 6.0
    where = f"/api/resource/{doctype}/{made['name']}"
    for docstatus, now in ((1, submitted), (2, "Cancelled")):
        status, body = ask(site, "PUT", where, {"docstatus": docstatus})
        assert (status, body["data"]["status"]) == (200, now)
    if party in ("customer", "supplier"):
        status, body = ask(site, "POST", f"/api/resource/{doctype}", {**paper, party: "Nobody"})
        assert status == (404 if party == "customer" else 417)


def test_a_payment_knows_its_partys_account_and_both_currencies(site: Running) -> None:
    company = first(site, "Company")
    cash = {"account_name": "Till", "company": company, "account_type": "Cash"}
    cash |= {"account_currency": "EUR", "parent_account": first(site, "Account")}
    till = ask(site, "POST", "/api/resource/Account", cash)[1]["data"]["name"]
    assert till.startswith("Till - ")
    ask(site, "POST", "/api/resource/Account", {**cash, "account_name": "Owed",
                                                "account_type": "Receivable"})  # fmt: skip
    payment = {"payment_type": "Receive", "party_type": "Customer", "paid_to": till}
    payment |= {"party": first(site, "Customer"), "paid_amount": 5, "received_amount": 5}
    status, body = ask(site, "POST", "/api/resource/Payment Entry", payment)
    assert (status, body["data"]["paid_to_account_currency"]) == (200, "EUR")
    assert (body["data"]["base_paid_amount"], body["data"]["unallocated_amount"]) == (5.0, 5.0)
    status, body = ask(site, "POST", "/api/resource/Payment Entry", {**payment, "paid_to": None})
    assert (status, body["exc_type"]) == (417, "MandatoryError")


@pytest.mark.parametrize(
    ("doctype", "values", "name"),
    [
        ("User", {"email": "New@Shop.example", "first_name": "N"}, "new@shop.example"),
        ("Department", {"department_name": "Frames"}, "Frames - "),
        ("Account", {"account_name": "Petty", "account_number": "1001"}, "1001 - Petty - "),
        ("Bank", {"bank_name": "Rabo"}, "Rabo"),
        ("Bank Account", {"account_name": "Main", "bank": "Rabo"}, "Main - Rabo"),
        ("Lead", {"first_name": "Ann", "last_name": "Vos"}, "CRM-LEAD-"),
    ],
)
def test_a_document_has_the_name_that_erpnext_gives_it(
    site: Running, doctype: str, values: Any, name: str
) -> None:
    if doctype == "Bank Account":
        ask(site, "POST", "/api/resource/Bank", {"bank_name": "Rabo"}, as_user="admin")
    if "account_name" in values and doctype == "Account":
        values = {**values, "parent_account": first(site, "Account")}
    values = {**values, "company": first(site, "Company")}
    status, body = ask(site, "POST", f"/api/resource/{doctype}", values, as_user="admin")
    assert status == 200, body
    made = body["data"]
    assert made["name"].startswith(name)
    if doctype == "Lead":
        assert made["title"] == "Ann Vos"
