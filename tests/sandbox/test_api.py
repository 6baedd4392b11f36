from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import aiohttp
from yarl import URL

from tests.sandbox.conftest import Client, MakeSite, doctype, field, messages

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def shop(make_site: MakeSite) -> Client:
    fields = (field("frame"), field("price", "Currency"))
    return await make_site(
        doctype("Bike", *fields, autoname="field:frame", is_submittable=1),
        doctype("Shop Settings", field("open", "Check", default="1"), issingle=1),
    )


async def test_version_2_does_what_version_1_does(make_site: MakeSite) -> None:
    site = await shop(make_site)
    bikes = "/api/v2/document/Bike"
    status, body = await site.ask("POST", bikes, {"frame": "A/1"})
    assert (status, body["data"]["name"]) == (200, "A/1")
    status, body = await site.ask("PATCH", f"{bikes}/A/1", {"price": 3})
    assert (status, body["data"]["price"]) == (200, 3.0)
    assert (await site.ask("POST", f"{bikes}/A/1/method/submit"))[1]["data"]["docstatus"] == 1
    assert (await site.ask("POST", f"{bikes}/A/1/method/cancel"))[1]["data"]["docstatus"] == 2
    assert await site.ask("DELETE", f"{bikes}/A/1") == (202, {"data": "ok"})
    status, body = await site.get(f"{bikes}/A/1")
    assert (status, body["errors"][0]["type"]) == (404, "DoesNotExistError")


async def test_a_head_and_its_options_can_be_asked_for(make_site: MakeSite) -> None:
    site = await shop(make_site)
    url = f"{site.running.url}/api/resource/Bike"
    async with aiohttp.ClientSession() as http:
        async with http.head(url) as answer:
            assert (answer.status, answer.content_type) == (403, "application/json")
            assert await answer.read() == b""
        async with http.options(url) as answer:
            assert (answer.status, await answer.text()) == (200, "")


async def test_version_1_is_also_said_in_full(make_site: MakeSite) -> None:
    site = await shop(make_site)
    assert (await site.ask("POST", "/api/v1/resource/Bike", {"frame": "A"}))[0] == 200
    assert (await site.get("/api/v1/resource/Bike"))[1] == {"data": [{"name": "A"}]}
    assert (await site.get("/api/v1/method/ping"))[1] == {"message": "pong"}


async def test_values_come_as_json_or_as_a_form(make_site: MakeSite) -> None:
    site = await shop(make_site)
    forms = {"A": {"frame": "A", "price": "2"}, "B": {"data": '{"frame": "B", "price": 2}'}}
    for name, form in forms.items():
        status, body = await site.ask("POST", "/api/resource/Bike", urlencode(form), headers=FORM)
        assert (status, body["data"]["name"], body["data"]["price"]) == (200, name, 2.0)


async def test_broken_json_is_500_and_a_list_is_no_document(make_site: MakeSite) -> None:
    site = await shop(make_site)
    json_type = {"Content-Type": "application/json"}
    status, body = await site.ask("POST", "/api/resource/Bike", '{"a":', headers=json_type)
    assert (status, body["exc_type"]) == (500, "JSONDecodeError")
    assert (await site.ask("POST", "/api/resource/Bike", "[1]", headers=json_type))[0] == 500


