"""What can never be mirrored is refused in words where it is asked for, and when it becomes so."""

from collections.abc import Callable
from typing import Any

import pytest

from bascule.errors import Invalid
from bascule.mirror.schema.table_schemas import forget_table_schemas
from bascule.mirror.streams.settings import add_streams, delete_stream, find_stream
from tests.mirror.odd import document, done, make_doctype


async def test_singles_virtual_doctypes_and_child_tables_are_refused_and_names_are_the_sites(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(user="admin")
    await make_doctype(mirror, "Queue Look", [("what", "Data")], is_virtual=1)
    await make_doctype(mirror, "My Settings", [("what", "Data")], issingle=1)
    for name, why in (
        ("My Settings", "Single"),
        ("my settings", "Single"),
        ("Queue Look", "virtual"),
        ("Sales Order Item", "child table"),
        ("Nothing Such", "Nothing Such"),
    ):
        with pytest.raises(Invalid, match=why) as refused:
            await add_streams(mirror.hub, mirror.connection, [name])
        assert refused.value.next_step
        assert refused.value.fields
    [stream] = await add_streams(mirror.hub, mirror.connection, ["bRAND"])
    assert (stream.doctype, stream.table_name) == ("Brand", "brand")
    await document(mirror, "Brand", brand="One")
    await done(mirror, "Brand")
    assert await mirror.rows("brand", "name")


async def test_a_name_that_only_the_list_can_judge_is_refused_in_words(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    for path, named in (("/meta", "bRAND"), ("getdoctype", "bRAND"), ("resource", "DocType")):
        mirror.site.faults.add("forbidden", path=path, doctype=named)
    with pytest.raises(Invalid, match="could not list bRAND") as refused:
        await add_streams(mirror.hub, mirror.connection, ["bRAND"])
    assert "upper and lower case" in refused.value.next_step


async def test_a_doctype_that_becomes_a_single_says_so_and_is_no_fault_of_the_hub(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await add_streams(mirror.hub, mirror.connection, ["Brand"])
    await document(mirror, "Brand", brand="One")
    await done(mirror, "Brand")
    schema = mirror.site.site.schema
    schema.add({**schema.original("Brand"), "issingle": 1})
    forget_table_schemas(mirror.connection.id, "Brand")
    [run] = await mirror.sync("Brand")
    assert run.outcome == "failed"
    assert "Brand is a Single" in run.error
    assert "fault of the hub" not in run.next_step
    assert ("One",) in await mirror.rows("brand", "name")


async def test_removing_a_stream_drops_no_table_that_others_use(
    mirrored: Callable[..., Any],
) -> None:
    """Also of a child DocType that an earlier version let in."""
    mirror = await mirrored()
    await done(mirror, "Sales Order")
    before = await mirror.rows("sales_order_item", "name")
    assert before
    await add_streams(mirror.hub, mirror.connection, ["Brand"])
    await mirror.execute(
        "UPDATE bascule.streams SET doctype = 'Sales Order Item', table_name = 'sales_order_item'"
        " WHERE doctype = 'Brand'"
    )
    async with mirror.hub.db.session() as session:
        stream = await find_stream(session, mirror.connection, "Sales Order Item")
    await delete_stream(mirror.hub, mirror.connection, stream)
    assert await mirror.rows("sales_order_item", "name") == before
