"""What frappe.client's methods answer besides lists and documents."""

from typing import Any

from tests.sandbox.conftest import Client, MakeSite, doctype, field, messages


async def shop(make_site: MakeSite) -> Client:
    wheel = doctype("Wheel", field("size", "Int"), istable=1)
    secret = field("lock_code", "Password")
    fields = (field("frame"), secret, field("wheels", "Table", "Wheel"))
    settings = (field("open", "Check", default="1"), field("place"), field("motto"))
    return await make_site(
        wheel,
        doctype("Bike", *fields, autoname="field:frame", is_submittable=1),
        doctype("Shop Settings", *settings, issingle=1),
    )


async def value(site: Client, method: str, **given: Any) -> Any:
    status, body = await site.call(f"frappe.client.{method}", **given)
    assert status == 200, body
    return body.get("message")


async def test_of_a_single_what_is_stored_is_given_as_text(make_site: MakeSite) -> None:
    site = await shop(make_site)
    about: dict[str, Any] = {"doctype": "Shop Settings"}
    await site.update("Shop Settings", "Shop Settings", open=1, place="Gent")
    assert await value(site, "get_value", **about, fieldname=["open", "place"]) == {
        "open": "1",
        "place": "Gent",
    }
    one = await value(site, "get_value", **about, fieldname="place", as_dict=0)
    assert one == "Gent"
    # Filters are met or not; when they are, all of it is given.
    met = await value(site, "get_value", **about, fieldname="open", filters={"place": "Gent"})
    assert (met["place"], met["name"]) == ("Gent", "Shop Settings")
    named = await value(site, "get_value", **about, fieldname="open", filters="Shop Settings")
    assert named["place"] == "Gent"
    assert await value(site, "get_value", **about, fieldname="open", filters={"place": "X"}) == {}
    assert await value(site, "get_single_value", **about, field="open") == 1
    assert await value(site, "get_single_value", **about, field="motto") is None
    status, body = await site.call("frappe.client.get_single_value", **about, field="modified")
    assert (status, "does not exist on" in messages(body)[0]) == (417, True)
    assert await value(site, "get_single_value", doctype="Bike", field="frame") is None


