import json

from tests.sandbox.conftest import MakeSite, doctype, field, messages

OWN = {"role": "Clerk", "read": 1, "write": 1, "create": 1, "if_owner": 1}
FULL = {"role": "Clerk", "read": 1, "write": 1, "create": 1}


async def test_who_has_no_role_for_a_doctype_is_refused_with_the_reason(
    make_site: MakeSite,
) -> None:
    hub = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    await hub.inserted("Bike", frame="A")
    clerk = hub.as_user("clerk")
    status, body = await clerk.get("/api/resource/Bike")
    assert (status, body["_error_message"]) == (403, "No permission for Bike")
    for status, body in (
        await clerk.get("/api/resource/Bike/A"),
        await clerk.insert("Bike", frame="B"),
        await clerk.update("Bike", "A", frame="B"),
        await clerk.delete("Bike", "A"),
    ):
        assert (status, body["exc_type"]) == (403, "PermissionError")
        assert "clerk@example.com" in messages(body)[0]


async def test_a_right_to_ones_own_documents_shows_and_changes_no_others(
    make_site: MakeSite,
) -> None:
    hub = await make_site(
        doctype("Bike", field("frame"), autoname="field:frame", permissions=[OWN])
    )
    clerk = hub.as_user("clerk")
    await hub.inserted("Bike", frame="Theirs")
    await clerk.inserted("Bike", frame="Mine")
    assert await clerk.list("Bike") == [{"name": "Mine"}]
    assert (await clerk.update("Bike", "Mine", frame="Mine"))[0] == 200
    assert (await clerk.update("Bike", "Theirs", frame="Mine"))[0] == 403
    assert (await clerk.get("/api/resource/Bike/Theirs"))[0] == 403
    assert len(await hub.list("Bike")) == 2


async def test_a_field_of_a_higher_level_is_neither_shown_nor_changed(make_site: MakeSite) -> None:
    price = field("price", "Currency", permlevel=1)
    high = {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1}
    hub = await make_site(
        doctype("Bike", field("frame"), price, autoname="field:frame", permissions=[FULL, high])
    )
    clerk = hub.as_user("clerk")
    await hub.inserted("Bike", frame="A", price=900)
    assert "price" not in await clerk.read("Bike", "A")
    assert await clerk.list("Bike", fields=["name", "price"]) == [{"name": "A"}]
    assert "price" not in (await clerk.list("Bike", fields=["*"]))[0]
    await clerk.update("Bike", "A", price=1)
    assert (await hub.read("Bike", "A"))["price"] == 900.0


async def test_a_level_holds_for_tables_and_their_rows_too(make_site: MakeSite) -> None:
    high = {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1}
    cost = field("cost", "Currency", permlevel=1, default="7")
    hub = await make_site(
        doctype("Part", field("size", "Int"), cost, istable=1),
        doctype(
            "Bike",
            field("parts", "Table", "Part"),
            field("secret", "Table", "Part", permlevel=1),
            permissions=[FULL, high],
        ),
    )
    clerk = hub.as_user("clerk")
    rows = [{"size": 1, "cost": 5}]
    bike = await hub.inserted("Bike", parts=rows, secret=rows)
    shown = await clerk.read("Bike", bike["name"])
    assert (shown["secret"], "cost" in shown["parts"][0]) == ([], False)
    kept = {**shown["parts"][0], "size": 2, "cost": 99}
    more = [kept, {"size": 3, "cost": 99}]
    assert (await clerk.update("Bike", bike["name"], parts=more, secret=[]))[0] == 200
    after = await hub.read("Bike", bike["name"])
    assert [(row["size"], row["cost"]) for row in after["parts"]] == [(2, 5.0), (3, 7.0)]
    assert len(after["secret"]) == 1
    made = (await clerk.inserted("Bike", parts=rows, secret=rows))["name"]
    after = await hub.read("Bike", made)
    assert ([row["cost"] for row in after["parts"]], after["secret"]) == ([5.0], [])


async def test_a_role_of_the_sites_own_reads_what_it_may_and_nothing_else(
    make_site: MakeSite,
) -> None:
    hub = await make_site(
        doctype("Bike", field("frame"), autoname="field:frame"),
        doctype("Part", field("size")),
        role_permissions={"Clerk": {"Bike": ["read"]}},
    )
    await hub.inserted("Bike", frame="A")
    clerk = hub.as_user("clerk")
    assert await clerk.list("Bike") == [{"name": "A"}]
    assert (await clerk.get("/api/resource/Part"))[0] == 403
    assert (await clerk.insert("Bike", frame="B"))[0] == 403
    assert len(await hub.list("Bike")) == 1


async def test_a_child_is_read_by_who_may_read_its_parent(make_site: MakeSite) -> None:
    hub = await make_site(
        doctype("Wheel", field("size", "Int"), istable=1),
        doctype("Bike", field("wheels", "Table", "Wheel"), permissions=[FULL]),
        doctype("Shop", field("place")),
    )
    await hub.inserted("Bike", wheels=[{"size": 28}, {"size": 26}])
    clerk = hub.as_user("clerk")
    rows = await clerk.list("Wheel", parent="Bike", fields=["size"], order_by="idx asc")
    assert rows == [{"size": 28}, {"size": 26}]
    assert (await clerk.get("/api/resource/Wheel"))[0] == 403
    assert (await clerk.get("/api/resource/Wheel", parent="Shop"))[0] == 403
    assert (await hub.as_user("stranger").get("/api/resource/Wheel", parent="Bike"))[0] == 403


async def test_the_administrator_may_everything_and_a_guest_nothing(make_site: MakeSite) -> None:
    hub = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    await hub.as_user("admin").inserted("Bike", frame="A")
    status, body = await hub.as_user("nobody").get("/api/resource/Bike/A")
    assert (status, body["exc_type"]) == (403, "PermissionError")
    status, body = await hub.as_user("nobody").call("frappe.client.get_count", doctype="Bike")
    assert status == 403
    assert json.loads(json.loads(body["_server_messages"])[0])["title"] == "Method Not Allowed"


async def test_a_credential_that_is_wrong_is_401_and_none_is_a_guest(make_site: MakeSite) -> None:
    hub = await make_site()
    who = "/api/method/frappe.auth.get_logged_user"
    for header in ("token hub-k:no", "token no:hub-s", "token hub-k", "Bearer x", "Basic aHViOg=="):
        status, body = await hub.ask("GET", who, headers={"Authorization": header})
        assert (status, body["exc_type"]) == (401, "AuthenticationError")
    assert (await hub.as_user("nobody").get(who))[0] == 403
    assert (await hub.as_user("nobody").get("/api/method/ping")) == (200, {"message": "pong"})
