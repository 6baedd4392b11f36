"""kill -9 of workers at random moments of sending: each key is one document, in its last state."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from bascule import outbox
from bascule.outbox import Write, name_of
from bascule.sandbox import SandboxThread
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.outbox.books import Books, at_bank
from tests.sync.both_sides import Workers

# DocType -> the field that tells which key a document is of.
TOLD_BY = {
    "Bank Transaction": "transaction_id",
    "Purchase Order": "order_confirmation_no",
    "Payment Entry": "reference_no",
}


@pytest.fixture
def killed(
    fresh_settings: FreshSettings, erpnext_snapshot: Any, kills: None
) -> Iterator[tuple[Books, Workers, Any]]:
    """Books whose workers are processes of their own, two of them."""
    with (
        fresh_settings(secret_key="a key for tests", settle_seconds=2) as config,
        SandboxThread(erpnext_snapshot) as site,
        RunningHub(config, worker=False) as running,
    ):
        slug = str(connect(running.api, site, streams=[])["slug"])
        workers = Workers(config)
        try:
            yield Books(running, Erp(site), slug, "killed"), workers, site
        finally:
            workers.close()


class Papers:
    """What a document of each DocType has to have on this site."""

    def __init__(self, books: Books) -> None:
        erp = books.erp
        self.account = at_bank(books)
        self.company = erp.list("Company")[0]["name"]
        self.supplier = erp.list("Supplier", [["disabled", "=", 0]])[0]["name"]
        self.item = erp.list("Item", [["disabled", "=", 0], ["has_variants", "=", 0]])[0]["name"]
        self.warehouse = erp.list("Warehouse", [["is_group", "=", 0]])[0]["name"]
        of_company = [["company", "=", self.company], ["is_group", "=", 0]]
        self.bank = erp.list("Account", [*of_company, ["account_type", "=", "Bank"]])[0]["name"]
        payable = [*of_company, ["account_type", "=", "Payable"]]
        self.payable = erp.list("Account", payable)[0]["name"]

    def values(self, doctype: str, key: str) -> dict[str, Any]:
        if doctype == "Bank Transaction":
            values: dict[str, Any] = {"date": "2026-11-10", "deposit": 12.5, "currency": "EUR"}
            values["bank_account"] = self.account
        elif doctype == "Purchase Order":
            item = {"item_code": self.item, "qty": 1, "rate": 10, "schedule_date": "2026-12-01"}
            values = {"supplier": self.supplier, "company": self.company}
            values |= {"transaction_date": "2026-11-10", "schedule_date": "2026-12-01"}
            values["items"] = [{**item, "warehouse": self.warehouse}]
        else:
            values = {"payment_type": "Pay", "party_type": "Supplier", "party": self.supplier}
            values |= {"company": self.company, "paid_from": self.bank, "paid_to": self.payable}
            values |= {"paid_amount": 10, "received_amount": 10, "posting_date": "2026-11-10"}
            values["reference_date"] = "2026-11-10"
        return {**values, TOLD_BY[doctype]: key}


def put_some(books: Books, papers: Papers, at: int, chance: random.Random) -> dict[str, int]:
    """Documents of each DocType, of which some are submitted, and some of those cancelled; key ->
    the docstatus that it ends in.
    """
    ends = {}
    for doctype in TOLD_BY:
        for one in range(2):
            key = f"{doctype} {at}-{one}"
            ends[key] = chance.choice((0, 1, 2))
            writes = [Write(doctype, key, "create", values=papers.values(doctype, key))]
            if ends[key] > 0:
                writes.append(Write(doctype, f"{key} submit", "submit", name_of(key)))
            if ends[key] > 1:
                writes.append(Write(doctype, f"{key} cancel", "cancel", name_of(key)))
            books.put(*writes, origin=("tests", key))
    return ends


def kill_while_sending(
    books: Books, workers: Workers, site: Any, kills: int, *, own_field: bool
) -> None:
    chance, ends = random.Random(7), dict[str, int]()
    if own_field:
        books.do(lambda hub, _, connection: outbox.prepare(hub, connection, list(TOLD_BY)))
    papers = Papers(books)
    # A site that takes its time, so that every part of a send is met.
    site.faults.add("latency", seconds=0.02, path="/api/")
    workers.start()
    workers.start()
    for at in range(kills // 2):
        ends |= put_some(books, papers, at, chance)
        time.sleep(chance.uniform(0.0, 0.6))
        workers.kill()
        workers.start()
        workers.start()
    site.faults.clear()
    all_are_there_once(books, ends)
    lost = books.running.sql(
        "SELECT what, count(*) FROM bascule.outbox_attempts WHERE finished_at IS NULL GROUP BY 1"
    )
    print(f"{workers.killed} kills, {len(ends)} documents, answers lost: {dict(lost)}")
    assert lost, "no kill struck a request"


def all_are_there_once(books: Books, ends: dict[str, int]) -> None:
    def left() -> list[Any]:
        books.hurry()
        return books.running.sql(
            "SELECT key, state, failure, why, attempts FROM bascule.outbox_writes"
            " WHERE state <> 'written' ORDER BY id LIMIT 10"
        )

    until(lambda: not left(), left, patience=400, pause=0.5)
    for doctype, field in TOLD_BY.items():
        found = books.erp.list(doctype, [[field, "like", f"{doctype} %"]], (field, "docstatus"))
        times = Counter(str(row[field]) for row in found)
        assert not [key for key, many in times.items() if many > 1]
        there = {str(row[field]): row["docstatus"] for row in found}
        assert there == {key: end for key, end in ends.items() if key.startswith(doctype)}


@pytest.mark.heavy
def test_kills_leave_each_key_one_document(killed: tuple[Books, Workers, Any]) -> None:
    kill_while_sending(*killed, 200, own_field=True)


@pytest.mark.heavy
def test_kills_leave_each_key_one_document_on_a_site_without_the_hubs_field(
    killed: tuple[Books, Workers, Any],
) -> None:
    kill_while_sending(*killed, 20, own_field=False)


@pytest.mark.heavy
def test_batches_cut_in_the_middle_leave_each_key_one_document(
    killed: tuple[Books, Workers, Any],
) -> None:
    books, workers, site = killed
    books.do(lambda hub, _, connection: outbox.prepare(hub, connection, ["Bank Transaction"]))
    site.faults.add("latency", seconds=0.05, path="insert_many")
    site.faults.add("lost_answer", path="insert_many", probability=0.3)
    numbers = books.put(*(books.line(f"{n}", description="") for n in range(600)))
    chance = random.Random(3)
    for _ in range(6):
        workers.start()
        workers.start()
        time.sleep(chance.uniform(0.5, 1.5))
        workers.kill()
    site.faults.clear()
    workers.start()

    def left() -> Any:
        books.hurry()
        states = Counter(row[2] for row in books.standing(numbers))
        return states if set(states) != {"written"} else None

    until(lambda: not left(), left, patience=300, pause=0.5)
    lines = books.erp.list(
        "Bank Transaction", [["transaction_id", "like", "killed%"]], ("transaction_id",)
    )
    assert sorted(row["transaction_id"] for row in lines) == sorted(
        f"killed{n}" for n in range(600)
    )
