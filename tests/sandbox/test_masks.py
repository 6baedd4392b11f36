"""Fields that version 16 masks, as ../erpnext16 has them recorded."""

from tests.sandbox.conftest import MakeSite, doctype, field

MAY = {"role": "Clerk", "read": 1, "write": 1, "create": 1}
FIELDS = (
    field("tax_id", mask=1),
    field("phone", options="Phone", mask=1),
    field("email", options="Email", mask=1),
    field("born", "Date", mask=1),
    field("limit", "Currency", mask=1),
    field("website"),
)
VALUES = {
    "tax_id": "NL1",
    "phone": "+31612340001",
    "email": "c1@example.com",
    "born": "2001-02-03",
    "limit": 12.5,
    "website": "a.example",
}
MASKED = {
    "tax_id": "XXXXXXXX",
    "phone": "+31XXXXXX",
    "email": "XXXXXX@example.com",
    "born": "XX-XX-XXXX",
    "limit": "XXXXXXXX",
    "website": "a.example",
}


async def test_who_lacks_the_right_gets_masks_and_writes_them_over_the_values(
    make_site: MakeSite,
) -> None:
    child = doctype("Bike Lock", field("code", mask=1), istable=1)
    bike = doctype(
        "Bike", *FIELDS, field("locks", "Table", "Bike Lock"), autoname="hash", permissions=[MAY]
    )
    hub = await make_site(bike, child, major=16)
    admin, clerk = hub.as_user("admin"), hub.as_user("clerk")
    made = await admin.inserted("Bike", **VALUES, locks=[{"code": "1234"}])
    name, names = made["name"], list(VALUES)
    assert await clerk.list("Bike", fields=names) == [MASKED]
    assert await clerk.list("Bike", fields=names, as_dict=False) == [list(MASKED.values())]
    shown = await clerk.read("Bike", name)
    assert {key: shown[key] for key in names} == MASKED
    assert shown["locks"][0]["code"] == "1234"  # a row of a document is not masked, listed it is
    rows = await clerk.list("Bike Lock", parent="Bike", fields=["code"])
    assert rows == [{"code": "XXXXXXXX"}]
    status, body = await clerk.get("/api/method/frappe.desk.form.load.getdoctype", doctype="Bike")
    assert status == 200
    assert [one["masked_fields"] for one in body["docs"]] == [list(VALUES)[:-1], ["code"]]
    assert await admin.list("Bike", fields=names) == [VALUES]


async def test_what_such_a_user_saves_has_masks_over_the_values_and_a_create_drops_them(
    make_site: MakeSite,
) -> None:
    fields = (field("tax_id", mask=1), field("website"))
    hub = await make_site(doctype("Bike", *fields, autoname="hash", permissions=[MAY]), major=16)
    admin, clerk = hub.as_user("admin"), hub.as_user("clerk")
    name = (await admin.inserted("Bike", tax_id="NL1"))["name"]
    assert (await clerk.update("Bike", name, tax_id="NL2", website="b.example"))[0] == 200
    kept = await admin.read("Bike", name)
    assert (kept["website"], kept["tax_id"]) == ("b.example", "XXXXXXXX")
    created = await clerk.inserted("Bike", website="c.example", tax_id="NL3")
    assert "tax_id" not in await admin.read("Bike", created["name"])


async def test_a_role_with_the_right_sees_the_values_and_version_15_knows_no_masks(
    make_site: MakeSite,
) -> None:
    masking = doctype("Bike", *FIELDS, autoname="hash", permissions=[MAY | {"mask": 1}])
    for definition, major in ((masking, 16), (doctype("Bike", *FIELDS, autoname="hash"), 15)):
        hub = await make_site(definition, major=major)
        user = hub.as_user("clerk") if major == 16 else hub
        await hub.as_user("admin").inserted("Bike", **VALUES)
        assert await user.list("Bike", fields=list(VALUES)) == [VALUES]
