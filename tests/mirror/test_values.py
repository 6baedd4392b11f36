"""Each value is here what it is on the site, whatever PostgreSQL would make of it."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bascule.mirror.pull.fitting import types_needed
from bascule.mirror.streams.settings import add_streams
from tests.mirror.odd import by_sql, document, done, make_doctype, type_of


@pytest.mark.parametrize("spaced", [False, True], ids=["compact", "with white space"])
async def test_json_that_comes_nested_is_kept_as_its_text(
    mirrored: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, spaced: bool
) -> None:
    mirror = await mirrored()
    texts = ['{"k":"v"}', '["x"]', '{"a":[1,2.5,{"b":null}],"c":"d,\\"e"}', "[]", "plain, [text]"]
    await make_doctype(mirror, "Nest", [("shape", "JSON"), ("note", "Data"), ("qty", "Float")])
    for text in texts:
        if text.startswith("plain"):
            await document(mirror, "Nest", note=text, qty=2.5)
        else:
            await document(mirror, "Nest", shape=text, note="n")
    mirror.site.faults.add("nested_json", path="get_list")
    if spaced:
        monkeypatch.setattr("bascule.sandbox.spoiled.COMPACT", (", ", ": "))
    await add_streams(mirror.hub, mirror.connection, ["Nest"])
    await done(mirror, "Nest")
    rows = {tuple(row) for row in await mirror.rows("nest", "shape", "note", "qty")}
    assert rows == {(text, "n", Decimal(0)) for text in texts[:4]} | {
        (None, texts[4], Decimal("2.5"))
    }
    [proof] = await mirror.sync("Nest", kind="verify")
    assert proof.report["equal"], proof.report


NO_DATES = ("06.05.2024", "today", "infinity", "2024-02-31", "20240506", "0000-00-00", "May 6 2024")


async def test_text_that_postgresql_would_read_as_a_date_stays_the_text(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await make_doctype(mirror, "Paper", [("due", "Date"), ("fine", "Date"), ("at", "Datetime")])
    names = [await document(mirror, "Paper", due="2024-05-06", fine="2024-05-06") for _ in NO_DATES]
    await add_streams(mirror.hub, mirror.connection, ["Paper"])
    await done(mirror, "Paper")
    assert await type_of(mirror, "paper", "due") == "date"
    for name, text in zip(names, NO_DATES, strict=True):
        by_sql(
            mirror,
            "UPDATE `tabPaper` SET due = ?, at = ?, modified = ? WHERE name = ?",
            *(text, f"{text} 10:00:00", "2030-01-01 00:00:00", name),
        )
    said = await done(mirror, "Paper")
    assert [line for line in said if "paper.due became text" in line]
    assert dict(await mirror.rows("paper", "name", "due")) == dict(
        zip(names, NO_DATES, strict=True)
    )
    assert {at for _, at in await mirror.rows("paper", "name", "at")} == {
        f"{text} 10:00:00" for text in NO_DATES
    }
    assert {day for _, day in await mirror.rows("paper", "name", "fine")} == {date(2024, 5, 6)}


@pytest.mark.parametrize(
    ("now", "value", "then"),
    [
        ("date", '"06.05.2024"', "text"),
        ("date", '"today"', "text"),
        ("date", '"2024-02-31"', "text"),
        ("date", '"2024-05-06"', None),
        ("date", '"2024-05-06 10:00:00"', "timestamp"),
        ("timestamp", '"2024-05-06"', None),
        ("timestamp", '"2024-05-06 10:00:00+05:30"', "text"),
        ("timestamp", '"now"', "text"),
        ("timestamp", '"infinity"', "text"),
        ("timestamp", '"2024-05-06 10:00:00.123456"', None),
        ("time", '"9:05:00"', None),
        ("time", '"allballs"', "text"),
        ("time", '"10:00 PM"', "text"),
        ("time", '"-1:00:00"', "text"),
        ("time", '"838:59:59"', "text"),
        ("numeric", '"NaN"', "text"),
        ("numeric", '"Infinity"', "text"),
        ("numeric", '"1_000"', "text"),
        ("numeric", '"0x1F"', "text"),
        ("numeric", '" 5"', "text"),
        ("numeric", '"5.00"', None),
        ("numeric", "123456789012345678901234567890.5", None),
        ("bigint", "5.5", "numeric"),
        ("bigint", "9223372036854775808", "numeric"),
        ("bigint", '"0b11"', "text"),
        ("smallint", "true", None),
        ("smallint", "70000", "bigint"),
        ("smallint", '{"a":1}', "text"),
        ("text", '["a"]', None),
    ],
)
def test_a_column_holds_what_json_calls_so_and_widens_no_further_than_it_must(
    now: str, value: str, then: str | None
) -> None:
    found = types_needed("Item", [b'["a",' + value.encode() + b"]"], ["text", now])
    assert found == ({} if then is None else {1: then})


async def test_types_seen_in_documents_take_iso_dates_alone_for_dates(
    mirrored: Callable[..., Any],
) -> None:
    """Where the DocType may not be read, and no document tells what comes later."""
    mirror = await mirrored()
    fields = [(field, "Data") for field in ("day", "at", "later")]
    await make_doctype(mirror, "Slip", fields)
    first = {"day": "2024-05-06", "at": "2024-05-06 10:00:00", "later": "2024-05-06"}
    name = await document(mirror, "Slip", **first)
    mirror.site.faults.add("forbidden", path="meta", doctype="Slip")
    mirror.site.faults.add("forbidden", path="getdoctype", doctype="Slip")
    mirror.site.faults.add("forbidden", path="DocType", doctype="DocType")
    await add_streams(mirror.hub, mirror.connection, ["Slip"])
    await done(mirror, "Slip")
    assert await mirror.rows("slip", "day", "at") == [(date(2024, 5, 6), datetime(2024, 5, 6, 10))]
    await document(mirror, "Slip", day="06.05.2024", at="today", later="2024-05-07")
    await done(mirror, "Slip")
    assert dict(await mirror.rows("slip", "day", "at")) == {
        "2024-05-06": "2024-05-06 10:00:00",
        "06.05.2024": "today",
    }
    assert {day for (day,) in await mirror.rows("slip", "later")} == {
        date(2024, 5, 6),
        date(2024, 5, 7),
    }
    assert name


async def test_a_document_with_standard_fields_that_are_none_is_mirrored_and_proven(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await add_streams(mirror.hub, mirror.connection, ["Brand"])
    for name in ("Old", "Older"):
        await document(mirror, "Brand", brand=name)
    await done(mirror, "Brand")
    zeros = "0000-00-00 00:00:00"
    by_sql(mirror, "UPDATE `tabBrand` SET creation = ?, idx = 'many', docstatus = 'odd'", zeros)
    by_sql(mirror, "UPDATE `tabBrand` SET modified = ? WHERE name = 'Old'", zeros)
    for number, kind in enumerate(("full", "sync", "verify", "repair", "sync")):
        await document(mirror, "Brand", brand=f"Made later {number}")
        by_sql(mirror, "UPDATE `tabBrand` SET creation = ?", zeros)
        await done(mirror, "Brand", kind=kind)
        there = {name for (name,) in await mirror.site_rows("Brand", "name")}
        rows = await mirror.rows("brand", "name", "creation", "idx", "modified")
        assert {name for name, *_ in rows} == there
        assert {created for _, created, *_ in rows} == {zeros}
    assert {"Old": zeros}.items() <= {name: moved for name, _, _, moved in rows}.items()
    [proof] = await mirror.sync("Brand", kind="verify")
    assert proof.report["equal"], proof.report
