"""The webhooks that the hub makes on a site: with one click, watched, mended, removed."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import pytest

from bascule.inbox.frappe.site import monitor
from bascule.sandbox import SandboxThread
from tests.inbox.conftest import EAR, send, site_asks
from tests.kit.api import Api
from tests.kit.connecting import connect, way_in
from tests.kit.hub import RunningHub
from tests.kit.waiting import until

ODD = 'Ödd "Ü" & \\ 🏗 '


@dataclass
class Connected:
    """A site, and a connection to it whose webhooks can be set up."""

    hub: RunningHub
    api: Api
    site: Any
    id: UUID
    slug: str

    @property
    def at(self) -> str:
        return f"/api/connectors/{self.slug}/webhooks"

    def set_up(self, **order: Any) -> Any:
        answer = self.api.ask("PUT", self.at, order)
        assert answer.status == 200, answer.body
        return answer.json

    def do(self, act: str) -> Any:
        answer = self.api.post(f"{self.at}/{act}")
        assert answer.status == 200, answer.body
        return answer.json

    def webhooks(self) -> list[dict[str, Any]]:
        fields = json.dumps(["*"])
        rows = site_asks(self.site, "GET", f"/api/resource/Webhook?fields={quote(fields)}")["data"]
        return sorted(rows, key=lambda row: row["name"])

    def change(self, webhook: str, **values: Any) -> None:
        site_asks(self.site, "PUT", f"/api/resource/Webhook/{quote(webhook)}", values)

    def customer(self, name: str = "") -> str:
        values = {"customer_name": name or f"Customer {uuid4().hex[:8]}"}
        made = site_asks(self.site, "POST", "/api/resource/Customer", values)
        return str(made["data"]["name"])

    def rename_website(self, customer: str) -> None:
        values = {"website": f"https://{uuid4().hex[:8]}.example.com"}
        site_asks(self.site, "PUT", f"/api/resource/Customer/{quote(customer, safe='')}", values)

    def sql(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.hub.sql(statement, values)

    def heard(self) -> list[tuple[str, str]]:
        return [(one.name, one.event) for one in EAR.of(self.id)]

    def states(self) -> dict[str, str]:
        return {
            f"{hook['doctype']} {hook['event']}": hook["state"]
            for hook in self.api.get(self.at).json["hooks"]
        }


@pytest.fixture(scope="session")
def shop(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot, webhook_patience=0.05) as site:
        yield site


@pytest.fixture
def connected(running_hub: RunningHub, api: Api, shop: Any) -> Iterator[Connected]:
    made = connect(api, shop)
    yield Connected(running_hub, api, shop, UUID(made["id"]), made["slug"])
    api.delete(f"/api/connectors/{made['slug']}/webhooks")
    assert api.delete(f"/api/connectors/{made['slug']}").status == 200


def test_one_request_makes_them_and_what_changes_on_the_site_is_heard(connected: Connected) -> None:
    assert connected.api.get(connected.at).json["state"] == "off"
    told = connected.set_up()
    assert told["state"] == "waiting"
    assert len(told["made"]) == 10
    assert {hook["state"] for hook in told["hooks"]} == {"fine"}
    name = connected.customer(f"{ODD} {uuid4().hex[:6]}")
    until(lambda: name in dict(connected.heard()))
    connected.rename_website(name)
    site_asks(connected.site, "DELETE", f"/api/resource/Customer/{quote(name, safe='')}")
    until(lambda: (name, "on_trash") in connected.heard())
    after = connected.api.get(connected.at).json
    assert after["state"] == "arriving"
    events = {h["event"]: h["last_day"] for h in after["hooks"] if h["doctype"] == "Customer"}
    assert events["after_insert"] == events["on_trash"] == 1
    assert "unreadable" not in after["counts"]


def test_said_again_it_changes_nothing_and_what_is_wanted_otherwise_is_changed(
    connected: Connected,
) -> None:
    connected.set_up()
    before = connected.webhooks()
    again = connected.set_up()
    assert (again["made"], again["changed"], again["removed"]) == ([], [], [])
    names = [row["name"] for row in connected.webhooks()]
    assert names == [row["name"] for row in before]
    other = connected.set_up(doctypes=["Customer", "Sales Order"], events=["update"])
    assert len(other["removed"]) == 8
    assert sorted(connected.states()) == [
        "Comment after_rename",
        "Customer on_change",
        "Sales Order on_change",
    ]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"enabled": 0}, "disabled"),
        ({"webhook_json": '{"name": "{{ doc.name }}"}'}, "altered"),
        ({"condition": "not doc.disabled"}, "altered"),
        ({"webhook_secret": "another one that is long"}, "touched"),
    ],
)
def test_what_somebody_did_to_them_on_the_site_is_seen_and_mended(
    connected: Connected, change: dict[str, Any], state: str
) -> None:
    connected.set_up()
    [hook] = [row["name"] for row in connected.webhooks() if "Customer on_change" in row["name"]]
    connected.change(hook, **change)
    told = connected.do("check")
    assert told["state"] == "trouble"
    assert told["troubles"][0]["mend"] == "mend"
    assert connected.states()["Customer on_change"] == state
    mended = connected.do("mend")
    assert mended["troubles"] == []
    name = connected.customer()
    until(lambda: name in dict(connected.heard()))
    connected.rename_website(name)
    until(lambda: (name, "on_change") in connected.heard())


def needs(api: Api, slug: str) -> list[dict[str, Any]]:
    page = f"/connectors/{slug}/webhooks"
    return [need for need in api.get("/api/needs").json["needs"] if need["page"] == page]


def test_trouble_needs_attention_until_it_is_mended_and_who_may_not_mend_can_look(
    connected: Connected,
) -> None:
    connected.set_up()
    viewer = connected.hub.somebody("viewer")
    assert needs(connected.api, connected.slug) == []
    rows = [row["name"] for row in connected.webhooks()]
    for hook in rows[:2]:
        connected.change(hook, enabled=0)
    connected.change(rows[2], webhook_secret="another one that is long")
    connected.do("check")
    [need] = needs(connected.api, connected.slug)
    assert (need["kind"], need["mend"]) == ("webhooks", "Mend the webhooks")
    assert "(when one is" in need["what"] and "switched off on the site" in need["what"]
    assert "after_insert" not in need["what"] and "on_change" not in need["what"]
    assert "And 1 more." in need["what"]
    [seen] = needs(viewer, connected.slug)
    assert seen == {**need, "mend": None}
    connected.do("mend")
    assert needs(connected.api, connected.slug) == needs(viewer, connected.slug) == []


def test_a_delivery_that_names_no_document_needs_attention_until_the_webhooks_are_mended(
    connected: Connected, make_secret_known: Callable[[UUID], str]
) -> None:
    connected.set_up(doctypes=["Customer"])
    address = urlsplit(connected.api.get(connected.at).json["addresses"]["Customer"])
    secret = make_secret_known(connected.id)
    to = f"{address.path}?{address.query}"
    assert send(connected.hub.url, to, b'{"name": "no doctype', secret=secret).status == 200
    [need] = needs(connected.api, connected.slug)
    assert "1 delivery names no document" in need["what"]
    connected.do("mend")
    assert needs(connected.api, connected.slug) == []
    assert connected.api.get(connected.at).json["counts"] == {"unreadable": 1}


def test_of_a_site_that_is_down_its_webhooks_are_not_told_of_as_well(
    connected: Connected,
) -> None:
    connected.set_up(doctypes=["Customer"])
    connected.site.faults.add("revoked")
    try:
        connected.do("check")
        connected.api.post(f"/api/connectors/{connected.slug}/test")
    finally:
        connected.site.faults.clear()
    assert connected.api.get(connected.at).json["state"] == "trouble"
    found = connected.api.get("/api/needs").json["needs"]
    [need] = [one for one in found if f"/connectors/{connected.slug}" in one["page"]]
    assert (need["kind"], need["mend"]) == ("refused", "Mend the credentials")


def let_grace_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grace that is over soon, in the place of the half minute of every day."""
    monkeypatch.setattr("bascule.inbox.frappe.site.unreported.GRACE", timedelta(seconds=2))
    time.sleep(2 + 3)  # a site tells its clock in whole seconds


