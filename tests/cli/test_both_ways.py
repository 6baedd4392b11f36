"""Two-way sync and webhooks from the shell: turned on, looked at, decided about, removed."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from bascule.hub import open_hub
from bascule.sandbox import SandboxThread
from bascule.settings import Settings
from bascule.sync import records
from bascule.sync.record_types import record_type
from tests.kit.command import way_in
from tests.kit.command_in_process import Run


@pytest.fixture
def shop(machine: Run, erpnext_snapshot: Any) -> Iterator[Any]:
    """A site of its own, connected as `shop`."""
    with SandboxThread(erpnext_snapshot) as site:
        said = machine("connect", "--slug", "shop", "--no-sync", "--quiet", **way_in(site))
        assert said.code == 0, said
        yield site


def ask(site: Any, method: str, path: str, values: Any = None) -> Any:
    request = Request(
        f"{site.url}/api/resource/{quote(path, safe='/?=')}",
        json.dumps(values).encode() if values is not None else None,
        method=method,
        headers={
            "Authorization": f"token {site.api_key}:{site.api_secret}",
            "Content-Type": "application/json",
        },
    )
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def edit(settings: Settings, number: int | None = None, **values: Any) -> None:
    """Somebody makes or changes a customer in the hub; no worker is there to tell ERPNext."""

    async def done() -> None:
        kind = record_type("customers")
        async with open_hub(settings) as hub:
            if number is None:
                await records.create(hub, kind, values, by=None)
            else:
                await records.change(hub, kind, number, values, by=None)

    asyncio.run(done())


def kinds(machine: Run) -> list[str]:
    """Of what needs somebody; of the worker, of which there is none here, too."""
    return [need["kind"] for need in machine("attention", "--json").json["needs"]]


def test_records_are_kept_the_same_and_decided_about_from_the_shell(
    machine: Run, shop: Any, settings: Settings
) -> None:
    assert "It is on nowhere" in machine("two-way").out
    checked = machine("two-way", "check", "customers", "--json")
    assert checked.code == 0, checked
    assert "gstin" in checked.json["cannot_hold"]["vatNumber"]
    edit(settings, name="Only Here")
    begun = machine("two-way", "begin", "customers", "--json")
    assert begun.code == 0, begun
    assert begun.json["ready"]
    there = len(ask(shop, "GET", "Customer?limit_page_length=0"))
    assert begun.json["counts"] == {"pair": 0, "bring": there, "send": 1, "leave": 0}
    shown = machine("two-way", "matches", "customers", "--decision", "send", "--json")
    [ours] = shown.json["matches"]
    left = machine("two-way", "decide", "customers", str(ours["id"]), "leave", "--json")
    assert left.code == 0, left
    assert left.json["counts"] == {"pair": 0, "bring": there, "send": 0, "leave": 1}
    refused = machine("two-way", "confirm", "customers")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert machine("two-way", "confirm", "customers", "--yes", "--json").json["status"] == "on"

    told = machine("records", "sync", "customers", "--json")
    assert told.code == 0, told
    assert told.json["connectors"].keys() == {"shop"}
    stand = machine("records", "--json").json["customers"]
    assert stand == {"connectors": {"shop": "on"}, "counts": {"in_sync": there, "local": 1}}
    listed = machine("records", "list", "customers", "--limit", "2", "--json").json
    assert len(listed["records"]) == 2
    more = machine("records", "list", "customers", "--after", listed["next"], "--json").json
    assert more["records"][0]["name"] > listed["records"][1]["name"]
    assert "no such" in machine("records", "list", "no such things").err

    record = listed["records"][0]
    number, name = str(record["id"]), record["erpnextId"]
    ask(shop, "PUT", f"Customer/{name}", {"website": "https://there.example.com"})
    edit(settings, record["id"], website="https://here.example.com")
    assert machine("records", "sync", "customers").code == 0
    machine("records", "sync", "customers", "--whole")  # its edit is sent by the worker of one
    [conflict] = machine("records", "conflicts", "--json").json["conflicts"]
    assert (conflict["here"], conflict["there"]) == (
        "https://here.example.com",
        "https://there.example.com",
    )
    shown = machine("records", "show", "customers", number)
    assert "https://there.example.com" in shown.out
    attention = machine("attention")
    assert attention.code == 1
    assert "1 customer changed here and in ERPNext: 1 field to decide." in attention.out
    settled = machine(
        "records", "resolve", "customers", number, "there", "--field", "website", "--json"
    )
    assert settled.code == 0, settled
    assert settled.json["website"] == "https://there.example.com"
    assert machine("records", "conflicts").out.strip() == "Nothing is open."
    assert kinds(machine) == ["worker"]

    refused = machine("records", "do", "customers", number, "give-up")
    assert refused.code == 2
    assert "Drop the edit" in refused.err
    unknown = machine("records", "do", "customers", number, "sing")
    assert unknown.code == 2
    assert "retry" in unknown.err
    assert machine("records", "retry", "customers", "--json").json == {"retried": 0}
    joined = machine("records", "join", "customers", number, "Another")
    assert joined.code == 2 and "joined with" in joined.err
    decided = machine("two-way", "restored", "customers", "here", "--yes", "--json")
    assert decided.json == {"decided": 0}
    assert machine("two-way", "restored", "customers", "both", "--yes").code == 2
    assert machine("two-way", "off", "customers", "--yes", "--json").json["status"] == "off"


def test_a_site_that_cannot_be_asked_is_told_of_with_its_own_code(machine: Run, shop: Any) -> None:
    shop.faults.add("revoked")
    begun = machine("two-way", "begin", "customers", "--json")
    assert begun.code in (1, 3), begun
    assert begun.json["next_step"]
    assert machine("records", "sync", "customers").code == 2


def test_webhooks_are_set_up_watched_mended_and_removed_from_the_shell(
    machine: Run, shop: Any
) -> None:
    assert "off" in machine("webhooks").out
    made = machine("webhooks", "set-up", "--url", "http://127.0.0.1:8099", "--json")
    assert made.code == 0, made
    assert len(made.json["made"]) == 10
    [hook, *_] = ask(shop, "GET", "Webhook")
    ask(shop, "PUT", f"Webhook/{hook['name']}", {"enabled": 0})
    checked = machine("webhooks", "check")
    assert checked.code == 1
    assert "is switched off on the site" in checked.out
    attention = machine("attention", "--json")
    assert attention.code == 1
    assert [need["kind"] for need in attention.json["needs"]] == ["worker", "webhooks"]
    assert machine("webhooks", "fix", "--json").json["changed"] == [hook["name"]]
    assert kinds(machine) == ["worker"]
    assert machine("webhooks", "rotate", "--json").json["both_secrets_until"]
    assert machine("webhooks", "retry").code == 0
    assert machine("webhooks", "remove").code == 2
    assert len(machine("webhooks", "remove", "--yes", "--json").json["removed"]) == 10
    assert ask(shop, "GET", "Webhook") == []
