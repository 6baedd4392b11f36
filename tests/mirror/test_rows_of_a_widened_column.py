"""A column becomes text for one value, and the values that were there before stay the site's."""

import asyncio
import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from bascule.mirror.schema.table_schemas import forget_table_schemas
from bascule.mirror.streams.settings import add_streams
from bascule.sandbox.upgrade import upgraded
from tests.mirror.odd import by_sql, document, done, make_doctype, type_of

FIELDS = {"at": "Time", "moment": "Datetime", "day": "Date", "rate": "Float", "price": "Currency"}
FIELDS |= {"many": "Int", "done": "Check"}
VALUES = (
    {"at": "6:00:00", "moment": "2026-01-01 00:00:00.000000", "day": "2026-01-01", "rate": 1e-05},
    {"at": "23:59:59", "moment": "2026-01-01 08:00:00.120000", "rate": 1.5, "price": 2e-07},
    {"many": 7, "done": 1, "price": 2.5},
)
ODD = {"at": "-838:59:59", "moment": "0000-00-00 00:00:00", "day": "0000-00-00", "rate": "much"}
ODD |= {"price": "dear", "many": "some", "done": "Perhaps"}
# Before and after what a pull asks for once more, because of the time that pulls overlap.
LONG_AGO, LATER = "2020-01-01 00:00:00.000000", "2030-01-01 00:00:00.000000"


def set_by_sql(mirror: Any, doctype: str, name: str, **values: Any) -> None:
    """Values that Frappe would not take, or times of change that it sets by itself."""
    for field, value in values.items():
        by_sql(mirror, f"UPDATE `tab{doctype}` SET `{field}` = ? WHERE name = ?", value, name)


def _by_itself(site: Any, doctype: str, name: str) -> dict[str, Any]:
    """A document as the site gives it alone, with its numbers as they are written."""
    user = site.users["hub"]
    request = urllib.request.Request(
        f"{site.url}/api/resource/{quote(doctype)}/{quote(name)}",
        headers={"Authorization": f"token {user.api_key}:{user.api_secret}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.loads(answer.read(), parse_float=str, parse_int=str)["data"])


async def values_are_the_sites(mirror: Any, doctype: str, table: str, *fields: str) -> None:
    """Every value of these columns, all of them text, against the document by itself."""
    for name, *here in await mirror.rows(table, "name", *fields):
        there = await asyncio.to_thread(_by_itself, mirror.site, doctype, name)
        # Version 16 leaves out what is empty.
        assert here == [there.get(field) for field in fields], name


def filled(said: list[str]) -> list[str]:
    return [line for line in said if line.startswith("Columns to fill: ")]


@pytest.mark.parametrize(("version", "kind", "silent"), [(15, "sync", False), (16, "verify", True)])
async def test_rows_that_were_there_are_as_the_site_writes_them_when_a_column_becomes_text(
    mirrored: Callable[..., Any], erpnext_snapshot: Any, version: int, kind: str, silent: bool
) -> None:
    snapshot = erpnext_snapshot if version == 15 else upgraded(erpnext_snapshot)
    mirror = await mirrored(snapshot=snapshot)
    await make_doctype(mirror, "Clock", list(FIELDS.items()))
    for values in (*VALUES, {}):
        name = await document(mirror, "Clock", **values)
        set_by_sql(mirror, "Clock", name, modified=LONG_AGO)
    await document(mirror, "Clock")  # the newest, from before which a pull asks
    await add_streams(mirror.hub, mirror.connection, ["Clock"])
    assert not filled(await done(mirror, "Clock"))
    set_by_sql(mirror, "Clock", name, **ODD, modified=LONG_AGO if silent else LATER)
    said = await done(mirror, "Clock", kind=kind)
    assert {await type_of(mirror, "clock", field) for field in FIELDS} == {"text"}
    await values_are_the_sites(mirror, "Clock", "clock", *FIELDS)
    [told] = filled(said)
    assert [field in told for field in FIELDS] == [True, True, False, True, True, False, False]
    assert not filled(await done(mirror, "Clock"))


async def test_it_is_so_for_each_stream_of_a_child_table_and_where_a_field_has_another_type(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await make_doctype(mirror, "Stop", [("at", "Time")], istable=1)
    for doctype in ("Tour", "Trip"):
        await make_doctype(mirror, doctype, [("stops", "Table", "Stop"), ("moment", "Datetime")])
    tour = await document(mirror, "Tour", stops=[{"at": "7:00:00"}])
    values = {"moment": "2026-01-01 00:00:00.000000", "stops": [{"at": "6:00:00"}]}
    trip = await document(mirror, "Trip", **values)
    set_by_sql(mirror, "Trip", trip, modified=LONG_AGO)
    await document(mirror, "Trip")
    await add_streams(mirror.hub, mirror.connection, ["Tour", "Trip"])
    await done(mirror, "Tour", "Trip")
    by_sql(mirror, "UPDATE `tabStop` SET at = ? WHERE parent = ?", ODD["at"], tour)
    set_by_sql(mirror, "Tour", tour, modified=LATER)
    await done(mirror, "Tour")
    assert await type_of(mirror, "stop", "at") == "text"
    assert await mirror.sync_together("Trip") == {"Trip": "apart"}
    there = await asyncio.to_thread(_by_itself, mirror.site, "Trip", trip)
    times = dict(await mirror.rows("stop", "parent", "at"))
    assert times == {tour: ODD["at"], trip: there["stops"][0]["at"]}

    site = mirror.site.site
    before = site.schema.original("Trip")
    [stops, moment] = before["fields"]
    site.schema.add({**before, "fields": [stops, {**moment, "fieldtype": "Data"}]})
    site.customise("Trip")
    forget_table_schemas(mirror.connection.id, "Trip")
    [told] = filled(await done(mirror, "Trip"))
    assert told == "Columns to fill: {'Trip': ['moment']}"
    await values_are_the_sites(mirror, "Trip", "trip", "moment")
    assert await mirror.sync_together("Trip") == {"Trip": "together"}
