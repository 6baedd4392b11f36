"""Which column a field gets, and that it keeps it: names in use, too long, PostgreSQL's own."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bascule.errors import Invalid
from bascule.mirror.schema.table_schemas import forget_table_schemas
from bascule.mirror.streams.settings import add_streams, change_stream, find_stream
from tests.mirror.odd import by_sql, document, done, make_doctype

BOX = ("xmin", "xmax", "cmin", "cmax", "ctid", "tableoid")
LONG = "a" * 62


async def columns(mirror: Any, table: str) -> dict[str, str]:
    """Field -> column, as the table's comments say."""
    async with mirror.hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT col_description(a.attrelid, a.attnum), a.attname FROM pg_attribute a"
            " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
            " AND col_description(a.attrelid, a.attnum) IS NOT NULL",
            [f'"{mirror.connection.slug}"."{table}"'],
        )
        return dict(await found.fetchall())


async def rename(mirror: Any, doctype: str, **renames: str) -> None:
    async with mirror.hub.db.session() as session:
        stream = await find_stream(session, mirror.connection, doctype)
    await change_stream(mirror.hub, mirror.connection, stream, {"rename": renames})


def redefine(mirror: Any, doctype: str, *names: str, **fields: str) -> None:
    """The DocType with these fields, in this order, as an upgrade or a developer leaves it."""
    site = mirror.site.site
    kinds = dict.fromkeys(names, "Data") | fields
    entries = [{"fieldname": f, "fieldtype": kind, "label": f} for f, kind in kinds.items()]
    site.schema.add({**site.schema.original(doctype), "fields": entries})
    site.customise(doctype)


