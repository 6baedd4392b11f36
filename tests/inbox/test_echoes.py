"""What the site does not tell: the hub's own writes; what people there added to a condition; what
it tells instead of a rename.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

from tests.inbox.conftest import send, site_asks
from tests.inbox.test_site_webhooks import Connected, connected, shop  # noqa: F401
from tests.kit.waiting import until

THEIRS = 'doc.customer_group != "Nobody" or doc.disabled'
OLD = {"after_insert": "", "on_update": THEIRS, "on_trash": ""}


def customer(site: Any, who: str, **values: Any) -> str:
    name = f"Echo {uuid4().hex[:8]}"
    given = {"customer_name": name, "email_id": "a@example.com", "city": "Ghent", **values}
    given |= {"address_line1": "Kouter 1", "country": "Belgium"}
    made = site_asks(site, "POST", "/api/resource/Customer", given, who=who)
    return str(made["data"]["name"])


def write(site: Any, who: str, name: str, method: str = "PUT") -> None:
    path = f"/api/resource/Customer/{quote(name, safe='')}"
    values = {"website": f"https://{uuid4().hex[:8]}.example.com"} if method == "PUT" else None
    site_asks(site, method, path, values, who=who)


def jobs(site: Any, doing: Callable[[], Any]) -> tuple[int, Any]:
    """How many jobs of the site's queue that makes, and what it gives."""
    until(lambda: not site.site.jobs)
    before = site.deliveries.done
    result = doing()
    until(lambda: not site.site.jobs)
    return site.deliveries.done - before, result


def test_the_hubs_own_writes_make_no_jobs_and_those_of_others_one_each(
    connected: Connected,  # noqa: F811
) -> None:
    connected.set_up()
    site = connected.site
    count, name = jobs(site, lambda: customer(site, "hub"))
    assert count == 0
    assert jobs(site, lambda: write(site, "hub", name))[0] == 0
    assert jobs(site, lambda: write(site, "admin", name))[0] == 1
    until(lambda: (name, "on_change") in connected.heard())
    assert jobs(site, lambda: write(site, "hub", name))[0] == 0
    count, theirs = jobs(site, lambda: customer(site, "admin"))
    assert count > 0
    until(lambda: (theirs, "after_insert") in connected.heard())
    write(site, "admin", theirs, "DELETE")
    until(lambda: (theirs, "on_trash") in connected.heard())


def test_a_deletion_is_told_once_though_a_change_is_told_with_it(
    connected: Connected,  # noqa: F811
) -> None:
    """ERPNext takes its Address and Contact from a Customer first, which is a change: an Address
    has nothing of that kind.
    """
    connected.set_up()
    site = connected.site
    values = {"address_title": f"Echo {uuid4().hex[:8]}", "address_line1": "Kouter 1"}
    values |= {"address_type": "Billing", "city": "Ghent", "country": "Belgium"}
    address = site_asks(site, "POST", "/api/resource/Address", values, who="admin")["data"]["name"]
    gone = f"/api/resource/Address/{quote(address, safe='')}"
    assert jobs(site, lambda: site_asks(site, "DELETE", gone, who="admin"))[0] == 1
    until(lambda: (address, "on_trash") in connected.heard())


def test_what_changes_without_modified_is_told_though_the_hub_wrote_it_last(
    connected: Connected,  # noqa: F811
) -> None:
    """Who is in `modified_by` did not do it then."""
    connected.set_up()
    site = connected.site
    name = customer(site, "hub")
    address = site_asks(site, "GET", f"/api/resource/Customer/{quote(name, safe='')}")["data"][
        "customer_primary_address"
    ]
    assert address
    values = {"address_line1": "Kouter 2"}
    place = f"/api/resource/Address/{quote(address, safe='')}"
    site_asks(site, "PUT", place, values)
    until(lambda: (address, "on_change") in connected.heard())


def test_a_rename_is_told_with_the_new_name(connected: Connected) -> None:  # noqa: F811
    connected.set_up(doctypes=["Customer", "Item"], events=["update"])
    site = connected.site
    [item] = site_asks(site, "GET", "/api/resource/Item?limit_page_length=1")["data"]
    new = f"Renamed {uuid4().hex[:6]}"
    order = {"doctype": "Item", "old_name": item["name"], "new_name": new}
    site_asks(site, "POST", "/api/method/frappe.client.rename_doc", order)
    deliveries = f"{connected.at}/deliveries"

    def told() -> list[Any]:
        found = connected.api.get(deliveries).json["deliveries"]
        named = [one for one in found if (one["doctype"], one["name"]) == ("Item", new)]
        # The site tells of a change as well, and that may come first.
        return [one for one in named if one["event"] == "after_rename"]

    assert until(told)
    # Of a DocType that nobody asked for it tells nothing.
    order = {"doctype": "Supplier Group", "old_name": "Local", "new_name": f"L {new}"}
    groups = site_asks(site, "GET", "/api/resource/Supplier Group?limit_page_length=1")["data"]
    order["old_name"] = groups[0]["name"]
    count, _ = jobs(
        site, lambda: site_asks(site, "POST", "/api/method/frappe.client.rename_doc", order)
    )
    assert count == 0


