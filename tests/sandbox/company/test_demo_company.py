"""The demo company hangs together: what its documents say of each other holds for any seed."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from bascule.sandbox.apps import builtin
from bascule.sandbox.company import READABLE, demo_company
from bascule.sandbox.core.snapshot import Snapshot

TODAY = date(2026, 11, 20)
STANDARD = {"name", "owner", "creation", "modified", "modified_by", "docstatus", "idx", "doctype"}
CHILD = STANDARD | {"parent", "parentfield", "parenttype"}


@pytest.fixture(scope="module", params=[(1, 15), (2, 15), (2026, 15), (1, 16)])
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    seed, major = request.param
    return demo_company(seed, TODAY, major=major)


def rows(snapshot: Snapshot, doctype: str, table: str) -> Iterator[Any]:
    for document in snapshot.documents[doctype]:
        for row in document[table]:
            yield document, row


def every_document(snapshot: Snapshot) -> Iterator[Any]:
    """Parents and child rows alike, with the fields of their DocType."""
    fields = {
        name: {field["fieldname"]: field for field in definition["fields"]}
        for name, definition in snapshot.doctypes.items()
    }
    for documents in snapshot.documents.values():
        for document in documents:
            yield document, fields[document["doctype"]]
            for value in document.values():
                if isinstance(value, list):
                    for row in value:
                        yield row, fields[row["doctype"]]


def test_the_same_seed_and_day_make_the_same_documents() -> None:
    first, second = demo_company(7, TODAY), demo_company(7, TODAY)
    assert first.documents == second.documents
    assert demo_company(8, TODAY).documents != first.documents
    assert demo_company(7, TODAY - timedelta(days=1)).documents != first.documents


def test_credentials_are_random_unless_given() -> None:
    one, other = demo_company(1, TODAY), demo_company(1, TODAY)
    assert one.users["hub"]["api_secret"] != other.users["hub"]["api_secret"]
    fixed = demo_company(1, TODAY, credentials={"hub": ("key", "secret")})
    assert (fixed.users["hub"]["api_key"], fixed.users["hub"]["api_secret"]) == ("key", "secret")
    assert set(fixed.users) == {"admin", "hub", "readonly"}
    assert set(fixed.role_permissions["Hub Reader"]) == set(READABLE)


def test_names_are_unique_within_a_doctype(snapshot: Snapshot) -> None:
    seen: dict[Any, set[Any]] = defaultdict(set)
    for document, _ in every_document(snapshot):
        assert document["name"] not in seen[document["doctype"]]
        seen[document["doctype"]].add(document["name"])


def test_every_value_has_a_field_and_every_mandatory_field_a_value(snapshot: Snapshot) -> None:
    parents = {definition.get("nsm_parent_field") for definition in snapshot.doctypes.values()}
    for document, fields in every_document(snapshot):
        standard = CHILD if "parent" in document else STANDARD
        assert set(document) - standard <= set(fields), document["doctype"]
        for fieldname, field in fields.items():
            if field.get("reqd") and not (document.get("is_group") and fieldname in parents):
                value = document.get(fieldname)
                assert value not in (None, "", []), (document["doctype"], fieldname)


def test_every_link_leads_to_a_document(snapshot: Snapshot) -> None:
    names = {
        doctype: {document["name"] for document in documents}
        for doctype, documents in snapshot.documents.items()
    }
    names["DocType"] = set(snapshot.doctypes)
    for document, fields in every_document(snapshot):
        for fieldname, field in fields.items():
            value = document.get(fieldname)
            if not value or field["fieldtype"] not in ("Link", "Dynamic Link"):
                continue
            target = field["options"]
            if field["fieldtype"] == "Dynamic Link":
                target = document[target]
            assert value in names[target], (document["doctype"], fieldname, value)


def test_every_choice_is_one_that_the_field_offers(snapshot: Snapshot) -> None:
    for document, fields in every_document(snapshot):
        for fieldname, field in fields.items():
            value = document.get(fieldname)
            if value and field["fieldtype"] == "Select" and field.get("options"):
                assert value in field["options"].split("\n"), (document["doctype"], fieldname)


def test_texts_fit_their_columns(snapshot: Snapshot) -> None:
    for document, fields in every_document(snapshot):
        assert len(document["name"]) <= 140
        for fieldname, field in fields.items():
            value = document.get(fieldname)
            if value and field["fieldtype"] in ("Data", "Link", "Select", "Dynamic Link"):
                assert len(value) <= field.get("length", 140), (document["doctype"], fieldname)


def test_times_lie_in_order_and_none_in_the_future(snapshot: Snapshot) -> None:
    end = datetime.combine(TODAY, datetime.min.time()) + timedelta(minutes=1)
    for document, _ in every_document(snapshot):
        created = datetime.strptime(document["creation"], "%Y-%m-%d %H:%M:%S.%f")
        modified = datetime.strptime(document["modified"], "%Y-%m-%d %H:%M:%S.%f")
        assert created <= modified < end
    months = {order["modified"][:7] for order in snapshot.documents["Sales Order"]}
    assert len(months) >= 12


def test_child_rows_carry_their_parent_and_its_stamps(snapshot: Snapshot) -> None:
    for documents in snapshot.documents.values():
        for document in documents:
            for fieldname, value in document.items():
                if not isinstance(value, list):
                    continue
                assert [row["idx"] for row in value] == list(range(1, len(value) + 1))
                for row in value:
                    assert (row["parent"], row["parentfield"]) == (document["name"], fieldname)
                    assert row["parenttype"] == document["doctype"]
                    for stamp in ("modified", "docstatus"):
                        assert row[stamp] == document[stamp]


def test_some_rows_share_their_modified_to_the_microsecond(snapshot: Snapshot) -> None:
    """A price list import writes many at once: what a pager by `modified` stumbles over."""
    stamps: dict[Any, int] = defaultdict(int)
    for price in snapshot.documents["Item Price"]:
        stamps[price["modified"]] += 1
    assert max(stamps.values()) >= 10


@pytest.mark.parametrize("doctype", ["Sales Order", "Purchase Order", "Delivery Note"])
def test_totals_are_the_sum_of_the_rows(snapshot: Snapshot, doctype: str) -> None:
    for order in snapshot.documents[doctype]:
        for row in order["items"]:
            assert row["amount"] == pytest.approx(row["rate"] * row["qty"], abs=0.006)
        assert order["total_qty"] == pytest.approx(sum(row["qty"] for row in order["items"]))
        net = sum(row["amount"] for row in order["items"])
        taxes = sum(row["tax_amount"] for row in order.get("taxes", ()))
        assert order["net_total"] == pytest.approx(net, abs=0.005)
        assert order["grand_total"] == pytest.approx(net + taxes, abs=0.005)
        base = sum(row["base_amount"] for row in order["items"])
        assert order["base_net_total"] == pytest.approx(base, abs=0.005)
        if "payment_schedule" in order:
            due = sum(row["payment_amount"] for row in order["payment_schedule"])
            assert due == pytest.approx(order["grand_total"], abs=0.005)
            assert sum(row["invoice_portion"] for row in order["payment_schedule"]) == 100


def test_orders_say_what_their_deliveries_and_receipts_say(snapshot: Snapshot) -> None:
    moved: dict[Any, float] = defaultdict(float)
    for _, row in rows(snapshot, "Delivery Note", "items"):
        moved[row["so_detail"]] += row["qty"]
    for _, row in rows(snapshot, "Purchase Receipt", "items"):
        moved[row["purchase_order_item"]] += row["qty"]
    for doctype, done, share in (
        ("Sales Order", "delivered_qty", "per_delivered"),
        ("Purchase Order", "received_qty", "per_received"),
    ):
        for order in snapshot.documents[doctype]:
            for row in order["items"]:
                assert row[done] == moved[row["name"]] <= row["qty"]
            reached = 100 * sum(row[done] for row in order["items"]) / order["total_qty"]
            assert order[share] == pytest.approx(reached, abs=0.001)


def test_statuses_agree_with_docstatus_and_progress(snapshot: Snapshot) -> None:
    for doctype, share in (("Sales Order", "per_delivered"), ("Purchase Order", "per_received")):
        for order in snapshot.documents[doctype]:
            status, done = order["status"], (order[share] == 100, order["per_billed"] == 100)
            expected = {"Draft": 0, "Cancelled": 2}.get(status, 1)
            assert order["docstatus"] == expected
            assert (status == "Completed") == (done == (True, True))
            if status == "To Bill":
                assert done == (True, False)
    statuses = {order["status"] for order in snapshot.documents["Sales Order"]}
    assert {"Draft", "Cancelled", "Completed", "To Deliver and Bill", "On Hold"} <= statuses


def test_bins_are_the_sum_of_the_stock_ledger_and_the_open_orders(snapshot: Snapshot) -> None:
    actual: dict[Any, float] = defaultdict(float)
    reserved: dict[Any, float] = defaultdict(float)
    ordered: dict[Any, float] = defaultdict(float)
    last = {}
    for entry in snapshot.documents["Stock Ledger Entry"]:
        place = entry["item_code"], entry["warehouse"]
        actual[place] += entry["actual_qty"]
        assert entry["qty_after_transaction"] == pytest.approx(actual[place])
        assert entry["qty_after_transaction"] >= 0
        last[place] = entry
    for order, row in rows(snapshot, "Sales Order", "items"):
        if order["docstatus"] == 1 and order["status"] not in ("On Hold", "Closed"):
            reserved[row["item_code"], row["warehouse"]] += row["qty"] - row["delivered_qty"]
    for order, row in rows(snapshot, "Purchase Order", "items"):
        if order["docstatus"] == 1:
            ordered[row["item_code"], row["warehouse"]] += row["qty"] - row["received_qty"]
    bins = snapshot.documents["Bin"]
    assert len({(bin_["item_code"], bin_["warehouse"]) for bin_ in bins}) == len(bins)
    for bin_ in bins:
        place = bin_["item_code"], bin_["warehouse"]
        assert bin_["actual_qty"] == pytest.approx(actual[place])
        assert bin_["reserved_qty"] == pytest.approx(reserved[place])
        assert bin_["ordered_qty"] == pytest.approx(ordered[place])
        assert bin_["projected_qty"] == pytest.approx(
            bin_["actual_qty"] + bin_["ordered_qty"] - bin_["reserved_qty"]
        )
        if place in last:
            assert bin_["stock_value"] == last[place]["stock_value"]
    assert {place for place in actual if actual[place]} <= {
        (bin_["item_code"], bin_["warehouse"]) for bin_ in bins
    }


def test_stock_ledger_entries_belong_to_a_row_of_their_voucher(snapshot: Snapshot) -> None:
    vouchers = {
        (doctype, row["name"]): document["name"]
        for doctype in ("Stock Entry", "Delivery Note", "Purchase Receipt")
        for document, row in rows(snapshot, doctype, "items")
    }
    for entry in snapshot.documents["Stock Ledger Entry"]:
        assert vouchers[entry["voucher_type"], entry["voucher_detail_no"]] == entry["voucher_no"]


def test_there_is_something_to_reorder_and_something_was_sold_last_month(
    snapshot: Snapshot,
) -> None:
    projected = {
        (bin_["item_code"], bin_["warehouse"]): bin_["projected_qty"]
        for bin_ in snapshot.documents["Bin"]
    }
    short = set()
    for item, level in rows(snapshot, "Item", "reorder_levels"):
        watched = level["warehouse_reorder_level"] or level["warehouse_reorder_qty"]
        left = projected.get((item["name"], level["warehouse"]), 0)
        if watched and left <= level["warehouse_reorder_level"] and not item["disabled"]:
            short.add(item["name"])
    assert len(short) >= 3
    sold = [
        order
        for order in snapshot.documents["Sales Order"]
        if order["docstatus"] == 1 and order["transaction_date"].startswith("2026-10")
    ]
    assert len(sold) >= 10
    latest = max(order["transaction_date"] for order in snapshot.documents["Sales Order"])
    assert latest == TODAY.isoformat()


def test_names_hold_what_breaks_careless_programs(snapshot: Snapshot) -> None:
    names = " ".join(
        document[field]
        for doctype, field in (
            ("Item", "item_name"),
            ("Customer", "customer_name"),
            ("Supplier", "supplier_name"),
        )
        for document in snapshot.documents[doctype]
    )
    for hard in ('"', "'", "<b>", "&", "é", "\\", "%", ";", "\N{BICYCLE}", "\N{PANDA FACE}", "公"):
        assert hard in names


def test_any_day_of_any_year_makes_a_company() -> None:
    for day in (date(2024, 2, 29), date(2025, 1, 2), date(2025, 3, 30), date(2027, 10, 31)):
        made = demo_company(3, day)
        years = {year["name"] for year in made.documents["Fiscal Year"]}
        assert {entry["fiscal_year"] for entry in made.documents["Stock Ledger Entry"]} <= years


def test_a_definition_that_was_handed_out_can_be_changed_without_harm() -> None:
    builtin()["Item"]["fields"].clear()
    assert builtin()["Item"]["fields"]


@pytest.mark.parametrize("major", [15, 16])
def test_definitions_link_only_to_definitions(major: int) -> None:
    definitions = builtin(major)
    for definition in definitions.values():
        fieldnames = [field["fieldname"] for field in definition["fields"]]
        assert len(set(fieldnames)) == len(fieldnames)
        for field in definition["fields"]:
            if field["fieldtype"] in ("Link", "Table"):
                assert field["options"] in definitions, (definition["name"], field)
            if field["fieldtype"] == "Table":
                assert definitions[field["options"]]["istable"]
