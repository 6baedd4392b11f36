"""Frappe 13 to 16: each answers as its own source does where they differ, and the client copes."""

import json
from typing import Any

import pytest

from bascule.frappe import Invalid, NoPermission, NotFound, Site
from tests.frappe.stage import Seen, as_frappe, stage

ITEM: dict[str, Any] = {
    "doctype": "DocType",
    "name": "Item",
    "module": "Stock",
    "istable": 0,
    "fields": [
        {"fieldname": "item_code", "fieldtype": "Data", "label": "Item Code", "reqd": 1},
        {"fieldname": "column_break_1", "fieldtype": "Column Break"},
        {"fieldname": "reorder_levels", "fieldtype": "Table", "options": "Item Reorder"},
        {"fieldname": "total", "fieldtype": "Float", "is_virtual": 1},
    ],
    "permissions": [
        {"role": "Stock User", "read": 1, "permlevel": 0},
        {"role": "Item Manager", "read": 1, "write": 1, "permlevel": 0},
        {"role": "Accounts User", "read": 1, "permlevel": 1},
        {"role": "Administrator", "read": 1, "write": 1},
    ],
}
CUSTOM = {"fieldname": "shelf", "fieldtype": "Data", "label": "Shelf", "is_custom_field": 1}
NO_ROUTE = (404, {"exc_type": "DoesNotExistError"})
NO_METHOD = (
    417,
    {
        "exc_type": "ValidationError",
        "exception": "frappe.exceptions.ValidationError: Failed to get method for command x with "
        "module 'frappe.client' has no attribute 'x'",
    },
)
FORBIDDEN = (403, {"exc_type": "PermissionError", "exception": "frappe.exceptions.PermissionError"})


class Frappe:
    """What differs between versions, as far as a client meets it."""

    def __init__(
        self, version: str, *, knows_zone: bool = True, desk: bool = True, manager: bool = True
    ) -> None:
        self.version = version
        self.major = int(version.partition(".")[0])
        self.knows_zone = knows_zone
        self.desk = desk
        self.manager = manager

    def __call__(self, seen: Seen) -> Any:
        method = seen.path.rpartition("/")[2]
        if seen.path.startswith("/api/v2/"):
            known = self.major >= 15 and "/doctype/Item/" in seen.path
            return {"data": {**ITEM, "fields": [*ITEM["fields"], CUSTOM]}} if known else NO_ROUTE
        if method == "frappe.utils.change_log.get_versions":
            return {"message": {"frappe": {"title": "Frappe", "version": self.version}}}
        if method == "frappe.client.get_time_zone":
            return {"message": {"time_zone": "Europe/Amsterdam"}} if self.knows_zone else NO_METHOD
        if method == "frappe.client.get_value":
            return {"message": {"time_zone": "America/New_York"}}
        if method == "frappe.desk.form.load.getdoctype":
            return self.bundle(seen.query["doctype"])
        if seen.path.startswith("/api/resource/DocType/"):
            return {"data": ITEM} if self.manager else FORBIDDEN
        if method == "frappe.client.get_list":
            return self.get_list(seen.json)
        return {"message": "pong"}

    def bundle(self, doctype: str) -> Any:
        if not self.desk:
            return FORBIDDEN
        if doctype != "Item":
            message = '["{\\"message\\": \\"DocType Nope not found\\"}"]'
            return 404, {"exc_type": "DoesNotExistError", "_server_messages": message}
        child = {"name": "Item Reorder", "istable": 1, "fields": []}
        return {"docs": [child, {**ITEM, "fields": [*ITEM["fields"], CUSTOM]}]}

    def get_list(self, query: dict[str, Any]) -> Any:
        if query["doctype"] == "Custom Field":
            return {"message": [{k: v for k, v in CUSTOM.items() if k != "is_custom_field"}]}
        if query["doctype"] == "Property Setter":
            return {"message": [{"field_name": "item_code", "property": "reqd", "value": "0"}]}
        return self.total(query["fields"])

    def total(self, fields: list[Any]) -> Any:
        (field,) = fields
        if self.major >= 16 and isinstance(field, str):
            text = "SQL functions are not allowed as strings in SELECT. Use dict syntax instead."
            return 417, {"exc_type": "ValidationError", "exception": f"ValidationError: {text}"}
        if self.major < 16 and isinstance(field, dict):
            return 500, {"exc_type": "AttributeError", "exception": "AttributeError: lower"}
        return {"message": [{"total": 300}]}


