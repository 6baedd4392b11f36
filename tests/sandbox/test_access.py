"""Which documents of a DocType reach a user: user permissions, shares, owners, and each right."""

from tests.sandbox.conftest import Client, MakeSite, doctype, field, messages

READ = {"role": "Clerk", "read": 1, "write": 1, "create": 1}
CLERK = "clerk@example.com"


async def shops(make_site: MakeSite, **permission: int) -> tuple[Client, Client]:
    hub = await make_site(
        doctype("Shop", field("place"), autoname="field:place", permissions=[READ]),
        doctype("Part", field("shop", "Link", "Shop"), istable=1),
        doctype(
            "Bike",
            field("frame"),
            field("shop", "Link", "Shop"),
            field("parts", "Table", "Part"),
            autoname="field:frame",
            permissions=[{**READ, **permission}],
        ),
    )
    for place in ("Gent", "Breda"):
        await hub.inserted("Shop", place=place)
        await hub.inserted("Bike", frame=f"{place} 1", shop=place)
    await hub.inserted("Bike", frame="Nowhere")
    return hub, hub.as_user("clerk")


async def test_a_user_permission_limits_what_links_to_other_documents(
    make_site: MakeSite,
) -> None:
    hub, clerk = await shops(make_site)
    limit = {"user": CLERK, "allow": "Shop", "for_value": "Gent"}
    await hub.inserted("User Permission", **limit)
    status, body = await hub.insert("User Permission", **limit)
    assert (status, body["exc_type"]) == (409, "DuplicateEntryError")
    assert await clerk.list("Shop") == [{"name": "Gent"}]
    assert [row["name"] for row in await clerk.list("Bike", order_by="name")] == [
        "Gent 1",
        "Nowhere",
    ]
    status, body = await clerk.get("/api/resource/Bike/Breda 1")
    assert status == 403
    why = "You are not allowed to access this Bike record because it is linked to Shop 'Breda'"
    assert messages(body)[0].startswith(f"{why} in field Shop<br>")
    status, body = await clerk.insert("Bike", frame="New", parts=[{"shop": "Breda"}])
    assert (status, "in row 1, field Shop" in messages(body)[0]) == (403, True)
    assert (await clerk.get("/api/resource/Shop/Breda"))[0] == 403
    assert len(await hub.list("Bike")) == 3
    [given] = await hub.list("User Permission")
    assert (await hub.delete("User Permission", given["name"]))[0] == 202
    assert len(await clerk.list("Bike")) == 3


async def test_a_user_permission_may_be_meant_for_one_doctype(make_site: MakeSite) -> None:
    hub, clerk = await shops(make_site)
    limit = {"user": CLERK, "allow": "Shop", "for_value": "Gent", "applicable_for": "Bike"}
    await hub.inserted("User Permission", **limit, apply_to_all_doctypes=0)
    assert len(await clerk.list("Shop")) == 2
    assert len(await clerk.list("Bike")) == 2


async def test_a_shared_document_is_all_that_a_user_without_a_role_sees(
    make_site: MakeSite,
) -> None:
    hub, _ = await shops(make_site)
    admin, stranger = hub.as_user("admin"), hub.as_user("stranger")
    assert (await stranger.get("/api/resource/Bike"))[0] == 403
    share = {"doctype": "Bike", "name": "Gent 1", "user": "stranger@example.com"}
    status, body = await hub.call("frappe.share.add", **share)
    assert (status, messages(body)[-1]) == (403, "No permission to share Bike Gent 1")
    status, body = await admin.call("frappe.share.add", **share)
    assert (status, body["message"]["read"], body["message"]["write"]) == (200, 1, 0)
    assert await stranger.list("Bike") == [{"name": "Gent 1"}]
    assert (await stranger.read("Bike", "Gent 1"))["shop"] == "Gent"
    assert (await stranger.get("/api/resource/Bike/Breda 1"))[0] == 403
    assert (await stranger.update("Bike", "Gent 1", shop="Breda"))[0] == 403
    assert (await admin.call("frappe.share.add", **share, write=1))[0] == 200
    assert (await stranger.update("Bike", "Gent 1", shop="Breda"))[0] == 200
    assert len(await admin.list("DocShare")) == 1


async def test_shared_documents_come_with_those_that_are_ones_own(make_site: MakeSite) -> None:
    hub, clerk = await shops(make_site, if_owner=1)
    await clerk.inserted("Bike", frame="Mine")
    share = {"doctype": "Bike", "name": "Gent 1", "everyone": 1}
    await hub.as_user("admin").call("frappe.share.add", **share)
    names = [row["name"] for row in await clerk.list("Bike", order_by="name")]
    assert names == ["Gent 1", "Mine"]
    assert (await clerk.get("/api/resource/Bike/Breda 1"))[0] == 403


async def test_who_may_only_select_sees_what_a_link_is_looked_up_by(make_site: MakeSite) -> None:
    hub = await make_site(
        doctype(
            "Bike",
            field("frame"),
            field("price", "Currency"),
            autoname="field:frame",
            search_fields="frame",
            permissions=[{"role": "Clerk", "select": 1}],
        )
    )
    await hub.inserted("Bike", frame="A", price=900)
    clerk = hub.as_user("clerk")
    assert await clerk.list("Bike", fields=["name", "frame", "price", "owner"]) == [
        {"name": "A", "frame": "A"}
    ]
    assert (await clerk.get("/api/resource/Bike/A"))[0] == 403
    link = {"doctype": "Bike", "docname": "A"}
    assert (await clerk.call("frappe.client.validate_link", **link))[1]["message"] == {"name": "A"}


async def test_each_right_is_told_and_export_has_its_own(make_site: MakeSite) -> None:
    hub = await make_site(doctype("Bike", field("frame"), permissions=[{**READ, "print": 1}]))
    bike = (await hub.inserted("Bike"))["name"]
    clerk, about = hub.as_user("clerk"), {"doctype": "Bike", "docname": bike}
    for right, granted in {"print": True, "email": False, "READ": True, "nonsense": False}.items():
        status, body = await clerk.call("frappe.client.has_permission", **about, perm_type=right)
        assert (status, body["message"]) == (200, {"has_permission": granted}), right
    _, body = await clerk.call("frappe.client.get_doc_permissions", **about)
    told = body["message"]["permissions"]
    assert (told["print"], told["export"], told["submit"]) == (1, 0, 0)
    assert (told["has_if_owner_enabled"], told["if_owner"]) == (False, {})


async def test_what_only_an_owner_may_do_is_told_apart(make_site: MakeSite) -> None:
    _, clerk = await shops(make_site, if_owner=1)
    await clerk.inserted("Bike", frame="Mine")
    method = "frappe.client.get_doc_permissions"
    for name, may in {"Mine": 1, "Gent 1": 0}.items():
        _, body = await clerk.call(method, doctype="Bike", docname=name)
        told = body["message"]["permissions"]
        assert (told["has_if_owner_enabled"], told["create"]) == (True, 1)
        assert (told["read"], told["write"], told["if_owner"]) == (
            may,
            may,
            {"read": may, "write": may},
        )
