from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.sandbox.conftest import Client, MakeSite, doctype, field, messages

NAMES = ["a-1", "A 2", "b", "Éa", "eb", "Zoë", "zoe 2", "10", "9", "_x", "ø", "oz", "p"]


def today_there() -> date:
    """At the site, where a day may have begun that has not begun here."""
    return datetime.now(ZoneInfo("Europe/Amsterdam")).date()


async def shop(make_site: MakeSite) -> Client:
    today = today_there()
    bikes = [
        {
            "doctype": "Bike",
            "name": name,
            "frame": name,
            "price": float(n),
            "kind": "City" if n % 2 else "Cargo",
            "built": str(today - timedelta(days=n * 20)),
            "group": "Racers" if n < 3 else "Bikes",
            "creation": f"2026-01-01 10:00:{n:02}",
            "modified": f"2026-01-01 10:00:{n // 4:02}.000100",
            "owner": "Administrator",
            "wheels": [
                {"doctype": "Wheel", "name": f"w{n}{i}", "size": 20 + i, "idx": i + 1,
                 "parent": name, "parentfield": "wheels", "parenttype": "Bike"}
                for i in range(n % 3)
            ],
        }
        for n, name in enumerate(NAMES)
    ]  # fmt: skip
    tree = [("All", None, 1, 6), ("Bikes", "All", 2, 5), ("Racers", "Bikes", 3, 4)]
    groups = [
        {"doctype": "Group", "name": name, "parent_group": above, "lft": left, "rgt": right}
        for name, above, left, right in tree
    ]
    return await make_site(
        doctype("Wheel", field("size", "Int"), istable=1),
        doctype("Group", field("parent_group", "Link", "Group"), field("lft", "Int"),
                field("rgt", "Int"), is_tree=1),
        doctype("Bike", field("frame"), field("price", "Currency"), field("kind", search_index=1),
                field("built", "Date"), field("group", "Link", "Group"), field("colour"),
                field("wheels", "Table", "Wheel")),
        documents={"Bike": bikes, "Group": groups},
    )  # fmt: skip


async def names(site: Client, **query: object) -> list[str]:
    rows = await site.list("Bike", **{"limit_page_length": 0, **query})
    return [row["name"] for row in rows]


async def test_names_sort_as_mariadb_sorts_them(make_site: MakeSite) -> None:
    site = await shop(make_site)
    found = await names(site, order_by="name asc")
    punctuation_digits_letters = ["_x", "10", "9", "A 2", "a-1", "b", "Éa", "eb"]
    assert found == [*punctuation_digits_letters, "oz", "ø", "p", "Zoë", "zoe 2"]


async def test_keyset_pages_by_name_neither_miss_nor_repeat(make_site: MakeSite) -> None:
    site = await shop(make_site)
    seen: list[str] = []
    while True:
        filters = [["name", ">", seen[-1]]] if seen else []
        page = await names(site, filters=filters, order_by="name asc", limit_page_length=3)
        seen += page
        if len(page) < 3:
            break
    assert sorted(seen) == sorted(NAMES)
    assert len(seen) == len(NAMES)


async def test_keyset_pages_by_modified_take_the_tie_from_or_filters(make_site: MakeSite) -> None:
    site = await shop(make_site)
    fields, order = ["name", "modified"], "modified asc, name asc"
    seen: list[dict[str, str]] = []
    while True:
        query: dict[str, object] = {"fields": fields, "order_by": order, "limit_page_length": 3}
        if seen:
            last = seen[-1]
            query["filters"] = [["modified", ">=", last["modified"]]]
            query["or_filters"] = [
                ["modified", ">", last["modified"]],
                ["name", ">", last["name"]],
            ]
        page = await site.list("Bike", **query)
        seen += page
        if len(page) < 3:
            break
    assert sorted(row["name"] for row in seen) == sorted(NAMES)


