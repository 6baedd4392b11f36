from typing import Any

import pytest

from tests.sandbox.conftest import Client, MakeSite, doctype, field, messages

WHEEL = doctype("Wheel", field("size", "Int", reqd=1), field("rim"), istable=1)


async def shop(make_site: MakeSite) -> Client:
    return await make_site(
        WHEEL,
        doctype("Maker", field("maker_name"), field("city"), autoname="field:maker_name"),
        doctype(
            "Bike",
            field("frame", reqd=1, length=20),
            field("kind", "Select", "City\nCargo", default="Cargo"),
            field("maker", "Link", "Maker"),
            field("dealer", "Link", "Maker"),
            field("city", fetch_from="maker.city"),
            field("price", "Currency"),
            field("built", "Date"),
            field("sold", "Check"),
            field("stamp", set_only_once=1),
            field("serial", unique=1),
            field("email", options="Email"),
            field("note", "Small Text", allow_on_submit=1),
            field("wheels", "Table", "Wheel"),
            field("about_type", "Link", "DocType"),
            field("about", "Dynamic Link", "about_type"),
            autoname="field:frame",
            is_submittable=1,
            allow_rename=1,
        ),
    )


async def test_a_new_document_has_its_defaults_and_no_nulls_but_zeros(make_site: MakeSite) -> None:
    bike = await (await shop(make_site)).inserted("Bike", frame="A")
    assert (bike["kind"], bike["price"], bike["sold"]) == ("Cargo", 0.0, 0)
    assert bike["owner"] == bike["modified_by"] == "hub@example.com"
    assert bike["creation"] == bike["modified"]
    assert "maker" not in bike


async def test_values_are_taken_as_numbers_where_the_field_is_one(make_site: MakeSite) -> None:
    site = await shop(make_site)
    bike = await site.inserted("Bike", frame="A", price="1,200.50", sold="1", built="2026-02-03")
    assert (bike["price"], bike["sold"]) == (1200.5, 1)
    again = await site.read("Bike", "A")
    assert (again["price"], again["built"]) == (1200.5, "2026-02-03")


async def test_unknown_fields_are_dropped_without_a_word(make_site: MakeSite) -> None:
    site = await shop(make_site)
    assert "colour" not in await site.inserted("Bike", frame="A", colour="red")
    status, body = await site.update("Bike", "A", colour="red")
    assert status == 200
    assert "colour" not in body["data"]


async def test_each_mistake_has_its_own_refusal(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="There", serial="S1")
    wrong: dict[str, dict[str, Any]] = {
        "MandatoryError": {"frame": "B", "wheels": [{"rim": "x"}]},
        "LinkValidationError": {"frame": "B", "dealer": "Nobody"},
        "ValidationError": {"frame": "B", "kind": "Race"},
        "CharacterLengthExceededError": {"frame": "B" * 21},
        "InvalidEmailAddressError": {"frame": "B", "email": "nobody"},
        "UniqueValidationError": {"frame": "B", "serial": "S1"},
    }
    for kind, values in wrong.items():
        status, body = await site.insert("Bike", **values)
        assert (status, body["exc_type"]) == (417, kind)
    assert await site.list("Bike") == [{"name": "There"}]


async def test_a_link_that_fetches_is_not_looked_at(make_site: MakeSite) -> None:
    """So it is with Frappe: where fields come along with a link, nobody sees that it is dead."""
    bike = await (await shop(make_site)).inserted("Bike", frame="A", maker="Nobody")
    assert bike["maker"] == "Nobody"
    assert "city" not in bike