async def test_what_is_not_there_is_told_by_kind(make_site: MakeSite) -> None:
    site = await shop(make_site)
    assert await site.get("/api/nonsense") == (404, {"exc_type": "DoesNotExistError"})
    assert (await site.get("/api/resource/Nope"))[0] == 404
    assert (await site.ask("PATCH", "/api/resource/Bike/A", {}))[0] == 404
    assert (await site.ask("PATCH", "/api/resource/Bike", {}))[0] == 405
    for verb in ("GET", "PUT"):
        status, body = await site.ask(verb, "/api/resource/No Such-Thing/A")
        told = "Error: No module named 'frappe.core.doctype.no_such_thing'"
        assert (status, body["exc_type"], body["exception"]) == (500, "ImportError", told)
    assert await site.delete("Nope", "A") == (404, {"exc_type": "DoesNotExistError"})
    assert (await site.get("/somewhere"))[0] == 404
    for method, status in {
        **{"nope.x": 417, "frappe.client.nope": 417, "frappe.x.y": 417, "frappe.client": 500},
        **{"frappe.utils.data.cint": 403},
    }.items():
        assert (await site.call(method))[0] == status
    status, body = await site.call("frappe.client.get_list")
    told = "TypeError: get_list() missing 1 required positional argument: 'doctype'"
    assert (status, body["exception"]) == (500, told)
    assert (await site.get("/api/method/frappe.client.insert", doc={}))[0] == 403


async def test_a_single_has_its_defaults_until_it_is_changed(make_site: MakeSite) -> None:
    site = await shop(make_site)
    single = ("Shop Settings", "Shop Settings")
    assert (await site.read(*single))["open"] == 1
    assert (await site.update(*single, open=0))[1]["data"]["open"] == 0
    given = {"doctype": "Shop Settings", "field": "open"}
    assert (await site.call("frappe.client.get_single_value", **given))[1]["message"] == 0
    status, body = await site.get("/api/resource/Shop Settings")
    assert (status, body["exc_type"]) == (500, "ProgrammingError")


