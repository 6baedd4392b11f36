"""A document by itself: its fields, its children, its past here, and the way to ERPNext."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.data.pages.conftest import HOSTILE, MARKUP, Reader, link, links, table, twin
from tests.kit.connecting import connect
from tests.kit.desk import Desk


def test_a_document_has_its_children_its_links_its_past_and_its_twin(reader: Reader) -> None:
    order = reader.get("/rows/sales_orders?status=Completed&limit=1").json["rows"][0]
    page = reader.open(f"/sales_order/{order['order_id']}")
    assert page.status == 200
    assert order["customer_name"] in page.text
    answer = reader.desk.visitor.get(twin(page)).json
    items = answer["children"]["items"]
    assert [row[0] for row in table(page)] == [str(row["idx"]) for row in items]
    assert f"/data/{reader.slug}/item/{items[0]['item_code']}" in links(page)
    customer = quote(order["customer_id"], safe="")
    assert f"/data/{reader.slug}/customer/{customer}" in links(page)
    assert answer["url"] in links(page)
    assert answer["url"].endswith(f"/app/sales-order/{order['order_id']}")
    assert answer["kept"] is None
    assert answer["document"]["customer"] == order["customer_id"]
    run = answer["history"]["written_by_run"]
    assert f"/runs/{run}" in links(page)
    assert reader.desk.visitor.get(f"/api/runs/{run}").json["doctype"] == "Sales Order"
    line = reader.desk.open(f"/data/{reader.slug}/sales_order_item/{items[0]['name']}")
    assert f"/data/{reader.slug}/sales_order/{order['order_id']}" in links(line)


def test_a_hostile_name_is_quoted_here_and_there_and_never_markup(reader: Reader) -> None:
    path = f"/item/{quote(HOSTILE, safe='')}"
    page = reader.open(path)
    assert page.status == 200
    assert HOSTILE in page.text
    assert MARKUP in page.text
    assert MARKUP not in page.html
    answer = reader.desk.visitor.get(twin(page)).json
    assert answer["name"] == HOSTILE
    assert answer["url"].endswith(f"/app/item/{quote(HOSTILE, safe='')}")
    assert answer["url"] in links(page)
    child = link(page, "1")
    assert reader.desk.open(child).status == 200


def test_an_address_that_erpnext_wrote_as_markup_is_read_in_one_line(reader: Reader) -> None:
    asked = "/rows/customer?primary_address__contains=%3Cbr%3E&limit=1"
    row = reader.get(asked).json["rows"][0]
    lines = [line.strip() for line in row["primary_address"].split("<br>") if line.strip()]
    assert len(lines) > 1
    page = reader.open(f"/customer/{quote(row['name'], safe='')}")
    assert ", ".join(lines) in page.text
    assert "<br>" not in page.text


def test_a_deleted_document_is_kept_and_says_so(reader: Reader) -> None:
    page = reader.open("/item/Doomed")
    assert page.status == 200
    assert "deleted in ERPNext" in page.text
    assert "Gone soon" in page.text
    assert reader.get("/documents/Item/Doomed").json["history"]["deleted_by_run"]
    assert "Doomed" not in reader.open("/item?search=doomed").html.partition("<tbody>")[2]
    gone = reader.open("/item?_deleted_at__isnull=false")
    assert [row[0] for row in table(gone)] == ["Doomed"]


def test_a_field_that_the_site_withholds_is_not_told_as_empty(
    reader: Reader,
    sql: Callable[..., Any],
) -> None:
    needs = "permission level 1 of Supplier"
    supplier = reader.get("/rows/supplier?limit=1").json["rows"][0]
    nothing = next(
        field for field, value in supplier.items() if value is None and not field.startswith("_")
    )
    path = f"/supplier/{quote(supplier['name'], safe='')}"
    assert f'title="{nothing}"' in reader.open(path).html
    note = "UPDATE bascule.streams SET cursor = jsonb_set(cursor, '{withheld}', %s::jsonb)"
    note += " WHERE doctype = 'Supplier'"
    sql(note, [json.dumps({"Supplier": {nothing: needs}})])
    try:
        page = reader.open(path)
        assert f'title="{nothing}"' not in page.html
        assert f"{nothing} needs {needs}" in page.text
        [one] = reader.get(f"/documents{path}").json["withheld"]
        assert one == {"doctype": "Supplier", "field": nothing, "needs": needs}
    finally:
        sql(note, ["{}"])


def test_what_is_not_there_leads_back_to_the_list(reader: Reader) -> None:
    for path in ("/item/No%20such", "/no_such/1", "/item/%00", "/item/", "/inventory/CRT-001"):
        page = reader.open(path)
        assert page.status == 404, path
        assert f"/data/{reader.slug}" in links(page)
    answer = reader.get("/documents/Item/No%20such")
    assert answer.status == 404
    assert answer.json["next_step"]


def test_a_private_connections_data_is_nobody_elses(
    reader: Reader,
    site: Any,
    make_person: Callable[..., Any],
    browse: Callable[..., Any],
) -> None:
    editor = make_person("editor")
    owner = Desk(editor, browse(editor))
    made = connect(owner.visitor, site, name="Mine alone", shared=False)
    mine = f"/data/{made['slug']}"
    assert "Nothing is here yet" in owner.open(mine).text
    for path in ("", "/item", "/item/CRT-001"):
        assert reader.desk.open(f"{mine}{path}").status == 404
    assert "Mine alone" not in reader.desk.open("/data").text
    assert reader.desk.visitor.get(f"/api/connectors/{made['slug']}/rows").status == 404
    owner.visitor.delete(f"/api/connectors/{made['slug']}")