async def test_fields_named_as_columns_that_postgresql_has_get_others_and_keep_them(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await make_doctype(mirror, "Box", [(field, "Float") for field in (*BOX, "oid")])
    name = await document(mirror, "Box", **{field: at for at, field in enumerate(BOX)}, oid=9)
    await add_streams(mirror.hub, mirror.connection, ["Box"])
    said = await done(mirror, "Box")
    at = await columns(mirror, "box")
    assert {field: at[field] for field in BOX} == {field: f"{field}_2" for field in BOX}
    assert at["oid"] == "oid"
    for field in BOX:
        assert any(f"Box.{field} is in the column {field}_2" in line for line in said), said
    [row] = await mirror.rows("box", "name", *(at[field] for field in BOX), "oid")
    assert row == (name, 0, 1, 2, 3, 4, 5, 9)
    said = await done(mirror, "Box", kind="verify")
    assert await columns(mirror, "box") == at
    assert not [line for line in said if "is in the column" in line]
    with pytest.raises(Invalid, match="every table of PostgreSQL"):
        await rename(mirror, "Box", oid="xmin")


async def test_what_is_renamed_by_the_site_or_a_person_passes_through_names_in_use(
    mirrored: Callable[..., Any],
) -> None:
    """Fields of 63 letters in another order, two columns that change places, the name of a column
    whose field is gone, and back again: each field keeps its values.
    """
    mirror = await mirrored()
    first, second = f"{LONG}x", f"{LONG}y"
    fields = [first, second, "a", "b", "old", "fresh"]
    await make_doctype(mirror, "Long", [(field, "Data") for field in fields])
    name = await document(mirror, "Long", **{field: f"of {field}" for field in fields})
    await add_streams(mirror.hub, mirror.connection, ["Long"])

    async def holds(*there: str) -> dict[str, str]:
        at = await columns(mirror, "long")
        [row] = await mirror.rows("long", "name", *(at[field] for field in there))
        assert row == (name, *(f"of {field}" for field in there)), at
        return at

    await done(mirror, "Long")
    before = await holds(*fields)
    assert {before[first], before[second]} == {LONG[:59], f"{LONG[:59]}_2"}

    redefine(mirror, "Long", "fresh", "b", second, first, "a")
    forget_table_schemas(mirror.connection.id, "Long")
    said = await done(mirror, "Long")
    assert [line for line in said if line.endswith("kept here as they were: Long.old")]
    assert await holds(*fields) == before
    said = await done(mirror, "Long")
    assert not [line for line in said if "Long.old" in line]

    await rename(mirror, "Long", a="b", b="a")
    await done(mirror, "Long")
    at = await holds(*fields)
    assert (at["a"], at["b"]) == ("b", "a")

    await rename(mirror, "Long", a="b", b=LONG[:59], fresh="old")
    said = await done(mirror, "Long")
    at = await holds(*fields)
    assert (at["a"], at["b"], at["fresh"]) == ("b", LONG[:59], "old")
    assert at["old"] == "old_2"
    assert [line for line in said if "Long.old is in the column old_2" in line]

    await rename(mirror, "Long")
    await done(mirror, "Long")
    at = await holds(*fields)
    assert (at["a"], at["b"], at["fresh"]) == ("a", "b", "fresh")

    await rename(mirror, "Long", a="b")  # whose own column gives way
    said = await done(mirror, "Long")
    at = await holds(*fields)
    assert (at["a"], at["b"]) == ("b", "b_2")
    assert [line for line in said if "Long.b is in the column b_2" in line]
    assert await done(mirror, "Long")
    assert await holds(*fields) == at


async def test_a_field_that_goes_right_after_a_sync_costs_the_next_run_a_question(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await make_doctype(mirror, "Short", [("stays", "Data"), ("goes", "Data")])
    await document(mirror, "Short", stays="here", goes="there")
    await add_streams(mirror.hub, mirror.connection, ["Short"])
    await done(mirror, "Short")
    redefine(mirror, "Short", "stays")
    by_sql(mirror, "ALTER TABLE `tabShort` DROP COLUMN `goes`")
    await document(mirror, "Short", stays="later")
    said = await done(mirror, "Short")
    assert [line for line in said if "refused what it had" in line], said
    assert [line for line in said if "kept here as they were: Short.goes" in line]
    assert set(await mirror.rows("short", "stays", "goes")) == {
        ("here", "there"),
        ("later", None),
    }


async def test_types_that_an_upgrade_changes_widen_and_are_told_once(
    mirrored: Callable[..., Any],
) -> None:
    """As from version 15 to 16: dates of tasks become moments, sizes decimals, texts HTML."""
    mirror = await mirrored()
    before = {"start": "Date", "size": "Int", "said": "Text", "on": "Check", "gone": "Data"}
    await make_doctype(mirror, "Chore", list(before.items()))
    values = {"start": "2024-05-06", "size": 3, "said": "words", "on": 1, "gone": "kept"}
    await document(mirror, "Chore", **values)
    await add_streams(mirror.hub, mirror.connection, ["Chore"])
    await done(mirror, "Chore")
    redefine(mirror, "Chore", start="Datetime", size="Float", said="HTML Editor", on="Int")
    by_sql(mirror, "UPDATE `tabChore` SET start = '2024-05-06 00:00:00'")
    forget_table_schemas(mirror.connection.id, "Chore")
    said = await done(mirror, "Chore")
    await document(
        mirror, "Chore", start="2024-05-07 08:30:00", size=2.5, said="<p>x</p>", on=70000
    )
    types = {"start": "timestamp", "size": "numeric", "on": "bigint"}
    for column, pg_type in types.items():
        assert [line for line in said if f"chore.{column} became {pg_type}:" in line], said
    assert [line for line in said if "kept here as they were: Chore.gone" in line]
    said = await done(mirror, "Chore")
    assert not [line for line in said if "became" in line or "kept here" in line]
    assert await mirror.rows("chore", "start", "size", "said", "on", "gone") == [
        (datetime(2024, 5, 6), Decimal(3), "words", 1, "kept"),
        (datetime(2024, 5, 7, 8, 30), Decimal("2.5"), "<p>x</p>", 70000, None),
    ]
    [proof] = await mirror.sync("Chore", kind="verify")
    assert proof.report["equal"], proof.report