def test_that_webhooks_made_by_hand_do_not_arrive_is_noticed(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected.set_up(doctypes=["Customer"], secret="a secret of my own making")
    assert connected.api.get(connected.at).json["troubles"] == []
    time.sleep(1.1)  # a site tells its clock in whole seconds
    names = [connected.customer() for _ in range(2)]
    let_grace_pass(monkeypatch)
    assert connected.do("check")["state"] == "trouble"
    [need] = needs(connected.api, connected.slug)
    assert names[0] in need["what"]
    assert "the webhooks are enabled and have the hub's secret" in need["next_step"]
    assert need["mend"] == "Check again"
    address = urlsplit(connected.api.get(connected.at).json["addresses"]["Customer"])
    [newest] = site_asks(
        connected.site, "GET", f"/api/resource/Customer/{quote(names[1], safe='')}"
    ).values()
    told = {name: newest[name] for name in ("doctype", "name", "modified")}
    body = json.dumps({**told, "event": "on_update"}).encode()
    to = f"{address.path}?{address.query}"
    sent = send(connected.hub.url, to, body, secret="a secret of my own making")
    assert sent.status == 200
    assert connected.do("check")["troubles"] == []
    assert needs(connected.api, connected.slug) == []


def test_one_that_is_missing_and_one_that_is_there_twice_are_mended(connected: Connected) -> None:
    connected.set_up(doctypes=["Customer"])
    rows = connected.webhooks()
    site_asks(connected.site, "DELETE", f"/api/resource/Webhook/{quote(rows[0]['name'])}")
    copy = {name: value for name, value in rows[1].items() if name.startswith(("webhook_", "req"))}
    site_asks(
        connected.site,
        "POST",
        "/api/resource/Webhook",
        {**copy, "name": f"{rows[1]['name']} copy", "enable_security": 1, "webhook_secret": "x"},
    )
    troubles = " ".join(trouble["what"] for trouble in connected.do("check")["troubles"])
    assert "missing" in troubles
    assert "copy" in troubles
    mended = connected.do("mend")
    assert mended["made"] == [rows[0]["name"]]
    assert mended["removed"] == [f"{rows[1]['name']} copy"]
    assert [row["name"] for row in connected.webhooks()] == [row["name"] for row in rows]


def test_that_they_stopped_is_noticed_while_everything_there_looks_right(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected.set_up(doctypes=["Customer"])
    name = connected.customer()
    until(lambda: name in dict(connected.heard()))
    silent = connected.site.deliveries.add
    connected.site.deliveries.add = lambda due: None  # the site's worker does not run
    try:
        names = [connected.customer() for _ in range(6)]
        assert connected.do("check")["troubles"] == [], "they may still be on their way"
        let_grace_pass(monkeypatch)
        told = connected.do("check")
    finally:
        connected.site.deliveries.add = silent
    assert {hook["state"] for hook in told["hooks"]} == {"fine"}
    assert told["state"] == "trouble"
    [trouble] = told["troubles"]
    assert names[-1] in trouble["what"]
    assert "workers" in trouble["next_step"]
    assert connected.do("mend")["troubles"] == []


def test_the_sites_own_log_tells_why_nothing_arrives(connected: Connected) -> None:
    connected.set_up(doctypes=["Customer"])
    hook = next(row for row in connected.webhooks() if "after_insert" in row["name"])
    connected.change(hook["name"], webhook_secret="not what the hub has")
    name = connected.customer()

    def refused() -> Any:
        troubles = connected.do("check")["troubles"]
        return [trouble for trouble in troubles if "401" in trouble["what"]]

    [trouble] = until(refused)
    assert name in trouble["what"]
    assert trouble["mend"] == "mend"


def test_another_secret_loses_nothing(connected: Connected, running_hub: RunningHub) -> None:
    connected.set_up(doctypes=["Customer"])
    names = []
    for turn in range(12):
        names.append(connected.customer())
        if turn % 4 == 1:
            told = connected.do("rotate")
            assert told["both_secrets_until"] is not None
    until(lambda: {name for name, _ in connected.heard()} >= set(names))
    log = site_asks(
        connected.site,
        "GET",
        "/api/resource/Webhook Request Log?limit_page_length=0&fields="
        + quote('["reference_document","error"]'),
    )["data"]
    failed = [row for row in log if row["error"] and row["reference_document"] in names]
    assert failed == []


def test_removed_ones_are_gone_there_and_refused_here(connected: Connected) -> None:
    connected.set_up(doctypes=["Customer"])
    answer = connected.api.delete(connected.at)
    assert answer.status == 200
    assert len(answer.json["removed"]) == 4
    assert connected.webhooks() == []
    assert connected.api.get(connected.at).json["state"] == "off"
    assert connected.api.post(f"{connected.at}/mend").status == 404


def test_a_site_that_does_not_let_the_hub_make_webhooks_says_which_role_is_missing(
    running_hub: RunningHub, api: Api, shop: Any
) -> None:
    slug = connect(api, shop, **way_in(shop, "readonly"))["slug"]
    answer = api.ask("PUT", f"/api/connectors/{slug}/webhooks", {"doctypes": ["Supplier"]})
    assert answer.status == 400
    assert "System Manager" in answer.json["next_step"]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"doctypes": []}, "doctypes"),
        ({"events": []}, "events"),
        ({"doctypes": ["No Such Thing"]}, "doctypes"),
        ({"doctypes": ["Sales Order Item"]}, "doctypes"),
        ({"doctypes": ["Bin"]}, "doctypes"),
        ({"base_url": "hub.example.com"}, "base_url"),
        ({"base_url": "https://user:pass@hub.example.com"}, "base_url"),
        ({"secret": "short"}, "secret"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    connected: Connected, order: dict[str, Any], field: str
) -> None:
    answer = connected.api.ask("PUT", connected.at, order)
    assert answer.status == 422
    assert list(answer.json["fields"]) == [field]
    assert connected.api.get(connected.at).json["state"] == "off"


