"""Sites of one snapshot: from the third on they are copies, and none sees what another does."""

import json
import urllib.request
from typing import Any

COUNTED = ("Item", "Sales Order", "DocType", "DocField", "User", "Custom Field")


def ask(site: Any, path: str, body: Any = None) -> Any:
    admin = site.users["admin"]
    request = urllib.request.Request(
        site.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"token {admin.api_key}:{admin.api_secret}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def shown(site: Any) -> Any:
    item = ask(site, "/api/resource/Item?limit_page_length=1&order_by=name")["data"][0]["name"]
    document = ask(site, f"/api/resource/Item/{item}")["data"]
    counts = [
        ask(site, f"/api/method/frappe.client.get_count?doctype={name.replace(' ', '%20')}")
        for name in COUNTED
    ]
    fields = ask(site, "/api/v2/doctype/Item/meta")["data"]["fields"]
    return item, document, counts, [field["fieldname"] for field in fields]


def test_a_copied_site_is_as_the_first_and_apart_from_it(erpnext_sandbox_factory: Any) -> None:
    first, second, third = (erpnext_sandbox_factory() for _ in range(3))
    before = shown(first)
    assert shown(second) == before == shown(third)
    for site, field in ((third, "of_the_third"), (second, "of_the_second")):
        ask(site, "/api/resource/UOM", {"uom_name": "Barrel"})
        custom = {"dt": "Item", "fieldname": field, "label": field, "fieldtype": "Data"}
        ask(site, "/api/resource/Custom%20Field", custom)
        item = {"item_code": field, "item_group": before[1]["item_group"], field: "x"}
        ask(site, "/api/resource/Item", {**item, "stock_uom": before[1]["stock_uom"]})
        assert field in shown(site)[3]
    assert shown(first) == before
    fourth = erpnext_sandbox_factory()
    assert shown(fourth) == before
    ask(fourth, "/api/resource/UOM", {"uom_name": "Barrel"})
    assert "of_the_second" not in shown(third)[3]
