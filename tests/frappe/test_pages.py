"""A page as the mirror takes it: raw rows, positions, and what to do when columns are withheld."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from aiohttp import web

from bascule.frappe import Invalid, NoPermission, NotAFrappeSite, PageSize, SiteDown, is_mask
from tests.frappe.stage import Seen, stage

ROWS = [["ITM-1", 5.0, None], ["ITM-2", 0.0, 'a "quoted" é\n']]


async def test_rows_stay_the_bytes_that_the_site_wrote() -> None:
    async with stage(lambda _: {"message": ROWS}) as there, there.site() as site:
        page = await site.page("Item", ("name", "qty", "note"), limit=2)
    assert [bytes(raw) for raw in page.raw] == [
        b'["ITM-1",5.0,null]',
        rb'["ITM-2",0.0,"a \"quoted\" \u00e9\n"]',
    ]
    assert page.rows() == ROWS
    assert page.compact
    assert (page.first, page.last) == (("ITM-1",), ("ITM-2",))
    assert (page.count, page.full, page.withheld) == (2, True, ())
    assert page.bytes == len(json.dumps({"message": ROWS}, separators=(",", ":")))
    assert page.served_at is not None


async def test_a_list_is_asked_for_as_arrays_with_explicit_columns_and_its_parent() -> None:
    async with stage(lambda _: {"message": []}) as there, there.site() as site:
        page = await site.page(
            "Item Reorder",
            ["name", "modified"],
            filters={"disabled": 0, "qty": [">", 2]},
            key="modified",
            after=("2026-11-20 22:30:40.003589", "x"),
            limit=7,
            parent="Item",
        )
    (seen,) = there.seen
    assert (seen.method, seen.path) == ("POST", "/api/method/frappe.client.get_list")
    assert seen.json == {
        "doctype": "Item Reorder",
        "parent": "Item",
        "fields": ["name", "modified"],
        "filters": [
            ["disabled", "=", 0],
            ["qty", ">", 2],
            ["modified", ">=", "2026-11-20 22:30:40.003589"],
        ],
        "or_filters": [["modified", ">", "2026-11-20 22:30:40.003589"], ["name", ">", "x"]],
        "order_by": "modified asc, name asc",
        "limit_page_length": 7,
        "as_dict": False,
    }
    assert (page.count, page.full, page.first, page.last) == (0, False, None, None)


async def test_a_body_with_white_space_is_taken_and_told_from_a_compact_one() -> None:
    def answer(_: Seen) -> Any:
        text = json.dumps({"message": ROWS})
        return web.Response(text=text, content_type="application/json")

    async with stage(answer) as there, there.site() as site:
        page = await site.page("Item", ["name", "qty", "note"], limit=5)
    assert not page.compact
    assert page.rows() == ROWS


def withholding(seen: Seen) -> Any:
    """A site whose user may not read `cost`: arrays lack the column, objects the key."""
    wanted = [f for f in seen.json["fields"] if f != "cost"]
    rows: list[dict[str, Any]]
    rows = [{"name": "ITM-1", "qty": 5.0, "cost": 1}, {"name": "ITM-2", "qty": None, "cost": 2}]
    if seen.json["as_dict"]:
        return {"message": [{f: row[f] for f in reversed(wanted)} for row in rows]}
    return {"message": [[row[f] for f in wanted] for row in rows]}


async def test_a_withheld_column_is_null_in_its_place_and_named() -> None:
    async with stage(withholding) as there, there.site() as site:
        page = await site.page("Item", ["name", "cost", "qty"], limit=2)
        again = await site.page("Item", ["name", "cost", "qty"], limit=2)
        other = await site.page("Item", ["name", "qty"], limit=2)
    assert page.withheld == ("cost",)
    assert [bytes(raw) for raw in page.raw] == [b'["ITM-1",null,5.0]', b'["ITM-2",null,null]']
    assert page.last == ("ITM-2",)
    assert again.rows() == page.rows()
    assert other.withheld == ()
    # Once it is known, the arrays that would lack a column are not asked for in vain.
    assert [seen.json["as_dict"] for seen in there.seen] == [False, True, True, False]


async def test_a_site_that_answers_objects_to_whoever_asks_for_arrays_is_understood() -> None:
    rows: list[dict[str, Any]]
    rows = [{"name": "ITM-1", "qty": 5.0}]
    async with stage(lambda _: {"message": rows}) as there, there.site() as site:
        page = await site.page("Item", ["qty", "name"], limit=2)
    assert page.rows() == [[5.0, "ITM-1"]]
    assert len(there.seen) == 1


async def test_nested_values_and_booleans_come_through() -> None:
    rows = [["ITM-1", {"a": [1, 2]}, True]]
    async with stage(lambda _: {"message": rows}) as there, there.site() as site:
        page = await site.page("Item", ["name", "tags", "on"], limit=2)
    assert page.rows() == rows
    assert msgspec.json.decode(page.raw[0]) == rows[0]


async def test_a_row_in_the_middle_with_another_number_of_values_is_found_when_decoded() -> None:
    rows = [["a", 1], ["b"], ["c", 3]]
    async with stage(lambda _: {"message": rows}) as there, there.site() as site:
        page = await site.page("Item", ["name", "qty"], limit=5)
    with pytest.raises(ValueError, match="2 values"):
        page.rows()


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        (["qty"], {}),
        (["name"], {"key": "modified"}),
        (["*", "name"], {}),
        (["name", "name"], {}),
        (["name"], {"limit": 0}),
        (["name"], {"after": ("2026-11-20", "x")}),
        (["name"], {"filters": [["creation"]]}),
    ],
)
async def test_what_cannot_be_a_page_is_refused_before_it_is_asked(
    fields: list[str], options: dict[str, Any]
) -> None:
    async with stage(lambda _: {"message": []}) as there, there.site() as site:
        with pytest.raises(ValueError, match=r".+"):
            await site.page("Item", fields, **({"limit": 5} | options))
    assert there.seen == []


async def test_documents_without_a_modified_time_cannot_be_walked_by_it() -> None:
    async with stage(lambda _: {"message": [[None, "a"]]}) as there, there.site() as site:
        with pytest.raises(Invalid, match="without a modified time"):
            await site.page("Item", ["modified", "name"], key="modified", limit=1)


@pytest.mark.parametrize("body", ['{"message":[["ITM-1",5', '{"message":{"a":', "[1,"])
async def test_an_answer_that_broke_off_is_a_site_down(body: str) -> None:
    answer = web.Response(text=body, content_type="application/json")
    async with stage(lambda _: _again(answer)) as there, there.site() as site:
        with pytest.raises(SiteDown, match="broke off"):
            await site.page("Item", ["name"], limit=5)


@pytest.mark.parametrize("body", ['{"data":[]}', "[]", '{"error":"none of it"}'])
async def test_json_of_another_shape_is_no_frappe_site(body: str) -> None:
    answer = web.Response(text=body, content_type="application/json")
    async with stage(lambda _: _again(answer)) as there, there.site() as site:
        with pytest.raises(NotAFrappeSite, match="JSON of another shape"):
            await site.page("Item", ["name"], limit=5)


@pytest.mark.parametrize("body", ["{}", '{"message":{"a":1}}', '{"message":[1,2]}'])
async def test_a_doctype_that_answers_what_no_list_is_is_told_by_its_name(body: str) -> None:
    """As virtual ones may: what their own code returns."""
    answer = web.Response(text=body, content_type="application/json")
    async with stage(lambda _: _again(answer)) as there, there.site() as site:
        for asking in (site.page("Item", ["name"], limit=5), site.list("Item", ["name"])):
            with pytest.raises(Invalid, match="'read Item' with JSON of another shape") as caught:
                await asking
            assert "virtual DocType" in caught.value.next_step


def _again(answer: web.Response) -> web.Response:
    return web.Response(body=answer.body, content_type=answer.content_type)


async def page_of(count: int, *, asked: int, bytes_a_row: int, seconds: float) -> Any:
    row = ["x" * (bytes_a_row - 5)]

    async with stage(lambda _: {"message": [row] * count}) as there, there.site() as site:
        page = await site.page("Item", ["name"], limit=asked)
    return replace(page, seconds=seconds)


async def test_pages_grow_towards_a_second_by_four_at_most_and_stop_at_the_most_rows() -> None:
    size = PageSize(500, max_rows=10_000)
    sizes = []
    for _ in range(4):
        rows = size.rows
        size.saw(await page_of(rows, asked=rows, bytes_a_row=20, seconds=rows / 7_000))
        sizes.append(size.rows)
    assert sizes[0] == 2_000
    assert sizes[1:] == [7_000, 7_000, 7_000]


async def test_a_page_never_passes_the_bytes_that_memory_is_planned_for() -> None:
    size = PageSize(500, max_rows=10_000, max_bytes=1_000_000)
    size.saw(await page_of(500, asked=500, bytes_a_row=1_000, seconds=0.01))
    assert 900 <= size.rows <= 1_000


async def test_pages_shrink_when_the_site_is_slow_and_when_less_had_to_be_asked_for() -> None:
    size = PageSize(2_000)
    size.saw(await page_of(2_000, asked=2_000, bytes_a_row=20, seconds=4.0))
    assert size.rows == 500
    size.saw(await page_of(100, asked=100, bytes_a_row=20, seconds=2.0))
    assert size.rows == 50
    size.timed_out()
    assert size.rows == PageSize.FEWEST


async def test_a_short_last_page_does_not_make_the_next_ones_large() -> None:
    size = PageSize(500)
    size.saw(await page_of(3, asked=500, bytes_a_row=20, seconds=0.001))
    assert size.rows == 500


def selecting(seen: Seen) -> Any:
    """Version 15 to a user who may only select: nulls in arrays, no keys in objects."""
    if seen.path.endswith("get_list"):
        if seen.json["as_dict"]:
            return {"message": [{"name": "ITM-1"}]}
        return {"message": [["ITM-1", *[None] * (len(seen.json["fields"]) - 1)]]}
    permissions = [{"role": "Stock User", "read": 1, "permlevel": 0}]
    return {"data": {"name": "Item", "fields": [], "permissions": permissions}}


async def test_who_may_only_select_is_told_so_and_gets_no_nulls_for_values() -> None:
    async with stage(selecting) as there, there.site() as site:
        with pytest.raises(NoPermission, match=r"may not read Item.*only select") as refused:
            await site.page("Item", ["name", "modified", "docstatus", "qty"], limit=5)
    assert refused.value.roles == ("Stock User",)


async def test_fields_of_a_level_in_a_child_are_asked_of_the_parents() -> None:
    rows = [["row1", "TS-1", 42.0]]
    async with stage(lambda _: {"message": rows}) as there, there.site() as site:
        page = await site.page(
            "Timesheet Detail",
            ["name", "parent", "costing_rate"],
            filters=[["parent", "in", ["TS-1"]]],
            after=("row0",),
            limit=7,
            parent="Timesheet",
            through_parents=True,
        )
    assert (page.doctype, page.fields, page.rows()) == (
        "Timesheet Detail",
        ("name", "parent", "costing_rate"),
        rows,
    )
    assert there.seen[0].json == {
        "doctype": "Timesheet",
        "fields": [f"`tabTimesheet Detail`.`{f}`" for f in ("name", "parent", "costing_rate")],
        "filters": [
            ["Timesheet Detail", "parenttype", "=", "Timesheet"],
            ["Timesheet Detail", "parent", "in", ["TS-1"]],
            ["Timesheet Detail", "name", ">", "row0"],
        ],
        "or_filters": [],
        "order_by": "`tabTimesheet Detail`.`name` asc",
        "limit_page_length": 7,
        "as_dict": False,
    }


@pytest.mark.parametrize(
    ("value", "masks"),
    [
        ("XXXXXXXX", True),
        ("XX-XX-XXXX", True),
        ("XX:XX", True),
        ("+31XXXXXX", True),
        ("XXXXXX@example.com", True),
        ("XXX", True),
        ("XL", False),
        ("MAXX", False),
        (8, False),
        (None, False),
    ],
)
async def test_a_page_tells_whether_some_text_reads_like_a_mask(value: Any, masks: bool) -> None:
    async with stage(lambda _: {"message": [["a", value]]}) as there, there.site() as site:
        page = await site.page("Item", ["name", "tax_id"], limit=5)
    assert (page.looks_masked, is_mask(value)) == (masks, masks)


async def test_which_fields_are_masked_for_the_user_the_desk_says() -> None:
    fields: list[dict[str, Any]] = [
        {"fieldname": "tax_id", "fieldtype": "Data", "mask": 1},
        {"fieldname": "phone", "fieldtype": "Data", "mask": 1},
        {"fieldname": "website", "fieldtype": "Data"},
    ]
    meta = {"name": "Customer", "fields": fields}

    def answer(seen: Seen) -> Any:
        if seen.path.startswith("/api/v2/"):
            return {"data": meta}
        return {"docs": [{**meta, "masked_fields": ["tax_id"]}]} if desk else (403, {"exc": "[]"})

    async with stage(answer) as there, there.site() as site:
        desk = True
        assert (await site.meta("Customer")).masked_for_user == {"tax_id"}
        desk = False  # who cannot ask it is not given what may be masked
        assert (await site.meta("Customer")).masked_for_user == {"tax_id", "phone"}
        fields[0]["mask"] = fields[1]["mask"] = 0
        asked = len(there.seen)
        assert (await site.meta("Customer")).masked_for_user == set()
        assert len(there.seen) == asked + 1