def test_a_site_elsewhere_needs_an_address_that_it_can_reach(api: Api) -> None:
    slug = connect(api, api_url="https://erp.example.com")["slug"]
    for base_url in (None, "http://127.0.0.1:8003", "http://localhost:8003"):
        answer = api.ask("PUT", f"/api/connectors/{slug}/webhooks", {"base_url": base_url})
        assert (answer.status, list(answer.json["fields"])) == (422, ["base_url"])


def test_by_hand_nothing_is_written_there_and_the_given_secret_counts(connected: Connected) -> None:
    secret = f"mine {uuid4().hex}"
    told = connected.set_up(doctypes=["Customer"], secret=secret)
    assert connected.webhooks() == []
    assert told["at_the_site"] is False
    address = told["addresses"]["Customer"]
    template = '{"doctype": {{ doc.doctype | tojson }}, "name": {{ doc.name | tojson }}}'
    webhook = {
        "name": "By hand",
        "webhook_doctype": "Customer",
        "webhook_docevent": "on_update",
        "request_url": address,
        "request_structure": "JSON",
        "webhook_json": template,
        "enable_security": 1,
        "webhook_secret": secret,
    }
    site_asks(connected.site, "POST", "/api/resource/Webhook", webhook)
    name = connected.customer()
    until(lambda: (name, "") in connected.heard())
    other = f"another {uuid4().hex}"
    assert connected.api.post(f"{connected.at}/rotate").status == 422
    assert connected.api.post(f"{connected.at}/rotate", {"secret": other}).status == 200
    between = connected.customer()
    until(lambda: (between, "") in connected.heard())
    connected.change("By hand", webhook_secret=other)
    after = connected.customer()
    until(lambda: (after, "") in connected.heard())
    assert connected.api.post(f"{connected.at}/mend").status == 409
    site_asks(connected.site, "DELETE", "/api/resource/Webhook/By hand")


def test_the_clock_asks_the_sites_too(connected: Connected) -> None:
    connected.set_up(doctypes=["Customer"])
    connected.change(connected.webhooks()[0]["name"], enabled=0)
    connected.hub.run(monitor.check_all(connected.hub.hub))
    assert connected.api.get(connected.at).json["state"] == "trouble"


def test_the_secret_is_nowhere_to_be_read(
    connected: Connected, make_secret_known: Callable[[UUID], str], caplog: Any
) -> None:
    told = json.dumps(connected.set_up(doctypes=["Customer"]))
    secret = make_secret_known(connected.id)
    told += json.dumps(connected.do("check")) + json.dumps(connected.do("rotate"))
    newer = make_secret_known(connected.id)
    assert newer != secret
    told += json.dumps(connected.api.get(connected.at).json)
    told += json.dumps(connected.api.get(f"{connected.at}/deliveries").json) + caplog.text
    for one in (secret, newer):
        assert one not in told
