"""How version 16 lists and refuses: the rules of frappe/database/query.py, on a small site."""

from typing import Any

from tests.sandbox.conftest import Client, MakeSite, doctype, field, messages

READS = {"role": "Clerk", "read": 1}
LOCK = doctype("Lock", field("code"), field("weight", "Float"), istable=1)
MAKER = doctype("Maker", field("town"), autoname="prompt")
BIKE = doctype(
    "Bike",
    *(field("colour"), field("wheels", "Int"), field("price", "Currency", permlevel=1)),
    *(field("born", "Date"), field("sold", "Datetime"), field("maker", "Link", "Maker")),
    *(field("noon", "Time"), field("sent", "Time", default="Now")),
    *(field("ok", "Check"), field("locks", "Table", "Lock")),
    autoname="prompt",
    permissions=[READS, {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1}],
)
BIKES: dict[str, dict[str, Any]] = {
    "a": {"colour": "red", "wheels": 2, "price": 10, "born": "2026-01-05", "maker": "Gracht"},
    "b": {"colour": "blue", "wheels": 3, "price": 20, "sold": "2026-02-01 23:30:00"},
    "c": {"wheels": 2, "price": 30, "born": "2026-03-05", "locks": [{"code": "1", "weight": 2.5}]},
}


async def _site(make_site: MakeSite) -> Client:
    hub = await make_site(BIKE, LOCK, MAKER, major=16)
    await hub.inserted("Maker", name="Gracht", town="Utrecht")
    for name, values in BIKES.items():
        await hub.inserted("Bike", name=name, **values)
    return hub


def _names(*filters: Any, **more: Any) -> dict[str, Any]:
    return {"filters": list(filters), "order_by": "name", **more}


ANSWERED: list[tuple[dict[str, Any], list[Any]]] = [
    (_names(["wheels", "between", [2, 2]]), ["a", "c"]),
    (_names(["colour", "=", ""]), ["c"]),
    (_names(["colour", "!=", "red"]), ["b", "c"]),
    (_names(["colour", "not in", ["red"]]), ["b", "c"]),
    (_names(["colour", "is", "set"]), ["a", "b"]),
    (_names(["colour", "like", "%E%"]), ["a", "b"]),
    (_names(["born", "<", "2026-02-01"]), ["a", "b"]),  # an empty date comes before all
    (_names(["born", ">", "2026-02-01"]), ["c"]),
    (_names(["sold", "between", ["2026-02-01", "2026-02-01"]]), ["b"]),
    (_names(["wheels", "in", "2,5"]), ["a", "c"]),
    (_names(["Lock", "code", "=", "1"]), ["c"]),
    (_names(["maker.town", "=", "Utrecht"]), ["a"]),
    (_names(order_by="wheels desc, name desc"), ["b", "c", "a"]),
    # What is compared with the text of an empty one is compared as text, to the microsecond.
    (_names(["sold", "<=", "2026-02-01 23:30:00"]), ["a", "c"]),
    (_names(["sold", ">=", "2026-02-01 23:30:00"]), ["b"]),
    (_names(["locks.weight", ">=", "x"]), []),  # the weight is of no field of a Bike: a text
    (_names(["wheels", ">=", []]), ["a", "b", "c"]),
    (_names(limit_page_length=1, limit_start=1), ["b"]),
]
SHOWN: list[tuple[dict[str, Any], list[Any]]] = [
    ({"fields": [{"COUNT": "*", "as": "n"}]}, [{"n": 3}]),
    (
        {"fields": ["wheels", {"SUM": "price", "as": "s"}], "group_by": "wheels", "order_by": "s"},
        [{"wheels": 3, "s": 20.0}, {"wheels": 2, "s": 40.0}],
    ),
    (
        {"fields": [{"DIV": [{"MAX": "price"}, {"NULLIF": ["wheels", 0]}], "as": "d"}]},
        [{"d": 15.0}],
    ),
    (
        {"fields": [{"COUNT": "name"}, {"MAX": "wheels"}]},
        [{"COUNT(`name`)": 3, "MAX(`wheels`)": 3}],
    ),
    (
        {"fields": ["name", "maker.town as town"], "filters": [["maker", "is", "set"]]},
        [{"name": "a", "town": "Utrecht"}],
    ),
    (
        {"fields": ["name", {"locks": ["code"]}], "filters": [["name", "=", "c"]]},
        [{"name": "c", "locks": [{"code": "1"}]}],
    ),
]
NO_FIELD = "You do not have permission to access field: <strong>Bike.{}</strong>"
REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"fields": ["count(name) as n"]}, 417, "ValidationError", "SQL functions are not allowed"),
    ({"fields": [{"NOPE": "name"}]}, 417, "ValidationError", "Unsupported function or operator"),
    ({"fields": [{"SUM": "*"}]}, 417, "ValidationError", "'*' is only allowed in COUNT"),
    ({"fields": [{"SUM": "wheels", "as": "a b"}]}, 417, "ValidationError", "Invalid alias format"),
    ({"fields": ["distinct name"]}, 403, "PermissionError", "Invalid field format for SELECT"),
    ({"order_by": "nope"}, 403, "PermissionError", NO_FIELD.format("nope")),
    ({"group_by": "nope"}, 403, "PermissionError", NO_FIELD.format("nope")),
    ({"order_by": "rand()"}, 417, "ValidationError", "Invalid field format in Order By"),
    ({"filters": [["name", "~", "x"]]}, 500, "KeyError", ""),
    ({"filters": [["name", "is", "x"]]}, 500, "ValueError", ""),
    ({"order_by": "1"}, 500, "OperationalError", ""),  # a name, and no place
    ({"filters": [["name", ">", ["a", "b"]]]}, 500, "ProgrammingError", ""),
    ({"filters": [["name", "not in", 5]]}, 500, "AttributeError", ""),
    ({"filters": {"name": [1, 2]}}, 500, "AttributeError", ""),
    ({"limit_page_length": -1}, 500, "TypeError", "Limit must be a non-negative integer"),
]


