"""Tasks, notes, events, comments, tags and shares: what every Frappe site has."""

import json
from typing import Any

from tests.sandbox.conftest import MakeSite, doctype, field, messages

FULL = {"role": "Clerk", "read": 1, "write": 1, "create": 1, "share": 1}


def bike(**more: Any) -> dict[str, Any]:
    return doctype("Bike", field("frame"), autoname="field:frame", **more)


async def test_a_task_is_seen_by_whom_it_concerns_and_by_roles_that_see_all(
    make_site: MakeSite,
) -> None:
    hub = await make_site()
    clerk, stranger = hub.as_user("clerk"), hub.as_user("stranger")
    todo = await hub.inserted("ToDo", description="Grease", allocated_to="clerk@example.com")
    assert (todo["status"], todo["priority"], len(todo["name"])) == ("Open", "Medium", 10)
    other = await hub.inserted("ToDo", description="Sweep")
    assert await clerk.list("ToDo") == [{"name": todo["name"]}]
    assert await stranger.list("ToDo") == []
    assert len(await hub.list("ToDo")) == 2
    status, body = await stranger.get(f"/api/resource/ToDo/{todo['name']}")
    assert (status, body["exc_type"]) == (403, "PermissionError")
    assert messages(body)[0].startswith("Not allowed via controller permission check<br>User ")
    assert (await clerk.update("ToDo", todo["name"], status="Closed"))[0] == 200
    # Only the role All may delete, and it does not count here: who is not concerned may not.
    assert (await hub.delete("ToDo", other["name"]))[0] == 403
    assert (await clerk.delete("ToDo", todo["name"]))[0] == 202


async def test_a_note_is_its_owners_until_it_is_public(make_site: MakeSite) -> None:
    hub = await make_site()
    clerk, admin = hub.as_user("clerk"), hub.as_user("admin")
    mine = await clerk.inserted("Note", title="Mine", public=1)
    assert (mine["public"], mine["content"]) == (0, "<span></span>")  # public is of level 1
    public = await hub.inserted("Note", title="Everyone's", public=1, notify_on_login=1)
    assert public["expire_notification_on"] > public["creation"]
    private = await hub.inserted("Note", title="The hub's", notify_on_login=1)
    assert private["notify_on_login"] == 0
    names = {row["name"] for row in await clerk.list("Note")}
    assert names == {mine["name"], public["name"]}
    assert (await clerk.get(f"/api/resource/Note/{private['name']}"))[0] == 403
    assert (await clerk.update("Note", public["name"], title="New"))[0] == 403
    assert (await clerk.update("Note", mine["name"], title="New"))[0] == 200
    # A list holds back what is private from the Administrator too, a document does not.
    assert await admin.list("Note") == [{"name": public["name"]}]
    assert (await admin.read("Note", private["name"]))["title"] == "The hub's"


async def test_an_event_is_its_owners_until_it_is_public_and_ends_after_it_starts(
    make_site: MakeSite,
) -> None:
    hub = await make_site()
    event = {"subject": "Ride", "event_type": "Private", "starts_on": "2026-05-01 10:00:00"}
    assert (await hub.inserted("Event", **event))["name"] == "EV00001"
    assert await hub.as_user("clerk").list("Event") == []
    status, body = await hub.insert("Event", **event, ends_on="2026-04-30 10:00:00")
    assert (status, body["exc_type"]) == (417, "InvalidDates")
    await hub.inserted("Event", **{**event, "event_type": "Public"})
    assert len(await hub.as_user("clerk").list("Event")) == 1


async def test_an_assignment_is_a_task_that_the_document_shows(make_site: MakeSite) -> None:
    hub = await make_site(bike(permissions=[FULL]))
    await hub.inserted("Bike", frame="A")
    given = {"doctype": "Bike", "name": "A", "assign_to": '["clerk@example.com"]'}
    status, body = await hub.call("frappe.desk.form.assign_to.add", **given)
    assert (status, body["message"][0]["owner"]) == (200, "clerk@example.com")
    shown = {"fields": ["_assign"], "filters": {"name": "A"}}
    assert (await hub.list("Bike", **shown))[0]["_assign"] == '["clerk@example.com"]'
    status, body = await hub.call("frappe.desk.form.assign_to.add", **given)
    assert (len(body["message"]), "Already in" in messages(body)[0]) == (1, True)
    given["assign_to"] = "clerk@example.com"
    assert (await hub.call("frappe.desk.form.assign_to.remove", **given))[1]["message"] == []
    assert (await hub.list("Bike", **shown))[0]["_assign"] == ""
    said = await hub.list("Comment", fields=["content"], filters={"comment_type": "Assigned"})
    assert said[0]["content"].startswith("hub@example.com assigned clerk@example.com: ")


async def test_comments_are_counted_at_the_document_that_they_are_about(
    make_site: MakeSite,
) -> None:
    hub = await make_site(bike())
    before = await hub.inserted("Bike", frame="A")
    about = {"reference_doctype": "Bike", "reference_name": "A", "content": "Nice"}
    comment = await hub.inserted("Comment", comment_type="Comment", **about)
    assert comment["comment_email"] == "hub@example.com"
    method = "frappe.desk.form.utils.add_comment"
    by = {"comment_email": "hub@example.com", "comment_by": "Hub"}
    assert (await hub.call(method, **about, **by))[1]["message"]["comment_type"] == "Comment"
    [row] = await hub.list("Bike", fields=["_comments", "modified"])
    assert [one["comment"] for one in json.loads(row["_comments"])] == ["Nice", "Nice"]
    assert row["modified"] == before["modified"]
    await hub.delete("Comment", comment["name"])
    assert len(json.loads((await hub.list("Bike", fields=["_comments"]))[0]["_comments"])) == 1


async def test_what_was_said_of_a_document_goes_with_it_and_one_comment_tells_so(
    make_site: MakeSite,
) -> None:
    hub = await make_site(bike())
    await hub.inserted("Bike", frame="A")
    about = {"reference_doctype": "Bike", "reference_name": "A"}
    await hub.inserted("Comment", comment_type="Comment", content="Nice", **about)
    await hub.inserted("ToDo", description="D", reference_type="Bike", reference_name="A")
    assert (await hub.delete("Bike", "A"))[0] == 202
    assert await hub.list("ToDo") == []
    said = await hub.list("Comment", fields=["comment_type", "reference_doctype", "subject"])
    assert said == [{"comment_type": "Deleted", "reference_doctype": "Bike", "subject": "Bike A"}]


async def test_a_tag_is_shown_at_the_document_and_found_by_it(make_site: MakeSite) -> None:
    hub = await make_site(bike())
    await hub.inserted("Bike", frame="A")
    add, remove = (f"frappe.desk.doctype.tag.tag.{verb}_tag" for verb in ("add", "remove"))
    for tag in ("Red", "Fast", "Red"):
        status, body = await hub.call(add, tag=tag, dt="Bike", dn="A")
        assert (status, body["message"]) == (200, tag)
    found = await hub.list("Bike", fields=["_user_tags"], filters=[["_user_tags", "like", "%Red%"]])
    assert found == [{"_user_tags": ",Red,Fast"}]
    assert len(await hub.list("Tag Link", filters={"document_type": "Bike"})) == 2
    assert (await hub.call(remove, tag="red", dt="Bike", dn="A"))[0] == 200
    assert await hub.list("Bike", fields=["_user_tags"]) == [{"_user_tags": ",Fast"}]
    assert len(await hub.list("Tag")) == 2
