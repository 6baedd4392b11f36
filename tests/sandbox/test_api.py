from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import aiohttp

from .conftest import Client, MakeSite, doctype, field, messages

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


async def test_the_time_is_the_sites(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame")), time_zone="Pacific/Auckland")
    _, body = await site.call("frappe.client.get_time_zone")
    assert body["message"] == {"time_zone": "Pacific/Auckland"}
    bike = await site.inserted("Bike")
    there = datetime.now(ZoneInfo("Pacific/Auckland")).replace(tzinfo=None)
    assert abs(there - datetime.fromisoformat(bike["modified"])) < timedelta(hours=1)
