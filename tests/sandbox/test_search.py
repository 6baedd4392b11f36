"""What a Link field offers: frappe.desk.search.search_link."""

from typing import Any

from .conftest import Client, MakeSite, doctype, field

SEARCH = "/api/method/frappe.desk.search.search_link"
BIKE = doctype(
    "Bike",
    field("title"),
    field("color", "Select", "red\nblue"),
    field("disabled", "Check"),
    autoname="prompt",
    title_field="title",
    search_fields="color",
)
NAMES: dict[str, dict[str, Any]] = {
    "B-1": {"title": "Gracht", "color": "red"},
    "B-2": {"title": "Gracht 28", "color": "blue"},
    "Gracht-0": {"title": "Old one", "color": "red"},
    "The Gracht": {"title": "Gone", "disabled": 1},
}


async def site_of(make_site: MakeSite, **more: Any) -> Client:
    site = await make_site({**BIKE, **more})
    for name, values in NAMES.items():
        await site.inserted("Bike", __newname=name, **values)
    return site


async def found(site: Client, txt: str, **given: Any) -> list[dict[str, str]]:
    status, body = await site.get(SEARCH, doctype=given.pop("doctype", "Bike"), txt=txt, **given)
    assert status == 200, body
    return body["message"]


async def test_name_title_and_search_fields_are_searched(make_site: MakeSite) -> None:
    site = await site_of(make_site)
    assert await found(site, "gracht") == [
        {"value": "Gracht-0", "description": "Old one, red"},
        {"value": "B-1", "description": "Gracht, red"},
        {"value": "B-2", "description": "Gracht 28, blue"},
    ]
    assert [one["value"] for one in await found(site, "blue")] == ["B-2"]
    assert [one["value"] for one in await found(site, "")] == ["B-1", "B-2", "Gracht-0"]


async def test_filters_and_length_narrow_the_choice(make_site: MakeSite) -> None:
    site = await site_of(make_site)
    for filters in ({"color": "red"}, {"color": ["!=", "blue"]}, [["Bike", "color", "=", "red"]]):
        rows = await found(site, "gracht", filters=filters)
        assert [one["value"] for one in rows] == ["Gracht-0", "B-1"]
    assert [one["value"] for one in await found(site, "gracht", page_length=1)] == ["Gracht-0"]


async def test_title_is_the_label_where_links_show_it(make_site: MakeSite) -> None:
    site = await site_of(make_site, show_title_field_in_link=1)
    assert await found(site, "28") == [
        {"value": "B-2", "description": "B-2, blue", "label": "Gracht 28"}
    ]


async def test_search_asks_for_the_right_to_read(make_site: MakeSite) -> None:
    site = await site_of(make_site)
    status, _ = await site.as_user("stranger").get(SEARCH, doctype="Bike", txt="")
    assert status == 403
    rows = await found(site.as_user("stranger"), "bike", doctype="DocType")
    assert [one["value"] for one in rows] == ["Bike"]


async def test_users_are_offered_but_for_the_standard_ones(make_site: MakeSite) -> None:
    site = await site_of(make_site)
    names = [one["value"] for one in await found(site.as_user("admin"), "", doctype="User")]
    assert names == ["clerk@example.com", "hub@example.com", "stranger@example.com"]


async def test_version_16_offers_the_same(make_site: MakeSite) -> None:
    site = await make_site(BIKE, major=16)
    for name, values in NAMES.items():
        await site.inserted("Bike", __newname=name, **values)
    assert [one["value"] for one in await found(site, "gracht")] == ["Gracht-0", "B-1", "B-2"]