async def test_lists_are_made_and_refused_by_the_rules_of_16(make_site: MakeSite) -> None:
    hub = await _site(make_site)
    for asked, names in ANSWERED:
        assert [row["name"] for row in await hub.list("Bike", **asked)] == names, asked
    for asked, rows in SHOWN:
        assert await hub.list("Bike", **asked) == rows, asked
    for asked, status, kind, said in REFUSED:
        given, body = await hub.get("/api/resource/Bike", **asked)
        assert (given, body["exc_type"]) == (status, kind), asked
        assert any(said in text for text in messages(body)) or not said, (asked, body)
    status, page = await hub.get("/api/v2/document/Bike", limit=2, order_by="name asc")
    assert (status, page["has_next_page"]) == (200, True)
    assert [row["name"] for row in page["data"]] == ["a", "b"]


async def test_who_may_read_little_is_told_so_and_sees_rows_of_what_may_be_read(
    make_site: MakeSite,
) -> None:
    hub = await _site(make_site)
    clerk, stranger = hub.as_user("clerk"), hub.as_user("stranger")
    assert await clerk.list("Bike", fields=["name", "price"], order_by="name", limit=1) == [
        {"name": "a"}
    ]
    for asked in ({"filters": [["price", ">", 1]]}, {"order_by": "price"}):
        status, body = await clerk.get("/api/resource/Bike", **asked)
        assert (status, messages(body)) == (403, [NO_FIELD.format("price")])
    assert await clerk.list("Lock", parent="Bike", fields=["code"]) == [{"code": "1"}]
    insufficient = "Insufficient Permission for <strong>{}</strong>"
    for path, about in (("Bike", "Bike"), ("Lock?parent=Bike", "Lock"), ("Lock", "Lock")):
        status, body = await stranger.get(f"/api/resource/{path}")
        assert (status, messages(body)) == (403, [insufficient.format(about)]), path
    status, body = await stranger.get("/api/method/frappe.client.get_count", doctype="Bike")
    assert (status, messages(body)) == (403, [insufficient.format("Bike")])
    status, body = await clerk.get("/api/method/frappe.client.get_count", doctype="Bike")
    assert (status, body["message"]) == (200, 3)
    for name in ("a", "nope"):  # what is not there is not told of
        status, body = await stranger.get(f"/api/resource/Bike/{name}")
        assert (status, body["exc_type"], "exc" in body) == (403, "PermissionError", False)
        assert body["_error_message"] == "No permission for Bike"
    status, body = await clerk.update("Bike", "a", colour="green")
    assert (status, body["_error_message"]) == (403, "No permission for Bike")


async def test_messages_have_no_markup_but_that_of_text(make_site: MakeSite) -> None:
    hub = await _site(make_site)
    status, body = await hub.insert("Bike", name="<b>x</b>")
    assert status == 409
    assert "characters like '&lt;', '&gt;'" in messages(body)[0]
    status, body = await hub.ask(
        "POST", "/api/resource/Bike", "{", headers={"Content-Type": "application/json"}
    )
    assert (status, body["exc_type"], messages(body)) == (
        417,
        "DataError",
        ["Invalid request body"],
    )


async def test_what_is_written_is_kept_as_16_keeps_it(make_site: MakeSite) -> None:
    hub = await _site(make_site)
    made = await hub.inserted("Bike", name="x", colour="<script>run()</script><b>a</b><x>b</x>")
    assert made["colour"] == "<b>a</b>b"
    assert "noon" not in made  # a Time is now only where its default says so
    assert made["sent"]
    status, body = await hub.ask("POST", "/api/v2/document/Bike", {"name": "y"})
    assert (status, body["data"]["colour"]) == (200, None)
    status, body = await hub.update("Bike", "x", docstatus=1)
    assert (status, messages(body)) == (403, ["Document Type is not submittable"])
    docs = '[{"doctype": "Bike", "docname": "nope", "colour": "red"}]'
    status, body = await hub.call("frappe.client.bulk_update", docs=docs)
    [failed] = body["message"]["failed_docs"]
    assert failed["exc"].endswith("frappe.exceptions.DoesNotExistError: Bike nope not found\n")
