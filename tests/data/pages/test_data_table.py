"""A view or a table on its page: found, filtered, sorted, chosen from, paged and downloaded."""

import csv
import io
import re
from collections.abc import Callable

import pytest

from tests.data.pages.conftest import HOSTILE, MARKUP, Reader, link, links, table, twin
from tests.kit.desk import Desk


def names(rows: list[list[str]]) -> list[str]:
    return [row[0] for row in rows]


def test_the_shelf_has_each_view_that_has_its_streams_and_every_table(reader: Reader) -> None:
    page = reader.open()
    assert page.status == 200
    for relation in ("inventory", "sales_orders", "customers", "item", "sales_order_item"):
        assert f"/data/{reader.slug}/{relation}" in links(page)
    assert f"/data/{reader.slug}/purchase_orders" not in links(page)  # not mirrored
    assert "Inventory" in reader.desk.open("/data").text
    listed = reader.get("/rows").json["relations"]
    assert "inventory" in [one["name"] for one in listed if one["view"]]


def test_a_search_finds_every_word_in_any_column_and_any_case(reader: Reader) -> None:
    page = reader.open("/inventory?search=KRAT%20bottles")
    assert names(table(page)) == ["CRT-001"]
    assert "&lt;b&gt;24 bottles&lt;/b&gt;" in page.html
    assert "<b>24" not in page.html
    assert names(table(reader.open("/item?search=krat"))) == ["CRT-001"]
    assert table(reader.open("/inventory?search=%25")) == table(
        reader.open("/inventory?item_code__contains=%25")
    )
    nothing = reader.open("/inventory?search=nothing%20like%20it")
    assert "Nothing found" in nothing.text
    assert f"/data/{reader.slug}/inventory" in links(nothing)
    rows = reader.get("/rows/inventory?search=KRAT%20bottles").json["rows"]
    assert [row["item_code"] for row in rows] == ["CRT-001"]


def test_an_emptied_search_box_leaves_nothing_in_the_address(reader: Reader) -> None:
    page = reader.open("/inventory?search=&item_group=Tools", {"HX-Target": "div#found"})
    assert page.answer.headers["hx-replace-url"].endswith("/inventory?item_group=Tools")
    # A part that refreshes itself must not take the address back from a search.
    assert "hx-replace-url" not in reader.open("/inventory").answer.headers


def test_headings_sort_and_say_so(reader: Reader) -> None:
    page = reader.open("/sales_orders")
    assert 'aria-sort="descending"' in page.html  # the newest first
    largest = reader.desk.open(reader.desk.open(link(page, "Total")).to)
    assert largest.html.count("aria-sort") == 1
    totals = [float(row[-1].split()[0].replace(",", "")) for row in table(largest)]
    assert totals == sorted(totals, reverse=True)
    assert "sort=total_amount" in link(largest, "Total")
    api = reader.desk.visitor.get(twin(largest)).json
    assert [row["order_id"] for row in api["rows"]] == names(table(largest))


def test_filters_stand_in_the_address_as_in_the_api_and_can_be_taken_off(reader: Reader) -> None:
    page = reader.open("/inventory?needs_reorder=true&stock_qty__lt=5")
    assert "Needs reorder: yes" in page.text
    assert "In stock is less than 5" in page.text
    assert {row[2] for row in table(page)} <= {"Reorder", "Reorder in a warehouse"}
    fewer = reader.desk.open(link(page, "In stock is less than 5"))
    assert "stock_qty" not in fewer.answer.headers.get("location", "")
    assert len(table(fewer)) >= len(table(page)) > 0
    late = reader.desk.open(link(reader.open("/sales_orders"), "Overdue"))
    assert all("Overdue" in row[3] for row in table(late))


def test_stock_shows_what_its_state_follows_from(reader: Reader) -> None:
    """In every row of the pages: nothing is "Enough" beside "Out", or below its level."""
    seen = set()
    for name, at in (("inventory", 2), ("inventory_by_warehouse", 3)):
        level_at = at + (7 if name == "inventory" else 6)
        page = reader.open(f"/{name}?stock_state__isnull=false&sort=available_qty")
        for heading in ("In stock", "Available", "Ordered", "Requested", "Projected", "Reorder at"):
            assert heading in page.text
        for row in table(page):
            projected, level = (
                float(cell.replace(",", "")) for cell in row[level_at - 1 : level_at + 1]
            )
            state, stock = row[at : at + 2]
            available = float(row[at + (3 if name == "inventory" else 2)].replace(",", ""))
            seen.add(state)
            if state == "Enough":
                assert available > max(level, 0) and "Out" not in stock
            elif state == "On its way":
                assert available <= max(level, 0) < projected
            elif state == "Reorder":
                assert projected <= level
            elif state == "Out":
                assert available <= 0
    assert {"Enough", "Reorder", "On its way"} <= seen, seen
    rows = reader.get("/rows/inventory?stock_state=reorder&limit=1000").json["rows"]
    due = reader.get("/rows/inventory?needs_reorder=true&limit=1000").json["rows"]
    assert {row["item_code"] for row in rows} == {row["item_code"] for row in due}
    assert "reserved_qty" in rows[0]


def test_a_card_counts_what_its_list_has(reader: Reader) -> None:
    shelf = reader.open().html
    for name in ("inventory", "inventory_by_warehouse", "sales_orders", "customers", "suppliers"):
        card = re.search(
            rf'/data/{reader.slug}/{name}">.*?data-count">(.*?)</span>', shelf, re.DOTALL
        )
        rows = reader.get(f"/rows/{name}?limit=1000").json
        assert rows["next"] is None
        assert card and card[1].split()[0].replace(",", "") == str(len(rows["rows"])), name