def test_a_set_up_of_the_older_form_is_told_of_and_mended_and_a_condition_stays(
    connected: Connected,  # noqa: F811
) -> None:
    connected.set_up(doctypes=["Customer"])
    site, token = connected.site, _token(connected)
    for row in connected.webhooks():
        site_asks(site, "DELETE", f"/api/resource/Webhook/{quote(row['name'])}")
    address = connected.api.get(connected.at).json["addresses"]["Customer"]
    for event, condition in OLD.items():
        webhook = {
            "name": f"Bascule Customer {event} {token[:8]}",
            **{"webhook_doctype": "Customer", "webhook_docevent": event, "enabled": 1},
            **{"request_url": address, "request_structure": "JSON", "condition": condition},
            **{"webhook_json": "{}", "enable_security": 1, "webhook_secret": "x" * 20},
        }
        site_asks(site, "POST", "/api/resource/Webhook", webhook)
    connected.sql(
        "UPDATE bascule.webhook_ends SET wanted = %s WHERE connection_id = %s",
        ['{"Customer": ["after_insert", "on_update", "on_trash"]}', connected.id],
    )
    [trouble] = connected.do("check")["troubles"]
    assert "older form" in trouble["what"]
    assert trouble["mend"] == "mend"
    mended = connected.do("mend")
    assert mended["troubles"] == []
    assert sorted(connected.states()) == [
        *("Comment after_rename", "Customer after_insert"),
        *("Customer on_change", "Customer on_trash"),
    ]
    [row] = [row for row in connected.webhooks() if row["webhook_docevent"] == "on_change"]
    assert row["condition"].startswith(f"({THEIRS}) and ")
    assert connected.do("mend")["changed"] == []
    # Added beside ours it is no alteration, and stays however often they are mended.
    inserted = next(
        r
        for r in connected.webhooks()
        if r["webhook_docevent"] == "after_insert" and r["webhook_doctype"] == "Customer"
    )
    more = f"{inserted['condition']} and not doc.disabled"
    connected.change(inserted["name"], condition=more)
    assert connected.states()["Customer after_insert"] == "fine"
    connected.do("mend")
    rows = {row["name"]: row["condition"] for row in connected.webhooks()}
    assert "not doc.disabled" in rows[inserted["name"]]
    assert jobs(site, lambda: customer(site, "hub"))[0] == 0
    assert jobs(site, lambda: customer(site, "admin", disabled=1))[0] == 0


def test_a_delivery_note_pulls_what_it_moves_and_a_rename_everything(
    connected: Connected,  # noqa: F811
    make_secret_known: Callable[[UUID], str],
) -> None:
    connected.set_up(doctypes=["Delivery Note"])
    secret = make_secret_known(connected.id)
    address = urlsplit(connected.api.get(connected.at).json["addresses"]["Delivery Note"])
    to = f"{address.path}?{address.query}"
    body = b'{"event": "on_change", "doctype": "Delivery Note", "name": "DN-1"}'
    assert send(connected.hub.url, to, body, secret=secret).status == 200
    until(lambda: {"Bin", "Sales Order"} <= pulled(connected))
    assert "Supplier" not in pulled(connected)
    renames = to.replace("delivery-note", "renames")
    body = b'{"event": "after_rename", "doctype": "Delivery Note", "name": "DN-2"}'
    assert send(connected.hub.url, renames, body, secret=secret).status == 200
    until(lambda: {"Supplier", "Customer", "Item", "Bin"} <= pulled(connected))


def pulled(connected: Connected) -> set[str]:  # noqa: F811
    rows = connected.sql(
        "SELECT DISTINCT s.doctype FROM bascule.runs r JOIN bascule.streams s ON s.id = r.stream_id"
        " WHERE r.connection_id = %s AND r.trigger = 'webhook'",
        [connected.id],
    )
    return {doctype for (doctype,) in rows}


def _token(connected: Connected) -> str:  # noqa: F811
    [(token,)] = connected.sql(
        "SELECT token FROM bascule.webhook_ends WHERE connection_id = %s", [connected.id]
    )
    return str(token)