async def test_a_person_gets_a_page_and_a_program_json(make_site: MakeSite) -> None:
    site = await shop(make_site)
    status, body = await site.ask("GET", "/api/resource/Nope", headers={"Accept": "text/html"})
    assert status == 404
    assert body.startswith("<!DOCTYPE html>")
    status, body = await site.get("/api/resource/Nope")
    assert (status, messages(body)) == (404, ["DocType Nope not found"])
    script = {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"}
    status, body = await site.ask("GET", "/api/resource/Nope", headers=script)
    assert (status, body["exc_type"]) == (404, "DoesNotExistError")


async def test_the_time_is_the_sites(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame")), time_zone="Pacific/Auckland")
    _, body = await site.call("frappe.client.get_time_zone")
    assert body["message"] == {"time_zone": "Pacific/Auckland"}
    bike = await site.inserted("Bike")
    there = datetime.now(ZoneInfo("Pacific/Auckland")).replace(tzinfo=None)
    assert abs(there - datetime.fromisoformat(bike["modified"])) < timedelta(hours=1)


async def test_what_a_get_changes_is_taken_back(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A")
    status, body = await site.get("/api/resource/Bike/A", run_method="submit")
    assert (status, body["data"]["docstatus"]) == (200, 1)
    assert (await site.read("Bike", "A"))["docstatus"] == 0
    add = "/api/method/frappe.desk.doctype.tag.tag.add_tag"
    assert (await site.get(add, tag="Red", dt="Bike", dn="A")) == (200, {"message": "Red"})
    assert await site.list("Tag") == []


async def test_a_documents_own_methods_are_called_in_each_way(make_site: MakeSite) -> None:
    site = await shop(make_site)
    bike = await site.inserted("Bike", frame="A")
    place = "/api/resource/Bike/A"
    status, body = await site.ask("POST", place, {"run_method": "add_comment", "text": "Nice"})
    assert (status, body["data"]["content"]) == (200, "Nice")
    status, body = await site.ask("POST", place, {"run_method": "submit", "x": 1})
    told = "TypeError: Document.submit() got an unexpected keyword argument 'x'"
    assert (status, body["exception"]) == (500, told)
    assert (await site.ask("POST", place, {"run_method": "fly"}))[0] == 404
    assert (await site.ask("POST", place, {"run_method": "delete"}))[0] == 403
    run = "/api/method/run_doc_method"
    about = {"dt": "Bike", "dn": "A", "method": "submit"}
    status, body = await site.ask("POST", run, about)
    assert (status, body["message"]["docstatus"], body["docs"][0]["name"]) == (200, 1, "A")
    status, body = await site.ask("POST", run, {"docs": bike, "method": "cancel"})
    assert (status, body["exc_type"]) == (417, "TimestampMismatchError")
    sent = {"document": await site.read("Bike", "A"), "method": "cancel"}
    status, body = await site.ask("POST", "/api/v2/method/run_doc_method", sent)
    assert (status, body["data"]["docstatus"], len(body["docs"])) == (200, 2, 1)
    status, body = await site.ask("POST", run, {"dt": "Shop Settings", "method": "fly"})
    assert (status, body["exc_type"]) == (500, "AttributeError")


async def test_version_2_finds_the_methods_of_a_doctypes_module(make_site: MakeSite) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="A")
    tag = {"tag": "Red", "dt": "Bike", "dn": "A"}
    assert await site.ask("POST", "/api/v2/method/Tag/add_tag", tag) == (200, {"data": "Red"})
    status, body = await site.ask("POST", "/api/v2/method/Tag/nope", tag)
    assert status == 417
    told = "module 'frappe.desk.doctype.tag.tag' has no attribute 'nope'"
    assert told in body["errors"][0]["message"]
    assert (await site.get("/api/v2/method/a/b/c"))[0] == 404


async def test_a_method_is_also_named_by_cmd(make_site: MakeSite) -> None:
    site = await shop(make_site)
    status, body = await site.ask(
        "POST", "/", {"cmd": "frappe.client.get_count", "doctype": "Bike"}
    )
    assert (status, body) == (200, {"message": 0})


async def test_a_path_is_found_with_a_slash_at_its_end_and_lost_with_one_too_many(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    await site.inserted("Bike", frame="a//b é/ü")
    name = "a%2F%2Fb%20%C3%A9/%C3%BC"
    headers = {"Authorization": "token hub-k:hub-s"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for path, status in {
            f"/api/resource/Bike/{name}": 200,
            f"/api/resource/Bike/{name}/": 200,
            "/api/resource/Bike/": 200,
            "/api/resource//Bike": 404,
            "/api/v3/resource/Bike": 404,
            "/api/document/Bike": 404,
            "/api/method": 404,
            "/api/method/ping/": 200,
        }.items():
            url = URL(site.running.url + path, encoded=True)
            async with http.get(url) as answer:
                assert answer.status == status, path
        # Without the slash werkzeug does not say that another method is taken.
        for path, status in {"/api/resource/Bike/A": 404, "/api/resource/Bike/A/": 405}.items():
            async with http.patch(site.running.url + path) as answer:
                assert answer.status == status, path
        async with http.put(f"{site.running.url}/somewhere") as answer:
            assert (answer.status, answer.content_type) == (404, "text/html")


async def test_a_body_is_read_as_it_is_said_to_be_or_as_json(make_site: MakeSite) -> None:
    site = await shop(make_site)
    bikes = "/api/resource/Bike"
    for name, kind in (
        ("A", FORM["Content-Type"]),
        ("B", "text/plain"),
        ("C", "application/x+json"),
    ):
        body = f'{{"frame": "{name}"}}'
        status, made = await site.ask("POST", bikes, body, headers={"Content-Type": kind})
        assert (status, made["data"]["name"]) == (200, name), kind
    status, made = await site.ask("POST", f"{bikes}?frame=D&frame=E", "")
    assert (status, made["data"]["name"]) == (200, "D")  # the first of several
    with aiohttp.MultipartWriter("form-data") as parts:
        parts.append("F").set_content_disposition("form-data", name="frame")
    headers = {"Authorization": "token hub-k:hub-s"}
    async with aiohttp.request(
        "POST", site.running.url + bikes, data=parts, headers=headers
    ) as answer:
        assert (await answer.json())["data"]["name"] == "F"
    status, body = await site.get(bikes, doctype="Bike")
    assert (status, body["exc_type"]) == (500, "TypeError")