def test_forms_lead_to_an_address_in_the_apis_words(reader: Reader) -> None:
    added = reader.open("/inventory?sort=-stock_qty&_filter=stock_qty&_is=lte&_value=5")
    assert added.status == 303
    assert added.to == f"/data/{reader.slug}/inventory?sort=-stock_qty&stock_qty__lte=5"
    chosen = reader.open("/inventory?_show=item_name&_show=uom&search=krat")
    assert chosen.to.endswith("?search=krat&columns=item_name%2Cuom")
    shown = reader.desk.open(chosen.to)
    [[name, uom]] = table(shown)
    assert (name.startswith("Beer crate"), bool(uom)) == (True, True)
    assert f"/data/{reader.slug}/item/CRT-001" in links(shown)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("stock_qty__lt=many", "is no number"),
        ("no_such=1", "has no column no_such"),
        ("sort=no_such", "has no column no_such"),
        ("columns=no_such", "has no column no_such"),
        ("after=garbage", "cursor"),
        ("item_group=a&item_group=b", "is there twice"),
        ("search=" + "x" * 300, "up to 200 characters"),
        ("item_name=%00", "is no text"),
    ],
)
def test_what_cannot_be_asked_is_said_on_the_page_with_the_way_out(
    reader: Reader, query: str, said: str
) -> None:
    page = reader.open(f"/inventory?{query}&stock_qty__gt=0")
    assert page.status == 422
    assert said in page.text
    repaired = reader.desk.open(link(page, "Leave it out"))
    assert repaired.status == 200
    assert "In stock is more than 0" in repaired.text


def test_columns_and_order_stay_with_the_person_who_chose_them(
    reader: Reader, sit: Callable[..., Desk]
) -> None:
    usual = table(reader.open("/customers"))
    chosen = reader.desk.open("/data/" + reader.slug + "/customers?_show=customer_id&_show=city")
    sorted_ = reader.desk.open(link(reader.desk.open(chosen.to), "Customer ID"))
    assert "sort=customer_id" in sorted_.to or "sort=-customer_id" in sorted_.to
    mine = reader.open("/customers")
    assert len(table(mine)[0]) == 2 and "aria-sort" in mine.html
    # In another browser of the same person too, and in what they download; not for others.
    again = Reader(sit(reader.desk.somebody), reader.slug)
    assert table(again.open("/customers")) == table(mine)
    rows = list(csv.reader(io.StringIO(reader.desk.visitor.get(link(mine, "CSV")).body.decode())))
    assert rows[0] == ["customer_id", "city"]
    assert table(Reader(sit("viewer"), reader.slug).open("/customers")) == usual
    # An address that somebody sent shows what it asks for, and changes nothing of one's own.
    assert len(table(reader.open("/customers?columns=city,territory,email"))[0]) == 3
    assert table(reader.open("/customers")) == table(mine)
    back = reader.desk.open(link(mine, "The usual columns"))
    assert table(reader.desk.open(back.to)) == usual


def test_lines_come_newest_first_and_a_file_of_them_keeps_the_currency(reader: Reader) -> None:
    page = reader.open("/sales_order_items")
    days = [row[2] for row in table(page)]
    assert days == sorted(days, reverse=True) and len(set(days)) > 1
    assert "Ordered" in page.text
    file = reader.desk.visitor.get(link(page, "CSV")).body.decode()
    rows = list(csv.DictReader(io.StringIO(file)))
    assert {row["currency"] for row in rows[:50]} <= {"EUR", "USD"}
    shown = {row[-1].split()[-1] for row in table(page)}
    assert shown == {row["currency"] for row in rows[:50]}


def test_pages_follow_each_other_and_lead_back(reader: Reader) -> None:
    first = reader.open("/sales_order?docstatus=1")
    second = reader.desk.open(link(first, "Next page"))
    assert len(table(first)) == len(table(second)) == 50
    assert not set(names(table(first))) & set(names(table(second)))
    assert table(reader.desk.open(link(second, "First page"))) == table(first)
    assert f"{len(reader.get('/rows/sales_order?docstatus=1&limit=1000').json['rows'])} rows" in (
        second.text
    )


def test_a_download_is_what_is_shown_and_takes_the_sessions_cookie(reader: Reader) -> None:
    page = reader.open("/inventory?search=panda&sort=-stock_qty")
    file = reader.desk.visitor.get(link(page, "CSV"))
    assert file.status == 200
    rows = list(csv.DictReader(io.StringIO(file.body.decode())))
    assert [row["item_code"] for row in rows] == names(table(page))
    assert len(rows[0]) == len(table(page)[0])
    assert reader.desk.visitor.get(link(page, "Parquet")).body[:4] == b"PAR1"


def test_names_of_any_kind_are_text_and_lead_to_their_document(reader: Reader) -> None:
    page = reader.open("/inventory?search=wheel%2026/28")
    [[code, name, *_]] = table(page)
    assert (code, name) == (HOSTILE, MARKUP)
    assert MARKUP not in page.html
    assert reader.desk.open(link(page, "Wheel 26")).status == 200


def test_a_doctype_is_known_by_its_name_and_nothing_else_is(reader: Reader) -> None:
    assert reader.open("/Sales%20Order?status=Draft").to == (
        f"/data/{reader.slug}/sales_order?status=Draft"
    )
    for nothing in ("/no_such", "/pg_class", "/%00", "/%ff"):
        missing = reader.open(nothing)
        assert missing.status == 404
        assert f"/data/{reader.slug}" in links(missing)
