"""kill -9 of the worker at random moments of sending: one document each, and no edit lost."""

import random
import time
from collections import Counter
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.waiting import until
from tests.sync.both_sides import There, Workers

AT_ONCE = 5  # records that are under way when a worker is killed


def kill_while_sending(api: Api, there: There, workers: Workers, kills: int) -> list[int]:
    """The ids of the records that were made meanwhile."""
    chance, numbers = random.Random(4), []
    # A site that takes its time, so that every part of a send is met.
    there.running.faults.add("latency", seconds=0.02, path="/api/")
    for at in range(kills):
        for one in range(AT_ONCE):
            values = {"name": f"Killed {at}-{one}", "taxNumber": f"NL{at}-{one}"}
            if one % 2:
                values |= {"address": "Markt 1", "city": "Delft", "email": f"k{at}.{one}@x.org"}
            made = api.post("/api/customers", values)
            assert made.status == 201, made.body
            numbers.append(made.json["id"])
        changed = {"website": f"https://{at}.example.com", "contactPerson": f"Ann {at}"}
        assert api.ask("PUT", f"/api/customers/{chance.choice(numbers)}", changed).status == 200
        time.sleep(chance.uniform(0.0, 0.5))
        workers.kill()
        workers.start()
    there.running.faults.clear()
    return numbers


def what_is_left(workers: Workers) -> Any:
    return (
        workers.sql("SELECT state, why, count(*), max(attempts) FROM links GROUP BY 1, 2"),
        workers.sql(
            "SELECT status::text, task_name, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
        ),
    )


def all_are_there_once(api: Api, there: There, workers: Workers, numbers: list[int]) -> None:
    def left() -> bool:
        workers.sql("UPDATE circuits SET open_until = now() WHERE open_until > now()")
        workers.sql("UPDATE links SET retry_at = now() WHERE retry_at > now()")
        counts = api.get("/api/customers").json["counts"]
        return bool(counts.get("sending") or counts.get("waiting"))

    until(lambda: not left(), lambda: what_is_left(workers), patience=400, pause=0.2)
    documents = [row for row in there.list("Customer", fields=["name", "customer_name", "tax_id"])
                 if row["customer_name"].startswith("Killed ")]  # fmt: skip
    doubled = [
        tax for tax, count in Counter(row["tax_id"] for row in documents).items() if count > 1
    ]
    assert not doubled, doubled
    assert len(documents) == len(numbers)
    for number in numbers:
        record = api.get(f"/api/customers/{number}").json
        conflicts = api.get(f"/api/customers/{number}/conflicts").json["conflicts"]
        assert record["sync"]["state"] == "in_sync", (record["sync"], conflicts)
        document = there.read("Customer", record["erpnextId"])
        assert document["customer_name"] == record["name"] == record["erpnextId"]
        assert document.get("website") == record["website"]
    assert not [name for name in there.names("Customer") if " - " in name and "Killed" in name]
    for doctype, made in (("Address", "address"), ("Contact", "email")):
        linked = there.list(
            doctype,
            [["Dynamic Link", "link_doctype", "=", "Customer"]],
            ["name", "`tabDynamic Link`.link_name as customer"],
        )
        times = Counter(row["customer"] for row in linked)
        for number in numbers:
            record = api.get(f"/api/customers/{number}").json
            expected = 1 if record[made] or (made == "email" and record["contactPerson"]) else 0
            assert times[record["erpnextId"]] == expected, (doctype, record)


@pytest.mark.heavy
def test_a_hundred_kills_leave_one_document_each(shop: Any) -> None:
    api, there, workers = shop(own_field=True, BASCULE_SETTLE_SECONDS="2")
    started = time.monotonic()
    numbers = kill_while_sending(api, there, workers, 100)
    all_are_there_once(api, there, workers, numbers)
    told = workers.sql("SELECT count(*) FROM exchanges WHERE what = 'create' AND ms IS NULL")
    print(f"{workers.killed} kills, {len(numbers)} records, {told[0][0]} creates whose answer was")
    print(f"lost, in {time.monotonic() - started:.0f} s")
    assert told[0][0] > 0, "no kill struck a create"


@pytest.mark.heavy
def test_kills_leave_one_document_each_where_the_site_has_no_field_of_the_hubs(shop: Any) -> None:
    api, there, workers = shop(own_field=False, BASCULE_SETTLE_SECONDS="2")
    numbers = kill_while_sending(api, there, workers, 15)
    all_are_there_once(api, there, workers, numbers)
    told = workers.sql("SELECT count(*) FROM exchanges WHERE what = 'create' AND ms IS NULL")
    assert told[0][0] > 0, "no kill struck a create"
