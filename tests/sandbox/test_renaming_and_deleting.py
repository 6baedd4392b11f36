import json
from typing import Any

from tests.sandbox.conftest import Client, MakeSite, doctype, field, messages


async def shop(make_site: MakeSite) -> Client:
    return await make_site(
        doctype("Maker", field("maker_name"), autoname="field:maker_name", allow_rename=1),
        doctype("Part", field("maker", "Link", "Maker"), istable=1),
        doctype(
            "Bike",
            field("frame"),
            field("maker", "Link", "Maker"),
            field("about_type", "Link", "DocType"),
            field("about", "Dynamic Link", "about_type"),
            field("parts", "Table", "Part"),
            field("disabled", "Check"),
            autoname="field:frame",
        ),
    )


async def rename(site: Client, doctype: str, old: str, new: str, **more: Any) -> tuple[int, Any]:
    given = {"doctype": doctype, "old_name": old, "new_name": new, **more}
    return await site.call("frappe.client.rename_doc", **given)


async def test_a_rename_takes_every_link_along(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Maker", maker_name="Old")
    links = {"maker": "Old", "about_type": "Maker", "about": "Old", "parts": [{"maker": "Old"}]}
    before = await site.inserted("Bike", frame="A", **links)
    status, body = await rename(site, "Maker", "Old", "New")
    assert (status, body["message"]) == (200, "New")
    assert (await site.read("Maker", "New"))["maker_name"] == "New"
    assert (await site.get("/api/resource/Maker/Old"))[0] == 404
    bike = await site.read("Bike", "A")
    assert (bike["maker"], bike["about"], bike["parts"][0]["maker"]) == ("New", "New", "New")
    assert bike["modified"] == before["modified"]


async def test_a_renamed_customer_has_moved_and_is_no_deleted_document(
    make_site: MakeSite,
) -> None:
    site = (await make_site()).as_user("admin")
    before = await site.inserted("Customer", customer_name="Ann", email_id="ann@example.com")
    await rename(site, "Customer", "Ann", "Anna")
    after = await site.read("Customer", "Anna")
    assert after["modified"] > before["modified"]
    assert after["customer_name"] == "Anna"
    contact = await site.read("Contact", after["customer_primary_contact"])
    assert contact["links"][0]["link_name"] == "Anna"
    assert await site.list("Deleted Document") == []
    edits = {"fields": ["reference_name", "content"], "filters": {"comment_type": "Edit"}}
    [comment] = await site.list("Comment", **edits)
    assert comment["content"] == "renamed from <strong>Ann</strong> to <strong>Anna</strong>"
    assert comment["reference_name"] == "Anna"


async def test_a_rename_that_cannot_be_is_refused(make_site: MakeSite) -> None:
    site = await shop(make_site)
    for name in ("One", "Two"):
        await site.inserted("Maker", maker_name=name)
    await site.inserted("Bike", frame="A")
    assert (await rename(site, "Maker", "One", "One"))[0] == 417
    status, body = await rename(site, "Maker", "One", "Two")
    told = "Another Maker with name Two exists, select another name"
    assert (status, messages(body)) == (417, [told])
    assert messages((await rename(site, "Bike", "A", "B"))[1]) == ["Bike not allowed to be renamed"]
    assert (await rename(site, "Maker", "Nobody", "X"))[0] == 404
    assert (await rename(site, "Maker", "One", "<x>"))[0] == 409


async def test_a_merge_leaves_the_links_to_the_other(make_site: MakeSite) -> None:
    site = await shop(make_site)
    for name in ("One", "Two"):
        await site.inserted("Maker", maker_name=name)
    await site.inserted("Bike", frame="A", maker="One")
    assert (await rename(site, "Maker", "One", "Two", merge=True))[0] == 200
    assert (await site.read("Bike", "A"))["maker"] == "Two"
    assert await site.list("Maker") == [{"name": "Two"}]
    [gone] = await site.list("Deleted Document", fields='["deleted_doctype", "deleted_name"]')
    assert (gone["deleted_doctype"], gone["deleted_name"]) == ("Maker", "One")
    edits = {"fields": ["reference_name", "content"], "filters": {"comment_type": "Edit"}}
    [comment] = await site.list("Comment", **edits)
    assert comment["reference_name"] == "Two"
    assert comment["content"] == "merged <strong>One</strong> into <strong>Two</strong>"


async def test_what_is_linked_is_not_deleted(make_site: MakeSite) -> None:
    site = await shop(make_site)
    for name in ("Linked", "InRow", "Dynamic", "Free"):
        await site.inserted("Maker", maker_name=name)
    await site.inserted("Bike", frame="A", maker="Linked", parts=[{"maker": "InRow"}])
    await site.inserted("Bike", frame="B", about_type="Maker", about="Dynamic")
    for name in ("Linked", "InRow", "Dynamic"):
        status, body = await site.delete("Maker", name)
        assert (status, body["exc_type"]) == (417, "LinkExistsError")
        assert f">{name}</a> is linked with Bike" in messages(body)[0]
    assert (await site.delete("Maker", "Free")) == (202, {"data": "ok"})
    assert (await site.delete("Maker", "Free")) == (404, {"exc_type": "DoesNotExistError"})


async def test_a_linked_document_that_can_be_disabled_is_told_to_be(make_site: MakeSite) -> None:
    site = await make_site(
        doctype("Maker", field("n"), field("disabled", "Check"), autoname="field:n"),
        doctype("Bike", field("maker", "Link", "Maker")),
    )
    await site.inserted("Maker", n="M")
    await site.inserted("Bike", maker="M")
    _, body = await site.delete("Maker", "M")
    assert messages(body)[-1] == "You can disable this Maker instead of deleting it."


async def test_a_deleted_document_is_kept_whole_as_json(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Maker", maker_name="M")
    await site.inserted("Bike", frame="A", parts=[{"maker": "M"}])
    await site.delete("Bike", "A")
    rows = await site.list("Deleted Document", fields=["deleted_doctype", "deleted_name", "data"])
    assert [(row["deleted_doctype"], row["deleted_name"]) for row in rows] == [("Bike", "A")]
    assert json.loads(rows[0]["data"])["parts"][0]["maker"] == "M"
    assert await site.list("Part", parent="Bike") == []
    assert (await site.delete("Maker", "M"))[0] == 202


async def test_a_customer_takes_its_contact_and_address_along(make_site: MakeSite) -> None:
    site = (await make_site()).as_user("admin")
    place = {"address_line1": "Main 1", "city": "Delft", "country": "Netherlands"}
    await site.inserted("Customer", customer_name="Ann", mobile_no="+31612345678", **place)
    links = [["Dynamic Link", "link_name", "=", "Ann"]]
    assert len(await site.list("Contact", filters=links)) == 1
    assert len(await site.list("Address", filters=links)) == 1
    assert (await site.delete("Customer", "Ann"))[0] == 202
    assert await site.list("Contact", filters=links) == []
    assert await site.list("Address", filters=links) == []
    gone = await site.list("Deleted Document", fields=["deleted_doctype"])
    assert {row["deleted_doctype"] for row in gone} == {"Customer", "Contact", "Address"}
