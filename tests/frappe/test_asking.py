"""The words a caller has: filters, lookups, documents, writes, and what a site dropped of them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bascule import frappe
from bascule.frappe import ChangedMeanwhile, Invalid, NoPermission, WrongCredentials, dropped_fields
from tests.frappe.stage import Seen, stage


async def filters_for(**looked_up: Any) -> list[list[Any]]:
    async with stage(lambda _: {"message": []}) as there, there.site() as site:
        await site.documents("Item").where(**looked_up).first()
    return there.seen[0].json.get("filters", [])


@pytest.mark.parametrize(
    ("looked_up", "asked"),
    [
        ({"disabled": False}, [["disabled", "=", 0]]),
        ({"qty__gt": 5}, [["qty", ">", 5]]),
        ({"qty__gte": Decimal("5.5")}, [["qty", ">=", 5.5]]),
        ({"qty__lt": 5}, [["qty", "<", 5]]),
        ({"posting_date__lte": date(2026, 11, 20)}, [["posting_date", "<=", "2026-11-20"]]),
        (
            {"modified__gte": datetime(2026, 11, 20, 22, 30, 40, 3589)},
            [["modified", ">=", "2026-11-20 22:30:40.003589"]],
        ),
        ({"brand__ne": "x"}, [["brand", "!=", "x"]]),
        ({"name__in": ("a", "b")}, [["name", "in", ["a", "b"]]]),
        ({"name__not_in": ["a"]}, [["name", "not in", ["a"]]]),
        ({"item_name__like": "%é%"}, [["item_name", "like", "%é%"]]),
        ({"item_name__not_like": "x%"}, [["item_name", "not like", "x%"]]),
        ({"rate__between": (1, 2.5)}, [["rate", ">=", 1], ["rate", "<=", 2.5]]),
        (
            {"creation__between": ("2026-01-01", "2026-02-01")},
            [["creation", "between", ["2026-01-01", "2026-02-01"]]],
        ),
        ({"brand__isset": True}, [["brand", "is", "set"]]),
        ({"brand__isset": False}, [["brand", "is", "not set"]]),
    ],
)
async def test_a_lookup_reads_as_frappes_operator(
    looked_up: dict[str, Any], asked: list[list[Any]]
) -> None:
    assert await filters_for(**looked_up) == asked


async def test_an_unknown_lookup_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="__gte"):
        await filters_for(qty__above=5)


async def test_a_time_with_a_zone_is_refused_for_the_site_would_ignore_the_zone() -> None:
    with pytest.raises(ValueError, match="local time"):
        await filters_for(modified__gt=datetime(2026, 11, 20, tzinfo=UTC))


async def test_a_sentence_asks_for_what_it_says() -> None:
    def answer(seen: Seen) -> Any:
        if "count(" in str(seen.json["fields"]):
            return {"message": [{"total": 1}]}
        row = {"name": "ITM-1", "item_name": "Oak"}
        if seen.json.get("as_dict", True):
            return {"message": [{field: row[field] for field in seen.json["fields"]}]}
        return {"message": [[row[field] for field in seen.json["fields"]]]}

    async with stage(answer) as there, there.site() as site:
        items = site.documents("Item").where(disabled=0).where(["qty", ">", 5])
        assert [d async for d in items.fields("item_name")] == [{"item_name": "Oak"}]
        assert await items.fields("name", "item_name").all() == [
            {"name": "ITM-1", "item_name": "Oak"}
        ]
        assert await items.fields("item_name").first() == {"item_name": "Oak"}
        assert await items.count() == 1
        await site.documents("Item Reorder").of("Item").first()
    assert all(
        seen.json["filters"][:2] == [["disabled", "=", 0], ["qty", ">", 5]]
        for seen in there.seen[:4]
    )
    assert there.seen[4].json["parent"] == "Item"


async def test_names_that_paths_do_not_like_arrive_whole() -> None:
    names = ["Café Müller & Søn", "a/b", 'Odd "Ü" & \\ Co', "50% off?", "#1", "a b", "..", "ITM+1"]
    came: list[str] = []

    def answer(seen: Seen) -> Any:
        if seen.path.endswith("frappe.client.get"):
            came.append(seen.json["name"])
            return {"message": {"name": seen.json["name"]}}
        came.append(seen.path.removeprefix("/api/resource/Item/"))
        return {"data": {"name": came[-1]}}

    async with stage(answer) as there, there.site() as site:
        for name in names:
            assert (await site.document("Item", name))["name"] == name
    assert came == names


async def test_each_write_goes_where_frappe_takes_it_and_gives_what_was_stored() -> None:
    stored = {"name": "SO-1", "docstatus": 1}

    def answer(seen: Seen) -> Any:
        if seen.method == "DELETE":
            return 202, {"data": "ok"}
        if seen.path.endswith("insert_many"):
            return {"message": ["a", "b"]}
        if seen.path.endswith("rename_doc"):
            return {"message": "SO-2"}
        return {"message": stored} if "/method/" in seen.path else {"data": stored}

    async with stage(answer) as there, there.site() as site:
        values = {"delivery_date": date(2026, 12, 1), "rate": Decimal("0.10"), "is_paid": True}
        assert await site.insert("Sales Order", values) == stored
        assert await site.update("Sales Order", "SO-1", {"a": 1}, based_on="2026-11-20") == stored
        assert await site.submit("Sales Order", "SO-1") == stored
        assert await site.cancel("Sales Order", "SO-1") == stored
        assert await site.insert_many([{"doctype": "Item"}]) == ["a", "b"]
        assert await site.rename("Sales Order", "SO-1", "SO-2") == "SO-2"
        await site.delete("Sales Order", "SO-1")
    assert [(seen.method, seen.path, seen.json) for seen in there.seen] == [
        (
            "POST",
            "/api/resource/Sales Order",
            {"delivery_date": "2026-12-01", "rate": 0.10, "is_paid": 1},
        ),
        ("PUT", "/api/resource/Sales Order/SO-1", {"a": 1, "modified": "2026-11-20"}),
        ("PUT", "/api/resource/Sales Order/SO-1", {"docstatus": 1}),
        (
            "POST",
            "/api/method/frappe.client.cancel",
            {"doctype": "Sales Order", "name": "SO-1"},
        ),
        ("POST", "/api/method/frappe.client.insert_many", {"docs": [{"doctype": "Item"}]}),
        (
            "POST",
            "/api/method/frappe.client.rename_doc",
            {"doctype": "Sales Order", "old_name": "SO-1", "new_name": "SO-2"},
        ),
        ("DELETE", "/api/resource/Sales Order/SO-1", None),
    ]


async def test_a_guest_is_told_that_the_credentials_got_lost() -> None:
    async with stage(lambda _: {"message": "Guest"}) as there, there.site() as site:
        with pytest.raises(WrongCredentials) as caught:
            await site.logged_user()
    assert "Authorization" in caught.value.next_step


async def test_a_method_that_returns_nothing_gives_none() -> None:
    async with stage(lambda _: {}) as there, there.site() as site:
        assert await site.call("an.app.method", docs=[1], note="x") is None
        assert await site.get("an.app.method", filters={"a": 1}, note="x y") is None
    assert there.seen[0].json == {"docs": [1], "note": "x"}
    assert there.seen[1].query == {"filters": '{"a":1}', "note": "x y"}


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        ("Could not find Row #1: Item Code: NOPE, Warehouse: W", {"Item Code", "Warehouse"}),
        ("Value cannot be negative for Qty", {"Qty"}),
        ("Tax ID must be unique", {"Tax ID"}),
        ("An app's own words", set()),
    ],
)
async def test_fields_are_named_where_the_site_names_them(told: str, fields: set[str]) -> None:
    kind = "LinkValidationError" if told.startswith("Could") else "ValidationError"
    body = {"exc_type": kind, "_server_messages": f'["{{\\"message\\": \\"<b>{told}</b>\\"}}"]'}
    async with stage(lambda _: (417, body)) as there, there.site() as site:
        with pytest.raises(Invalid) as caught:
            await site.insert("Item", {})
    assert str(caught.value) == f"{told}."
    assert set(caught.value.fields) == fields


async def test_several_messages_and_bare_text_become_sentences() -> None:
    messages = '["{\\"message\\": \\"One<br>two\\"}", "three &amp; four", "{\\"message\\": 5}"]'
    body = {"exc_type": "TimestampMismatchError", "_server_messages": messages}
    async with stage(lambda _: (417, body)) as there, there.site() as site:
        with pytest.raises(ChangedMeanwhile, match=r"^One\. two\. three & four\.$"):
            await site.update("Item", "x", {})


@pytest.mark.parametrize("value", ["not JSON", "[1, 2]", "{}", '["{\\"message\\"'])
async def test_messages_of_another_shape_do_not_hide_the_refusal(value: str) -> None:
    body = {"exc_type": "PermissionError", "_server_messages": value}
    async with stage(lambda _: (403, body)) as there, there.site() as site:
        with pytest.raises(NoPermission, match="may not create Item"):
            await site.insert("Item", {})


@pytest.mark.parametrize(
    ("sent", "stored", "dropped"),
    [
        ({"a": "x"}, {"a": "x", "b": 1}, []),
        ({"gstin": "NL1"}, {}, ["gstin"]),
        ({"a": "x"}, {"a": "y"}, ["a"]),
        ({"a": None, "b": "", "c": 0, "d": []}, {}, []),
        ({"a": None}, {"a": "kept"}, ["a"]),
        ({"disabled": True, "on": False}, {"disabled": 1, "on": 0}, []),
        ({"rate": "5.50", "qty": 2}, {"rate": 5.5, "qty": "2.0"}, []),
        ({"rate": 5.5}, {"rate": 5}, ["rate"]),
        ({"day": date(2026, 12, 1)}, {"day": "2026-12-01"}, []),
        ({"at": datetime(2026, 12, 1, 9)}, {"at": "2026-12-01 09:00:00"}, []),
        ({"a": " x "}, {"a": "x"}, []),
        ({"a": "M & N"}, {"a": "M &amp; N"}, []),
        ({"doctype": "Item", "modified": "1", "__newname": "x"}, {"modified": "2"}, []),
        (
            {"items": [{"item_code": "A", "nope": 1}, {"item_code": "B"}]},
            {"items": [{"item_code": "A", "idx": 1}, {"item_code": "C", "idx": 2}]},
            ["items[1].nope", "items[2].item_code"],
        ),
        ({"items": [{"a": 1}]}, {"items": []}, ["items"]),
        ({"items": []}, {"items": [{"a": 1}]}, ["items"]),
        ({"tags": {"a": 1}}, {"tags": {"a": 1}}, []),
    ],
)
def test_what_a_site_dropped_or_changed_is_named(
    sent: dict[str, Any], stored: dict[str, Any], dropped: list[str]
) -> None:
    assert dropped_fields(sent, stored) == dropped


def test_every_error_is_drawn_in_the_tree_and_public() -> None:
    from bascule.frappe import errors

    there = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.FrappeError)
    }
    assert there <= set(frappe.__all__)
    for name in there:
        assert f"{name} " in str(errors.__doc__)