async def test_a_right_is_asked_for_a_document_or_for_the_doctype(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A")
    about = {"doctype": "Bike", "docname": "A"}
    assert await value(site, "has_permission", **about) == {"has_permission": True}
    clerk = site.as_user("clerk")
    assert await value(clerk, "has_permission", **about) == {"has_permission": False}
    anywhere = {"doctype": "Bike", "docname": ""}
    assert await value(site, "has_permission", **anywhere) == {"has_permission": True}
    assert await value(clerk, "has_permission", **anywhere) == {"has_permission": False}
    status, _ = await site.call("frappe.client.has_permission", doctype="Bike", docname="B")
    assert status == 404


async def test_a_password_is_given_to_a_system_manager_and_gone_when_emptied(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    bike = await site.inserted("Bike", frame="A", lock_code="1234")
    assert bike["lock_code"] == "****"
    about = {"doctype": "Bike", "name": "A", "fieldname": "lock_code"}
    assert await value(site, "get_password", **about) == "1234"
    assert (await site.as_user("clerk").call("frappe.client.get_password", **about))[0] == 403
    await site.update("Bike", "A", frame="A")
    assert await value(site, "get_password", **about) == "1234"
    await site.update("Bike", "A", lock_code="")
    status, body = await site.call("frappe.client.get_password", **about)
    assert (status, body["exc_type"]) == (401, "AuthenticationError")


async def test_who_logs_in_with_a_password_is_refused_as_by_a_wrong_one(
    make_site: MakeSite,
) -> None:
    site = (await shop(make_site)).as_user("nobody")
    status, body = await site.call("login", usr="hub@example.com", pwd="x")
    assert (status, body["message"]) == (401, "Invalid login credentials")
    status, body = await site.call("login")
    assert (status, body["message"]) == (401, "Incomplete login details")
    assert await site.call("logout") == (200, {})


async def test_rows_that_are_no_rows_are_refused_as_python_refuses_them(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    for wheels, kind in (("ab", "TypeError"), ([5], "TypeError"), (5, "ValueError")):
        status, body = await site.insert("Bike", frame="A", wheels=wheels)
        assert (status, body["exc_type"]) == (500, kind), wheels
    bike = await site.inserted("Bike", frame="A", wheels=[None, {"size": 28}])
    assert [row["size"] for row in bike["wheels"]] == [0, 28]


async def test_a_row_without_a_parent_is_nobodys_to_make(make_site: MakeSite) -> None:
    site = await shop(make_site)
    for given, told in (
        ({}, "Please specify a valid parent DocType for <strong>Wheel</strong>"),
        (
            {"parenttype": "Shop Settings"},
            "<strong>Shop Settings</strong> is not a valid parent DocType for"
            " <strong>Wheel</strong>",
        ),
    ):
        status, body = await site.insert("Wheel", size=1, **given)
        assert (status, messages(body)) == (403, [told])


async def test_a_row_that_is_changed_by_itself_has_its_parent_stored_too(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    bike = await site.inserted("Bike", frame="A", wheels=[{"size": 28}])
    row = bike["wheels"][0]["name"]
    status, body = await site.update("Wheel", row, size=26)
    assert (status, body["data"]["size"]) == (200, 26)
    after = await site.read("Bike", "A")
    assert (after["wheels"][0]["size"], after["modified"] > bike["modified"]) == (26, True)


async def test_a_document_that_was_amended_names_its_successor(make_site: MakeSite) -> None:
    amended = field("amended_from", "Link", "Bike", no_copy=1)
    site = await make_site(
        doctype("Bike", field("frame"), amended, autoname="BIKE-.###", is_submittable=1)
    )
    name = (await site.inserted("Bike", docstatus=1))["name"]
    about = {"doctype": "Bike", "docname": name}
    assert await value(site, "is_document_amended", **about) is None
    await site.call("frappe.client.cancel", doctype="Bike", name=name)
    for successor in (f"{name}-1", f"{name}-2"):
        made = await site.inserted("Bike", amended_from=name)
        assert made["name"] == successor
        assert await value(site, "is_document_amended", doctype="Bike", docname=name) == successor
        await site.call("frappe.client.submit", doc=made)
        await site.call("frappe.client.cancel", doctype="Bike", name=successor)
        name = successor


async def test_texts_of_a_kind_are_checked_for_it(make_site: MakeSite) -> None:
    kinds = {"url": "URL", "person": "Name", "email": "Email"}
    fields = [field(name, "Data", kind) for name, kind in kinds.items()]
    image = field("note", "Small Text", reqd=1)
    site = await make_site(doctype("Card", *fields, image))
    good = {"url": "https://a.example", "person": "Ann de Vos", "note": "n"}
    assert (await site.insert("Card", **good))[0] == 200
    for bad, kind in (
        ({"url": "nowhere"}, "ValidationError"),
        ({"person": "Ann;"}, "InvalidNameError"),
        ({"email": "a@"}, "InvalidEmailAddressError"),
        ({"note": "<img src='x'>"}, "MandatoryError"),
    ):
        status, body = await site.insert("Card", **{"note": "n", **bad})
        assert (status, body["exc_type"]) == (417, kind), bad


async def test_a_rename_takes_files_and_versions_along(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame", allow_rename=1))
    await site.inserted("Bike", frame="A")
    await site.inserted("File", file_name="a.txt", attached_to_doctype="Bike", attached_to_name="A")
    given = {"doctype": "Bike", "old_name": "A", "new_name": "B"}
    assert await value(site, "rename_doc", **given) == "B"
    attached = {"fields": ["attached_to_name"], "filters": {"is_folder": 0}}
    assert await site.list("File", **attached) == [{"attached_to_name": "B"}]


async def test_a_name_and_a_title_are_changed_at_once(make_site: MakeSite) -> None:
    site = await make_site(
        doctype(
            "Bike",
            field("title"),
            field("frame"),
            autoname="field:frame",
            allow_rename=1,
            title_field="title",
        )
    )
    await site.inserted("Bike", frame="A", title="Old")
    given = {"doctype": "Bike", "docname": "A", "name": "B", "title": "New"}
    method = "/api/method/frappe.model.rename_doc.update_document_title"
    status, body = await site.ask("POST", method, given)
    assert (status, body["message"]) == (200, "B")
    assert (await site.read("Bike", "B"))["title"] == "New"
    given = {"doctype": "Bike", "old": "B", "new": "C"}
    assert (await site.call("frappe.rename_doc", **given))[1]["message"] == "C"


async def test_fields_that_are_a_dict_are_taken_for_filters(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    for frame in ("A", "B"):
        await site.inserted("Bike", frame=frame)
    assert await site.list("Bike", fields={"frame": "B"}) == [{"name": "B"}]
    status, body = await site.get("/api/resource/Bike", fields=[{"COUNT": "*"}])
    assert (status, body["exception"]) == (500, "TypeError: unhashable type: 'dict'")
