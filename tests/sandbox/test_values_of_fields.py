"""What becomes of a value in a field of each type, by what a real ERPNext 15.90 answered."""

from typing import Any

import pytest

from tests.sandbox.conftest import Client, MakeSite, doctype, field

THING = doctype(
    "Thing",
    field("title"),
    field("stamp", "Datetime"),
    field("at", "Time"),
    field("day", "Date"),
    field("blob", "JSON"),
    field("words", "Text Editor"),
    field("phone", "Phone"),
    field("stars", "Rating"),
    field("amount", "Currency"),
    field("span", "Duration"),
    field("code", unique=1),
    autoname="Prompt",
)
# (field, what is sent, what is read afterwards); None is a field that is not there
TAKEN: list[tuple[str, Any, Any]] = [
    ("title", True, "1"),
    ("title", 3.0, "3"),
    ("title", 1e20, "1e20"),
    ("title", "a<b>c", "a<b>c</b>"),
    ("title", '"<b>x</b>"', '"<b>x</b>"'),
    ("stamp", "2026-1-2 3:4:5", "2026-01-02 03:04:05"),
    ("stamp", "2026/01/02", "2026-01-02 00:00:00"),
    ("stamp", 20260102, "2026-01-02 00:00:00"),
    ("stamp", "0000-00-00 00:00:00", None),
    ("stamp", "", None),
    ("day", "0000-00-00", "0000-00-00"),
    ("day", "2026-00-10", "2026-00-10"),
    ("day", "2026-01-02 10:00:00", "2026-01-02"),
    ("at", "-01:00:00", "-1:00:00"),
    ("at", "10", "0:00:10"),
    ("at", "1020", "0:10:20"),
    ("at", "9:5", "9:05:00"),
    ("at", "13:55:09.968014", "13:55:9.968014"),
    ("at", "2026-01-02 10:20:30", "10:20:30"),
    ("blob", {"a": 1, "b": [1, 2]}, '{"a":1,"b":[1,2]}'),
    ("blob", "[1, 2]", "[1, 2]"),
    ("words", "<img src=x onerror=alert(1)>", '<img src="x">'),
    ("words", '<a href="javascript:x">y</a>', "<a>y</a>"),
    ("words", "<p style='color:red' class=q>t</p>", '<p style="color:red;" class="q">t</p>'),
    ("words", "<p>a<p>b", "<p>a</p><p>b</p>"),
    ("words", "<br/>x</b>", "<br>x"),
    ("words", "<!-- c --><b>x</b>", "<!-- c --><b>x</b>"),
    ("words", "<td>x</td>", "x"),
    ("words", "<script>x</script>y", "&lt;script&gt;x&lt;/script&gt;y"),
    ("phone", "+31-612345678", "+31-612345678"),
    ("stars", 3, 1.0),
    ("stars", -1, 0.0),
    ("stars", "0.4", 0.4),
    ("amount", 1.123456789012, 1.123456789),
    ("amount", "1e3", 1000.0),
    ("span", None, None),
    ("span", 90, 90.0),
    ("code", " ", None),
]
# (field, what is sent, status, kind)
REFUSED: list[tuple[str, Any, int, str]] = [
    ("stamp", "2026-01-02T03:04:05+05:30", 500, "OperationalError"),
    ("stamp", "2026-01-02T03:04:05Z", 500, "OperationalError"),
    ("stamp", "01-12-2026", 500, "OperationalError"),
    ("stamp", True, 500, "OperationalError"),
    ("day", "2026-02-30", 500, "OperationalError"),
    ("at", "25:61", 500, "OperationalError"),
    ("at", "839:00:00", 500, "OperationalError"),
    ("at", "z", 500, "OperationalError"),
    ("blob", "{bad", 500, "OperationalError"),
    ("blob", "", 500, "OperationalError"),
    ("phone", "12", 417, "InvalidPhoneNumberError"),
    ("phone", "+1", 417, "InvalidPhoneNumberError"),
    ("amount", 1e12, 500, "DataError"),
    ("amount", "NaN", 500, "ProgrammingError"),
    ("span", "x", 500, "DataError"),
    ("name", "N" * 141, 500, "DataError"),
    ("docstatus", "x", 500, "ValueError"),
    ("idx", "x", 500, "DataError"),
    ("__newname", "New Thing 1", 409, "NameError"),
]


@pytest.fixture
async def site(make_site: MakeSite) -> Client:
    return await make_site(THING)


async def test_a_value_is_read_as_the_database_keeps_it(site: Client) -> None:
    read = []
    for number, (name, sent, _) in enumerate(TAKEN):
        await site.inserted("Thing", __newname=f"T{number}", **{name: sent})
        read.append((name, sent, (await site.read("Thing", f"T{number}")).get(name)))
    assert read == TAKEN


async def test_a_value_that_no_column_holds_is_refused_by_its_kind(site: Client) -> None:
    answers = []
    for number, (name, sent, *_) in enumerate(REFUSED):
        status, body = await site.insert("Thing", **{"name": f"T{number}", name: sent})
        answers.append((name, sent, status, body.get("exc_type")))
    assert answers == REFUSED
    assert await site.list("Thing") == []


async def test_what_no_column_holds_is_told_before_what_is_there_already(site: Client) -> None:
    await site.inserted("Thing", name="There", code="C")
    for twice in ({"name": "There"}, {"name": "Other", "code": "C"}):
        status, body = await site.insert("Thing", **twice, at="z")
        assert (status, body["exc_type"]) == (500, "OperationalError")


async def test_times_are_ordered_by_the_clock_and_not_as_text(site: Client) -> None:
    for number, at in enumerate(("13:00:00", "9:30:00", "09:30:05.5", "-1:00:00")):
        await site.inserted("Thing", name=f"T{number}", at=at)
    ordered = await site.list("Thing", fields=["at"], order_by="at asc")
    assert [row["at"] for row in ordered] == ["-1:00:00", "9:30:00", "9:30:5.5", "13:00:00"]
    early = await site.list("Thing", filters=[["at", "<", "10:00:00"]])
    assert len(early) == 3