VERSIONS = ["13.58.21", "14.81.4", "15.44.2", "16.0.0-dev"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_documents_are_counted_whatever_a_version_calls_a_function(version: str) -> None:
    async with stage(Frappe(version)) as there, there.site() as site:
        assert await site.count("Item") == 300
        assert await site.count("Item", {"disabled": 0}) == 300
    fields = [seen.json["fields"] for seen in there.seen if seen.path.endswith("get_list")]
    if version.startswith("16"):
        assert fields[-1] == [{"COUNT": "name", "as": "total"}]
        assert len(there.seen) == 4  # a refusal and a look at the versions, once
    else:
        assert fields == [["count(name) as total"]] * 2


async def test_a_known_version_is_spoken_to_in_its_own_way_at_once() -> None:
    async with stage(Frappe("16.2.0")) as there, there.site() as site:
        assert await site.versions() == {"frappe": "16.2.0"}
        assert site.major == 16
        await site.list("Item", ["count(distinct item_group) as total"], group_by="item_group")
        assert len(there.seen) == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_a_site_told_before_is_spoken_to_it_at_once(version: str) -> None:
    async with stage(Frappe(version)) as there:
        for _ in range(2):
            async with there.site(versions={"frappe": version}) as site:
                assert await site.count("Item") == 300
        assert len(there.seen) == 2


@pytest.mark.parametrize(("before", "now"), [("15.44.2", "16.2.0"), ("16.2.0", "15.44.2")])
async def test_a_site_that_is_another_version_than_it_was_is_asked_once(
    before: str, now: str
) -> None:
    async with stage(Frappe(now)) as there, there.site(versions={"frappe": before}) as site:
        assert await site.count("Item") == 300
        assert await site.count("Item") == 300
        assert len(there.seen) == 4


async def test_a_refusal_of_a_field_names_it_and_roles_of_its_level() -> None:
    """Version 16 refuses a filter on a field above the user's permission level."""
    item = {
        **ITEM,
        "fields": [{"fieldname": "cost", "fieldtype": "Currency", "permlevel": 1}],
        "permissions": [
            {"role": "Stock User", "read": 1},
            {"role": "Accounts Manager", "read": 1, "permlevel": 1},
            {"role": "Accounts User", "read": 1, "permlevel": 1},
        ],
    }

    def answer(seen: Seen) -> Any:
        if seen.path.startswith("/api/v2/"):
            return {"data": item}
        told = "You do not have permission to access field: <strong>Item.cost</strong>"
        said = json.dumps([json.dumps({"message": told})])
        return 403, {"exc_type": "PermissionError", "_server_messages": said}

    async with stage(answer) as there, there.site() as site:
        error = await refused(site)
    assert error.field == ("Item", "cost")
    assert error.roles == ("Accounts User", "Accounts Manager")
    assert "Item.cost" in str(error)
    assert "field cost at permission level 1" in error.next_step
    assert "Stock User" not in error.next_step


async def test_few_roles_are_named_and_none_that_nobody_has_a_use_for() -> None:
    roles = ["System Manager", "HR Manager", "Academics User", "HR User", "Auditor", "Stock User"]
    item = {**ITEM, "permissions": [{"role": role, "read": 1} for role in roles]}

    def answer(seen: Seen) -> Any:
        return {"data": item} if seen.path.startswith("/api/v2/") else FORBIDDEN

    async with stage(answer) as there, there.site() as site:
        error = await refused(site)
    assert error.next_step.endswith("in ERPNext: HR User, Auditor, Stock User.")
    assert error.roles == ("HR User", "Auditor", "Stock User", "HR Manager", "System Manager")


async def test_a_function_that_is_refused_for_its_own_sake_is_told_as_it_was() -> None:
    def answer(seen: Seen) -> Any:
        if seen.path.endswith("get_versions"):
            return {"message": {"frappe": {"version": "15.44.2"}}}
        return 417, {"exc_type": "DataError", "exception": "Field not permitted in query: nope"}

    async with stage(answer) as there, there.site() as site:
        with pytest.raises(Invalid, match="not permitted") as caught:
            await site.list("Item", ["sum(nope) as n"])
    assert "nope" in caught.value.fields


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_definition_has_its_custom_fields_in_every_version(version: str) -> None:
    async with stage(Frappe(version)) as there, there.site() as site:
        await site.versions()
        meta = await site.meta("Item")
    assert [f.name for f in meta.columns] == ["item_code", "shelf"]
    assert meta.children == [("reorder_levels", "Item Reorder")]
    assert meta.field("shelf").custom  # type: ignore[union-attr]
    assert meta.roles_that_may("write") == ("Item Manager",)
    assert (meta.module, meta.child, meta.single) == ("Stock", False, False)
    assert len(there.seen) == 2


async def test_a_definition_is_put_together_where_only_documents_may_be_read() -> None:
    async with stage(Frappe("14.81.4", desk=False)) as there, there.site() as site:
        meta = await site.meta("Item")
    assert [(f.name, f.required, f.custom) for f in meta.columns] == [
        ("item_code", False, False),  # a Property Setter took the star away
        ("shelf", False, True),
    ]


async def test_a_definition_that_may_be_read_by_no_route_is_no_permission() -> None:
    async with stage(Frappe("14.81.4", desk=False, manager=False)) as there, there.site() as site:
        with pytest.raises(NoPermission) as caught:
            await site.meta("Item")
    assert caught.value.roles == ("System Manager",)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_doctype_that_is_not_there_is_not_found(version: str) -> None:
    frappe = Frappe(version)

    def answer(seen: Seen) -> Any:
        missing = seen.path.startswith("/api/resource/DocType/")
        return NO_ROUTE if missing else frappe(seen)

    async with stage(answer) as there, there.site() as site:
        with pytest.raises(NotFound, match="Nope"):
            await site.meta("Nope")


@pytest.mark.parametrize(
    ("known", "zone"), [(True, "Europe/Amsterdam"), (False, "America/New_York")]
)
async def test_the_time_zone_is_found_where_the_method_is_missing(known: bool, zone: str) -> None:
    async with stage(Frappe("13.0.0", knows_zone=known)) as there, there.site() as site:
        assert await site.time_zone() == zone
        asked = len(there.seen)
        assert await site.time_zone() == zone
        assert len(there.seen) == asked


async def test_a_site_without_a_time_zone_has_frappes_own() -> None:
    async with stage(lambda _: {"message": {"time_zone": None}}) as there, there.site() as site:
        assert await site.time_zone() == "Asia/Kolkata"


async def test_a_time_zone_that_is_none_is_told() -> None:
    async with stage(lambda _: {"message": {"time_zone": "Mars"}}) as there, there.site() as site:
        with pytest.raises(Invalid, match="Mars"):
            await site.time_zone()


async def test_the_clock_is_the_answers_date_in_the_sites_zone() -> None:
    def answer(seen: Seen) -> Any:
        if seen.path.endswith("get_time_zone"):
            return {"message": {"time_zone": "Europe/Amsterdam"}}
        return as_frappe({"message": "pong"}, headers={"Date": "Sun, 25 Oct 2026 01:30:00 GMT"})

    async with stage(answer) as there, there.site() as site:
        assert (await site.clock()).isoformat(" ") == "2026-10-25 02:30:00"
    assert there.seen[0].path == "/api/method/ping"


async def test_a_site_too_old_for_or_filters_is_told_and_not_walked_in_circles() -> None:
    """It answers objects to whoever asks for arrays, too: both parameters are unknown to it."""
    rows = [{"name": name, "modified": "2026-11-20 22:30:40"} for name in "abcd"]

    def answer(seen: Seen) -> Any:
        return {"message": rows[: seen.json["limit_page_length"]]}

    async with stage(answer) as there, there.site() as site:
        first = await site.page("Item", ["name", "modified"], key="modified", limit=2)
        assert first.rows() == [["a", "2026-11-20 22:30:40"], ["b", "2026-11-20 22:30:40"]]
        with pytest.raises(Invalid, match="gave that row again"):
            await site.page("Item", ["name", "modified"], key="modified", after=first.last, limit=2)


async def test_the_errors_of_version_2_of_the_api_are_read_too() -> None:
    body = {"errors": [{"type": "DoesNotExistError", "message": "Item <b>NOPE</b> not found"}]}
    async with stage(lambda _: (404, body)) as there, there.site() as site:
        with pytest.raises(NotFound, match=r"Item NOPE not found\."):
            await site.document("Item", "NOPE")


async def refused(site: Site) -> NoPermission:
    with pytest.raises(NoPermission) as caught:
        await site.list("Item")
    return caught.value


async def test_a_refusal_names_the_roles_that_would_help_and_asks_for_them_once() -> None:
    frappe = Frappe("15.44.2")

    def answer(seen: Seen) -> Any:
        allowed = seen.path.startswith(("/api/v2/", "/api/method/frappe.desk"))
        return frappe(seen) if allowed else FORBIDDEN

    async with stage(answer) as there, there.site() as site:
        error = await refused(site)
        await refused(site)
        with pytest.raises(NoPermission) as writing:
            await site.insert("Item", {})
    assert error.doctype == "Item"
    assert error.roles == ("Stock User", "Item Manager")
    assert "Stock User, Item Manager" in error.next_step
    assert writing.value.roles == ()  # nobody was given the right to create
    assert sum(seen.path.startswith("/api/v2/") for seen in there.seen) == 1


async def test_a_refusal_stands_by_itself_where_no_permissions_may_be_read() -> None:
    async with stage(lambda _: FORBIDDEN) as there, there.site() as site:
        error = await refused(site)
        count = len(there.seen)
        await refused(site)
    assert error.roles == ()
    assert error.next_step
    assert len(there.seen) == count + 1


async def test_a_child_table_without_its_parent_is_told_to_name_it() -> None:
    child = {"name": "Item Reorder", "istable": 1, "fields": [], "permissions": []}

    def answer(seen: Seen) -> Any:
        return {"data": child} if seen.path.startswith("/api/v2/") else FORBIDDEN

    async with stage(answer) as there, there.site() as site:
        with pytest.raises(NoPermission) as caught:
            await site.list("Item Reorder")
    assert "parent=" in caught.value.next_step