async def test_who_made_it_and_when_never_changes(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A")
    for field_name, value, label in (
        ("owner", "clerk@example.com", "Created By"),
        ("creation", "2020-01-01 00:00:00", "Created On"),
    ):
        status, body = await site.update("Bike", "A", **{field_name: value})
        assert (status, body["exc_type"]) == (417, "CannotChangeConstantError")
        assert messages(body) == [f"Value cannot be changed for <strong>{label}</strong>"]


async def test_what_the_database_cannot_keep_is_its_own_error(make_site: MakeSite) -> None:
    site = await shop(make_site)
    wrong: dict[str, dict[str, Any]] = {
        "OperationalError": {"built": "soon"},
        "DataError": {"note": "x" * 65_536},
        "TypeError": {"note": {"a": 1}},
    }
    for kind, values in wrong.items():
        status, body = await site.insert("Bike", frame="B", **values)
        assert (status, body["exc_type"]) == (500, kind)
    assert await site.list("Bike") == []


async def test_a_mistake_in_a_row_names_the_row(make_site: MakeSite) -> None:
    site = await shop(make_site)
    status, body = await site.insert("Bike", frame="A", wheels=[{"size": 28}, {"rim": "x"}])
    told = "Error: <strong>Wheel</strong> Row #2: Value missing for: Size"
    assert (status, messages(body)) == (417, [told])
    assert body["exception"].endswith("MandatoryError: [Bike, A]: size")


async def test_a_link_finds_its_target_in_any_case_and_fetches_from_it(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Maker", maker_name="Spaak", city="Utrecht")
    bike = await site.inserted("Bike", frame="A", maker="SPAAK", city="Elsewhere")
    assert (bike["maker"], bike["city"]) == ("Spaak", "Utrecht")


async def test_a_dynamic_link_needs_to_know_what_it_links_to(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Maker", maker_name="Spaak")
    status, body = await site.insert("Bike", frame="A", about="Spaak")
    assert (status, messages(body)) == (417, ["About Type must be set first"])
    linked = {"about_type": "Maker", "about": "Spaak"}
    assert (await site.inserted("Bike", frame="A", **linked))["about"] == "Spaak"


async def test_rows_are_numbered_and_named_and_move_with_their_parent(make_site: MakeSite) -> None:
    site = await shop(make_site)
    bike = await site.inserted("Bike", frame="A", wheels=[{"size": 28}, {"size": 26}])
    rows = bike["wheels"]
    assert [(row["idx"], row["parent"], row["parentfield"]) for row in rows] == [
        (1, "A", "wheels"),
        (2, "A", "wheels"),
    ]
    await site.update("Bike", "A", price=5)
    later = await site.read("Bike", "A")
    assert [row["name"] for row in later["wheels"]] == [row["name"] for row in rows]
    assert {row["modified"] for row in later["wheels"]} == {later["modified"]}


async def test_rows_that_are_given_replace_those_that_were_there(make_site: MakeSite) -> None:
    site = await shop(make_site)
    bike = await site.inserted(
        "Bike", frame="A", wheels=[{"size": 28, "rim": "x"}, {"size": 26}, {"size": 24}]
    )
    first, _, third = bike["wheels"]
    kept = [{"name": third["name"], "size": 25}, {"size": 20}]
    _, body = await site.update("Bike", "A", wheels=kept)
    rows = body["data"]["wheels"]
    assert [(row["size"], row["idx"]) for row in rows] == [(25, 1), (20, 2)]
    assert rows[0]["name"] == third["name"]
    names = [row["name"] for row in await site.list("Wheel", parent="Bike")]
    assert sorted(names) == sorted(row["name"] for row in rows)
    assert first["name"] not in names


async def test_a_stale_modified_is_refused_and_the_current_one_taken(make_site: MakeSite) -> None:
    site = await shop(make_site)
    first = await site.inserted("Bike", frame="A")
    _, body = await site.update("Bike", "A", price=1)
    stale = await site.update("Bike", "A", price=2, modified=first["modified"])
    fresh = await site.update("Bike", "A", price=3, modified=body["data"]["modified"])
    assert (stale[0], stale[1]["exc_type"]) == (417, "TimestampMismatchError")
    assert fresh[0] == 200
    assert fresh[1]["data"]["modified"] > body["data"]["modified"] > first["modified"]


async def test_what_is_set_once_does_not_change(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A", stamp="x")
    status, body = await site.update("Bike", "A", stamp="y")
    assert (status, body["exc_type"]) == (417, "CannotChangeConstantError")


async def test_a_document_goes_from_draft_to_submitted_to_cancelled_and_no_other_way(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A", wheels=[{"size": 28}])
    assert (await site.update("Bike", "A", docstatus=2))[1]["exc_type"].startswith("Docstatus")
    _, body = await site.update("Bike", "A", docstatus=1)
    assert [body["data"]["docstatus"], body["data"]["wheels"][0]["docstatus"]] == [1, 1]
    assert (await site.update("Bike", "A", docstatus=0))[1]["exc_type"].startswith("Docstatus")
    assert (await site.delete("Bike", "A"))[0] == 417
    assert (await site.call("frappe.client.cancel", doctype="Bike", name="A"))[0] == 200
    status, body = await site.update("Bike", "A", note="x")
    assert status == 417
    assert body["exception"].endswith("ValidationError: Cannot edit cancelled document")
    assert (await site.delete("Bike", "A"))[0] == 202


async def test_after_submission_only_that_changes_which_allows_it(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A", docstatus=1, wheels=[{"size": 28}])
    assert (await site.update("Bike", "A", note="sold to Ann"))[0] == 200
    refused: list[dict[str, Any]] = [{"price": 5}, {"wheels": []}]
    for values in refused:
        status, body = await site.update("Bike", "A", **values)
        assert (status, body["exc_type"]) == (417, "UpdateAfterSubmitError")


async def test_a_cancelled_document_is_not_linked_to(make_site: MakeSite) -> None:
    site = await make_site(
        doctype("Order", field("no"), autoname="field:no", is_submittable=1),
        doctype("Bill", field("order", "Link", "Order"), is_submittable=1),
    )
    await site.inserted("Order", no="1", docstatus=1)
    bill = await site.inserted("Bill", order="1", docstatus=1)
    status, body = await site.update("Order", "1", docstatus=2)
    assert (status, body["exc_type"]) == (417, "LinkExistsError")
    await site.update("Bill", bill["name"], docstatus=2)
    assert (await site.update("Order", "1", docstatus=2))[0] == 200
    status, body = await site.insert("Bill", order="1")
    assert (status, body["exc_type"]) == (417, "CancelledLinkError")


async def test_markup_that_could_run_is_made_text(make_site: MakeSite) -> None:
    site = await shop(make_site)
    note = 'A <b onclick="x()">bike</b> & <script>alert(1)</script> 3 < 4'
    bike = await site.inserted("Bike", frame="A", note=note)
    clean = "A <b>bike</b> &amp; &lt;script&gt;alert(1)&lt;/script&gt; 3 &lt; 4"
    assert bike["note"] == clean
    assert (await site.inserted("Bike", frame="B", note="3 < 4 & 5"))["note"] == "3 < 4 & 5"


async def test_insert_many_stores_all_or_none(make_site: MakeSite) -> None:
    site = await shop(make_site)
    docs = [{"doctype": "Bike", "frame": name} for name in "AB"]
    assert (await site.call("frappe.client.insert_many", docs=docs))[1]["message"] == ["A", "B"]
    docs = [{"doctype": "Bike", "frame": name} for name in ("C", "A", "D")]
    assert (await site.call("frappe.client.insert_many", docs=docs))[0] == 409
    many = [{"doctype": "Bike", "frame": str(n)} for n in range(201)]
    assert (await site.call("frappe.client.insert_many", docs=many))[0] == 417
    assert len(await site.list("Bike")) == 2


async def test_set_value_changes_a_document_and_a_row(make_site: MakeSite) -> None:
    site = await shop(make_site)
    bike = await site.inserted("Bike", frame="A", wheels=[{"size": 28}])
    row = bike["wheels"][0]["name"]
    change = {"doctype": "Wheel", "name": row, "fieldname": "size", "value": 26}
    _, body = await site.call("frappe.client.set_value", **change)
    assert body["message"]["wheels"][0]["size"] == 26
    change = {"doctype": "Bike", "name": "A", "fieldname": {"price": 3, "kind": "City"}}
    _, body = await site.call("frappe.client.set_value", **change)
    assert (body["message"]["price"], body["message"]["kind"]) == (3.0, "City")


async def test_a_row_is_inserted_and_deleted_through_its_parent(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A", wheels=[{"size": 28}])
    doc = {"doctype": "Wheel", "parenttype": "Bike", "parent": "A", "parentfield": "wheels"}
    _, body = await site.call("frappe.client.insert", doc={**doc, "size": 20})
    rows = body["message"]["wheels"]
    assert [row["size"] for row in rows] == [28, 20]
    gone = {"doctype": "Wheel", "name": rows[0]["name"]}
    assert (await site.call("frappe.client.delete", **gone))[0] == 200
    left = (await site.read("Bike", "A"))["wheels"]
    assert [(row["size"], row["idx"]) for row in left] == [(20, 1)]


async def test_a_document_that_was_read_is_sent_back_whole(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A", wheels=[{"size": 28, "rim": "x"}])
    _, body = await site.call("frappe.client.get", doctype="Bike", name="A")
    whole = body["message"]
    whole["wheels"][0]["size"] = 26
    _, body = await site.call("frappe.client.save", doc=whole)
    saved = body["message"]
    assert [(row["size"], row["rim"]) for row in saved["wheels"]] == [(26, "x")]
    _, body = await site.call("frappe.client.submit", doc=saved)
    assert (body["message"]["docstatus"], body["message"]["wheels"][0]["docstatus"]) == (1, 1)
    assert (await site.call("frappe.client.submit", doc=whole))[1]["exc_type"] == (
        "TimestampMismatchError"
    )


async def test_an_order_is_added_up_and_its_status_follows(make_site: MakeSite) -> None:
    items = [{"doctype": "Item", "name": "SPOKE", "item_code": "SPOKE", "item_name": "Spoke"}]
    items[0] |= {"stock_uom": "Nos", "item_group": "Parts", "description": "A spoke"}
    company = {"doctype": "Company", "name": "Shop", "default_currency": "EUR"}
    documents = {
        "Item": items,
        "UOM": [{"doctype": "UOM", "name": "Nos"}],
        "Item Group": [{"doctype": "Item Group", "name": "Parts"}],
        "Company": [company],
        "Price List": [{"doctype": "Price List", "name": "Standard Selling"}],
        "Customer": [{"doctype": "Customer", "name": "Ann", "customer_name": "Ann"}],
    }
    site = (await make_site(documents=documents)).as_user("admin")
    rows = [{"item_code": "SPOKE", "qty": 36, "rate": 0.5, "delivery_date": "2026-05-01"}]
    order = await site.inserted(
        "Sales Order", customer="Ann", transaction_date="2026-04-01",
        delivery_date="2026-05-01", items=rows,
    )  # fmt: skip
    assert (order["company"], order["currency"], order["status"]) == ("Shop", "EUR", "Draft")
    assert (order["total_qty"], order["grand_total"]) == (36.0, 18.0)
    assert (order["items"][0]["item_name"], order["items"][0]["amount"]) == ("Spoke", 18.0)
    _, body = await site.update("Sales Order", order["name"], docstatus=1)
    assert body["data"]["status"] == "To Deliver and Bill"


@pytest.mark.parametrize(("major", "desk"), [(15, "app"), (16, "desk")])
async def test_a_link_to_the_desk_opens_the_document_as_a_plain_page(
    make_site: MakeSite, major: int, desk: str
) -> None:
    """Without credentials, as a browser comes; nothing of it is markup."""
    spoke = doctype("Spoke", field("colour"), istable=1)
    site = await make_site(
        spoke,
        doctype(
            "Old Bike",
            field("frame", reqd=1),
            field("spokes", "Table", "Spoke"),
            autoname="field:frame",
        ),
        major=major,
    )
    await site.inserted("Old Bike", frame="A/1 & b", spokes=[{"colour": "<b>red"}])
    nobody = site.as_user("nobody")
    for at in {"app", desk}:  # 16 sends on
        status, page = await nobody.get(f"/{at}/old-bike/A%2F1%20%26%20b")
        assert status == 200
        assert "Old Bike A/1 &amp; b" in page
        assert "&lt;b&gt;red" in page
        assert "<b>" not in page
    assert (await nobody.get(f"/{desk}/old-bike/none"))[0] == 404
    assert (await nobody.get(f"/{desk}/no-such/none"))[0] == 404
