from typing import Any

from tests.sandbox.conftest import MakeSite, doctype, field, messages


async def test_a_custom_field_is_there_at_once_and_gone_when_deleted(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    await site.inserted("Bike", frame="A")
    custom = await site.inserted("Custom Field", dt="Bike", label="Bell Tone", fieldtype="Int")
    assert (custom["name"], custom["fieldname"]) == ("Bike-custom_bell_tone", "custom_bell_tone")
    await site.update("Bike", "A", custom_bell_tone="7")
    rows = await site.list("Bike", fields=["name", "custom_bell_tone"])
    assert rows == [{"name": "A", "custom_bell_tone": 7}]
    _, body = await site.get("/api/v2/doctype/Bike/meta")
    assert [row["fieldname"] for row in body["data"]["fields"]] == ["frame", "custom_bell_tone"]
    assert (await site.delete("Custom Field", custom["name"]))[0] == 202
    status, body = await site.get("/api/resource/Bike", fields=["custom_bell_tone"])
    assert (status, messages(body)) == (417, ["Field not permitted in query: custom_bell_tone"])


async def test_a_custom_field_of_a_name_that_is_taken_is_refused(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    status, body = await site.insert(
        "Custom Field", dt="Bike", fieldname="frame", label="Frame", fieldtype="Data"
    )
    told = "A field with the name <strong>frame</strong> already exists in Bike"
    assert (status, messages(body)) == (417, [told])


async def test_a_property_setter_changes_a_field(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), field("colour"), autoname="field:frame"))
    await site.inserted(
        "Property Setter",
        doctype_or_field="DocField",
        doc_type="Bike",
        field_name="colour",
        property="reqd",
        property_type="Check",
        value="1",
    )
    status, body = await site.insert("Bike", frame="A")
    assert (status, body["exc_type"]) == (417, "MandatoryError")


async def test_the_doctype_itself_stays_as_it_was_made(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    await site.inserted("Custom Field", dt="Bike", fieldname="bell", label="B", fieldtype="Data")
    original = await site.read("DocType", "Bike")
    assert [row["fieldname"] for row in original["fields"]] == ["frame"]
    rows = await site.list("Custom Field", filters={"dt": "Bike"}, fields=["fieldname"])
    assert rows == [{"fieldname": "bell"}]
    _, body = await site.get("/api/method/frappe.desk.form.load.getdoctype", doctype="Bike")
    assert [row["fieldname"] for row in body["docs"][0]["fields"]] == ["frame", "bell"]


async def test_documents_of_an_unknown_doctype_make_one(make_site: MakeSite) -> None:
    row = {"doctype": "Spoke", "name": "s1", "gauge": 2.0, "idx": 1}
    row |= {"parent": "G1", "parenttype": "Gadget", "parentfield": "spokes"}
    gadget = {"doctype": "Gadget", "name": "G1", "colour": "red", "weight": 3, "spokes": [row]}
    site = (await make_site(documents={"Gadget": [gadget]})).as_user("admin")
    shown = await site.read("Gadget", "G1")
    assert (shown["colour"], shown["weight"], shown["spokes"][0]["gauge"]) == ("red", 3, 2.0)
    assert len(await site.list("Spoke", parent="Gadget")) == 1


async def test_a_field_whose_call_was_refused_is_gone_again(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    admin = site.as_user("admin")
    good = {"doctype": "Custom Field", "dt": "Bike", "fieldname": "gears", "fieldtype": "Int"}
    bad = {**good, "fieldname": "maker", "fieldtype": "Link", "options": "Nope"}
    both = [{**one, "label": one["fieldname"]} for one in (good, bad)]
    assert (await admin.call("frappe.client.insert_many", docs=both))[0] == 417
    made = await site.inserted("Bike", frame="A", gears=7)
    assert "gears" not in made
    assert (await site.get("/api/resource/Bike", fields=["gears"]))[0] == 417
    assert (await admin.call("frappe.client.insert", doc=both[0]))[0] == 200
    assert (await site.inserted("Bike", frame="B", gears=7))["gears"] == 7


async def test_custom_permissions_take_the_place_of_the_doctypes_own(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    admin, clerk = site.as_user("admin"), site.as_user("clerk")
    await site.inserted("Bike", frame="A")
    given = {"parent": "Bike", "role": "Clerk", "read": 1}
    made = await admin.inserted("Custom DocPerm", **given)
    assert await clerk.list("Bike") == [{"name": "A"}]
    assert (await site.get("/api/resource/Bike"))[0] == 403
    assert (await admin.delete("Custom DocPerm", made["name"]))[0] == 202
    assert (await clerk.get("/api/resource/Bike"))[0] == 403
    assert await site.list("Bike") == [{"name": "A"}]


async def test_every_site_has_its_roles_and_what_setup_makes(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame")))
    roles = {row["name"] for row in await site.list("Role", limit_page_length=0)}
    assert {"System Manager", "Clerk", "All", "Guest", "Accounts Manager"} <= roles
    paid = (await site.as_user("admin").read("Mode of Payment", "Cash"))["type"]
    assert paid == "Cash"


async def test_a_doctype_that_a_call_makes_is_there_at_once(make_site: MakeSite) -> None:
    site = (await make_site(doctype("Bike", field("frame")))).as_user("admin")
    shelf: dict[str, Any] = {
        "name": "Shelf",
        "module": "Core",
        "custom": 1,
        "autoname": "field:place",
        "fields": [
            {"fieldname": "place", "label": "Place", "fieldtype": "Data"},
            {"label": "How High", "fieldtype": "Int"},
        ],
        "permissions": [{"role": "Clerk", "read": 1}],
    }
    status, body = await site.insert("DocType", **{**shelf, "custom": 0})
    assert (status, body["exc_type"]) == (417, "CannotCreateStandardDoctypeError")
    twice = {**shelf, "fields": [shelf["fields"][0]] * 2}
    assert (await site.insert("DocType", **twice))[1]["exc_type"] == "UniqueFieldnameError"
    assert (await site.get("/api/resource/Shelf"))[0] == 404
    made = await site.inserted("DocType", **shelf)
    assert [row["fieldname"] for row in made["fields"]] == ["place", "how_high"]
    assert (await site.inserted("Shelf", place="A", how_high=2))["name"] == "A"
    assert await site.as_user("clerk").list("Shelf") == [{"name": "A"}]
    more = [*made["fields"], {"fieldname": "deep", "label": "Deep", "fieldtype": "Int"}]
    assert (await site.update("DocType", "Shelf", fields=more))[0] == 200
    assert (await site.read("Shelf", "A"))["deep"] == 0
    assert (await site.delete("DocType", "Shelf"))[0] == 202
    assert (await site.get("/api/resource/Shelf"))[0] == 404
    assert (await site.delete("DocType", "Bike"))[0] == 417
    assert (await site.update("DocType", "Bike", module="Core"))[0] == 417
