"""What ERPNext itself refuses and fills in of orders, items and trees."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest

ORDER = {
    "customer": None,
    "transaction_date": "2026-11-20",
    "delivery_date": "2026-12-01",
    "items": [{"item_code": None, "qty": 2, "rate": 10}],
}


def ask(site, verb, path, body=None):
    user = site.users["hub"]
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


def first(site, doctype):
    status, body = ask(site, "GET", f"/api/resource/{doctype}?limit=1")
    assert status == 200, body
    return body["data"][0]["name"]


@pytest.fixture
def order(site):
    item = {**ORDER["items"][0], "item_code": first(site, "Item")}
    return {**ORDER, "customer": first(site, "Customer"), "items": [item]}


def with_item(order, **values):
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
def test_an_order_that_erpnext_refuses_is_refused(site, order, change, status, kind):
    got, body = ask(site, "POST", "/api/resource/Sales Order", change(order))
    assert (got, body["exc_type"]) == (status, kind), body


def test_an_order_is_due_when_the_last_of_its_rows_is(site, order):
    two = [{**order["items"][0], "delivery_date": day} for day in ("2026-12-03", "2026-12-24")]
    status, body = ask(site, "POST", "/api/resource/Sales Order", {**order, "items": two})
    assert (status, body["data"]["delivery_date"]) == (200, "2026-12-24")
    assert ask(site, "DELETE", f"/api/resource/Sales Order/{body['data']['name']}")[0] == 202


def test_two_reorder_rows_for_one_warehouse_are_refused(site):
    leaves = urllib.parse.quote('[["is_group","=",0]]')
    status, body = ask(site, "GET", f"/api/resource/Warehouse?filters={leaves}")
    row = {"warehouse": body["data"][0]["name"], "warehouse_reorder_level": 1}
    row |= {"warehouse_reorder_qty": 1, "material_request_type": "Purchase"}
    item = first(site, "Item")
    status, body = ask(site, "PUT", f"/api/resource/Item/{item}", {"reorder_levels": [row, row]})
    assert (status, body["exc_type"]) == (417, "DuplicateReorderRows")
    assert body["_exc_source"] == "erpnext (app)"


def test_a_new_group_has_its_place_in_the_tree_and_a_root_is_not_deleted(site):
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


def test_a_credit_limit_below_what_is_outstanding_is_refused(site):
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