async def test_text_is_compared_without_case_accents_and_trailing_spaces(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    assert await names(site, filters=[["frame", "=", "ZOE  "]]) == ["Zoë"]
    assert await names(site, filters=[["frame", "like", "%ZOE%"]], order_by="name asc") == [
        "Zoë",
        "zoe 2",
    ]
    assert await names(site, filters=[["frame", "in", "éA,EB"]], order_by="name asc") == [
        "Éa",
        "eb",
    ]
    assert await names(site, filters=[["frame", "like", "\\_x"]]) == ["_x"]


async def test_every_operator_finds_what_it_says(make_site: MakeSite) -> None:
    site = await shop(make_site)
    year = today_there().year
    expected = [
        (("price", "<=", 1), 2),
        (("price", "!=", 1), 12),
        (("price", ">", "10"), 2),
        (("kind", "not in", ["City"]), 7),
        (("kind", "not like", "ci%"), 7),
        (("colour", "is", "not set"), 13),
        (("colour", "is", "set"), 0),
        (("price", "is", "set"), 12),
        (("colour", "!=", "red"), 13),
        (("colour", "in", ["", "red"]), 13),
        (("creation", "between", ["2026-01-01", "2026-01-01"]), 13),
        (("creation", "<", "2026-01-01T10:00:03Z"), 3),
        (("built", "=", str(today_there())), 1),
        (("built", "Timespan", "today"), 1),
        (("built", "between", [f"{year - 2}-01-01", str(today_there())]), 13),
        (("built", "next", "1 year"), 0),
        (("group", "descendants of", "All"), 13),
        (("group", "descendants of", "Bikes"), 3),
        (("group", "descendants of (inclusive)", "Bikes"), 13),
        (("group", "not descendants of", "Bikes"), 10),
        (("group", "ancestors of", "Racers"), 10),
    ]
    found = [(one, len(await names(site, filters=[list(one)]))) for one, _ in expected]
    assert found == expected


async def test_filters_are_a_dict_or_name_their_doctype_as_well(make_site: MakeSite) -> None:
    site = await shop(make_site)
    assert await names(site, filters={"price": 4}) == ["eb"]
    assert len(await names(site, filters={"price": [">", 9], "kind": "City"})) == 1
    assert await names(site, filters=[["Bike", "price", "=", 4]]) == ["eb"]
    assert len(await names(site, filters=[["Wheel", "size", "=", 21]])) == 4


async def test_fields_are_reached_through_tables_and_links(make_site: MakeSite) -> None:
    site = await shop(make_site)
    fields = ["name", "wheels.size as size", "group.parent_group as above"]
    rows = await site.list(
        "Bike", fields=fields, filters=[["name", "in", ["a-1", "b"]]], order_by="name, size"
    )
    assert rows == [
        {"name": "a-1", "size": None, "above": "Bikes"},
        {"name": "b", "size": 20, "above": "Bikes"},
        {"name": "b", "size": 21, "above": "Bikes"},
    ]


async def test_rows_are_counted_and_grouped(make_site: MakeSite) -> None:
    site = await shop(make_site)
    fields = ["kind", "count(name) as n", "sum(price) as total", "avg(price) as mean"]
    rows = await site.list("Bike", fields=fields, group_by="kind", order_by="kind asc")
    assert rows == [
        {"kind": "Cargo", "n": 7, "total": 42.0, "mean": 6.0},
        {"kind": "City", "n": 6, "total": 36.0, "mean": 6.0},
    ]
    assert await site.list("Bike", fields=["max(price) as top"]) == [{"top": 12.0}]


async def test_a_count_takes_filters_of_child_rows(make_site: MakeSite) -> None:
    site = await shop(make_site)
    filters = [["Wheel", "size", ">=", 20]]
    given = {"doctype": "Bike", "filters": filters}
    assert (await site.call("frappe.client.get_count", **given))[1] == {"message": 8}
    _, body = await site.get("/api/v2/doctype/Bike/count", filters=[["kind", "=", "City"]])
    assert body == {"data": 6}
    wrong = {"doctype": "Bike", "filters": [["colours", "=", 1]]}
    _, body = await site.call("frappe.client.get_count", **wrong)
    assert body["exc_type"] == "OperationalError"
    assert "colours' in 'WHERE'" in body["exception"]
    _, body = await site.call("frappe.client.get_count", doctype="Nope")
    assert body["exc_type"] == "ProgrammingError"


async def test_limits_and_shapes_are_as_asked(make_site: MakeSite) -> None:
    site = await shop(make_site)
    assert len(await site.list("Bike", limit=5)) == 5
    assert len(await site.list("Bike", limit_start=10, limit_page_length=5)) == 3
    assert len(await site.list("Bike", limit_page_length=0)) == 13
    asked = {"doctype": "Bike", "fields": ["name", "price", "colour"], "order_by": "price asc"}
    _, body = await site.call("frappe.client.get_list", **asked, as_dict=False, limit_page_length=1)
    assert body["message"] == [["a-1", 0.0, None]]
    status, body = await site.call("frappe.client.get_list", **asked, as_dict="perhaps")
    assert (status, body["exc_type"]) == (417, "FrappeTypeError")


async def test_what_may_not_be_asked_is_refused_in_frappes_words(make_site: MakeSite) -> None:
    site = await shop(make_site)
    refused: list[tuple[dict[str, Any], int, str | None]] = [
        ({"fields": ["colours"]}, 417, "Field not permitted in query: colours"),
        ({"filters": [["Bike", "colours", "=", 1]]}, 417, "Field not permitted in query: colours"),
        ({"filters": [["Nope", "x", "=", 1]]}, 404, "DocType Nope not found"),
        ({"order_by": "name; select 1"}, 417, "Illegal SQL Query"),
        ({"order_by": "(select name from tabUser)"}, 417, "Cannot use sub-query in order by"),
        ({"fields": ["concat(name, 'x') as y"]}, 417, None),
        ({"group_by": "sleep(9)"}, 417, "Cannot use sleep(9) in order/group by"),
        ({"filters": [["name", "="]]}, 404, None),
        ({"order_by": "colours asc"}, 500, None),
        ({"filters": "[broken"}, 500, None),
        ({"limit_start": -1}, 500, None),
    ]
    for query, wanted, told in refused:
        status, body = await site.get("/api/resource/Bike", **query)
        assert status == wanted, (query, body)
        if told:
            assert told in messages(body)


async def test_a_request_line_is_not_longer_than_a_web_server_takes(make_site: MakeSite) -> None:
    site = await shop(make_site)
    status, body = await site.get("/api/resource/Bike", filters=[["name", "in", ["x" * 4200]]])
    assert status == 400
    assert "Request Line is too large" in body
    long = {"doctype": "Bike", "filters": [["name", "in", ["x" * 4200, "b"]]]}
    assert (await site.call("frappe.client.get_list", **long))[1]["message"] == [{"name": "b"}]


async def test_one_value_is_asked_for_by_name_or_filter(make_site: MakeSite) -> None:
    site = await shop(make_site)
    given: dict[str, Any] = {"doctype": "Bike", "fieldname": ["price", "kind"], "filters": "eb"}
    _, body = await site.call("frappe.client.get_value", **given)
    assert body["message"] == {"price": 4.0, "kind": "Cargo"}
    given = {"doctype": "Bike", "fieldname": "kind", "filters": {"price": 99}}
    assert (await site.call("frappe.client.get_value", **given))[1]["message"] == {}
    _, body = await site.call("frappe.client.get", doctype="Bike", filters={"price": 4})
    assert (body["message"]["name"], body["message"]["colour"]) == ("eb", None)


async def test_the_pages_methods_give_the_same_rows(make_site: MakeSite) -> None:
    site = await shop(make_site)
    asked: dict[str, Any]
    asked = {"doctype": "Bike", "fields": ["`tabBike`.`name`", "`tabBike`.`price`"]}
    asked |= {"order_by": "`tabBike`.`price` asc", "page_length": 2}
    _, body = await site.call("frappe.desk.reportview.get", **asked)
    assert body["message"]["keys"] == ["name", "price"]
    assert body["message"]["values"] == [["a-1", 0.0], ["A 2", 1.0]]
    given = {"doctype": "Bike", "docname": "ZOE", "fields": ["price"]}
    _, body = await site.call("frappe.client.validate_link", **given)
    assert body["message"] == {"name": "Zoë", "price": 5.0}
