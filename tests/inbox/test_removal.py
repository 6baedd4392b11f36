"""A connection that is deleted takes from its site what the hub made there, now or later."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from bascule.jobs.registry import PERIODIC
from bascule.sandbox import SandboxThread
from tests.inbox.conftest import site_asks
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.hub import RunningHub
from tests.kit.two_way import turn_on
from tests.kit.waiting import until

FIELD = "Customer-bascule_id"


@dataclass
class Shop:
    """A connection with webhooks, and its site."""

    hub: RunningHub
    api: Api
    site: Any
    slug: str

    @property
    def at(self) -> str:
        return f"/api/connectors/{self.slug}"

    def webhooks(self) -> list[str]:
        rows = site_asks(self.site, "GET", "/api/resource/Webhook?limit_page_length=0")["data"]
        return sorted(row["name"] for row in rows)

    def own_fields(self) -> list[str]:
        found = site_asks(self.site, "GET", "/api/resource/Custom Field?limit_page_length=0")
        return [row["name"] for row in found["data"] if "bascule" in row["name"]]

    def two_way(self) -> None:
        turn_on(self.api, self.slug)

    def cleanup(self, number: int) -> Any:
        """As the list has it; None once it is done."""
        found = self.api.get("/api/cleanups").json["cleanups"]
        return next((one for one in found if one["id"] == number), None)

    def need(self, slug: str) -> Any:
        needs = self.api.get("/api/needs").json["needs"]
        return next((one for one in needs if one["name"] == f"{slug}, deleted"), None)

    def sql(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        return self.hub.sql(statement, values)


@pytest.fixture(scope="module")
def the_site(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot, webhook_patience=0.05) as site:
        yield site


@pytest.fixture
def shop(running_hub: RunningHub, api: Api, the_site: Any) -> Iterator[Callable[[], Shop]]:
    made: list[Shop] = []

    def shop() -> Shop:
        slug = f"shop_{uuid4().hex[:8]}"
        connect(api, the_site, name=slug, slug=slug)
        one = Shop(running_hub, api, the_site, slug)
        told = api.ask("PUT", f"{one.at}/webhooks", {"doctypes": ["Customer"]})
        assert told.status == 200, told.body
        made.append(one)
        return one

    yield shop
    the_site.faults.clear()
    for one in made:
        assert api.delete(one.at).status in (200, 404)


def ours(before: list[str], after: list[str]) -> list[str]:
    return sorted(set(after) - set(before))


def test_what_the_hub_made_on_a_site_is_told_and_goes_with_the_connection(
    shop: Callable[[], Shop],
) -> None:
    other = shop()  # to the same site, and untouched by it
    theirs = other.webhooks()
    one = shop()
    one.two_way()
    assert one.own_fields() == [FIELD]
    # The webhooks of Customer, and those that two-way sync added.
    told = one.api.get(f"{one.at}/deletion").json
    assert [each["what"] for each in told["on_site"]] == [
        "10 webhooks",
        "the unique field bascule_id of Customer",
    ]
    assert "customers stay here, and are kept in the hub alone" in told["becomes"][0]
    made = ours(theirs, one.webhooks())
    gone = one.api.delete(one.at).json
    assert sorted(gone["removed"]) == sorted([*made, FIELD])
    assert (gone["left"], gone["cleanup"]) == ([], None)
    assert one.webhooks() == theirs
    assert one.own_fields() == []


def test_the_field_stays_while_another_connection_knows_its_documents_by_it(
    shop: Callable[[], Shop],
) -> None:
    one, other = shop(), shop()
    one.two_way()
    other.two_way()
    told = one.api.get(f"{one.at}/deletion").json["on_site"]
    assert [each["kind"] for each in told] == ["webhooks"]
    one.api.delete(one.at)
    assert other.own_fields() == [FIELD]
    # Nor does a later try take it, though it was the last one's when that was deleted.
    other.site.faults.add("maintenance")
    cleanup = other.api.delete(other.at).json["cleanup"]
    assert len(cleanup["remains"]) == 2
    other.site.faults.clear()
    third = shop()
    third.two_way()
    tried = third.api.post(f"/api/cleanups/{cleanup['id']}/retry").json
    assert tried["cleanup"] is None
    assert "another connection uses" in tried["left"][0]
    assert third.own_fields() == [FIELD]


def test_a_field_with_values_of_another_hub_stays(shop: Callable[[], Shop]) -> None:
    one = shop()
    one.two_way()
    values = {"customer_name": f"Theirs {uuid4().hex[:6]}", "bascule_id": uuid4().hex}
    made = site_asks(one.site, "POST", "/api/resource/Customer", values)["data"]["name"]
    gone = one.api.delete(one.at).json
    assert "values of another hub" in gone["left"][0]
    assert one.own_fields() == [FIELD]
    site_asks(one.site, "DELETE", f"/api/resource/Customer/{made}")
    site_asks(one.site, "DELETE", f"/api/resource/Custom Field/{FIELD}")


def test_a_site_that_does_not_answer_is_tried_again_until_it_does(
    shop: Callable[[], Shop],
) -> None:
    one = shop()
    before = one.webhooks()
    one.site.faults.add("maintenance")
    gone = one.api.delete(one.at).json
    assert gone["removed"] == []
    assert gone["cleanup"]["remains"] == ["4 webhooks"]
    assert gone["cleanup"]["error"]
    number = gone["cleanup"]["id"]
    need = one.need(one.slug)
    assert need["kind"] == "waiting"
    assert need["command"] == f"bascule cleanups retry {number}"
    failed = one.api.post(f"/api/cleanups/{number}/retry")
    assert failed.status == 200
    assert failed.json["cleanup"]["attempts"] == 2
    one.site.faults.clear()
    assert one.webhooks() == before
    one.sql("UPDATE bascule.site_cleanups SET next_try_at = now() WHERE id = %s", [number])
    one.hub.run(PERIODIC["connections.clean_sites_up"].run(one.hub.hub))
    until(lambda: one.cleanup(number) is None)
    assert len(before) - len(one.webhooks()) == 4
    assert one.need(one.slug) is None


def test_it_has_an_end_and_its_credentials_with_it_and_can_be_given_up(
    shop: Callable[[], Shop],
) -> None:
    one = shop()
    one.site.faults.add("maintenance")
    number = one.api.delete(one.at).json["cleanup"]["id"]
    one.sql(
        "UPDATE bascule.site_cleanups SET next_try_at = now(), until = now() WHERE id = %s",
        [number],
    )
    one.hub.run(PERIODIC["connections.clean_sites_up"].run(one.hub.hub))
    until(lambda: one.cleanup(number)["next_try_at"] is None)
    secrets = "SELECT api_key_encrypted, api_secret_encrypted FROM bascule.site_cleanups"
    assert one.sql(f"{secrets} WHERE id = %s", [number]) == [(None, None)]
    assert one.need(one.slug)["kind"] == "failed"
    one.site.faults.clear()
    assert one.api.post(f"/api/cleanups/{number}/retry").status == 409
    assert one.api.delete(f"/api/cleanups/{number}").json["remains"] == ["4 webhooks"]
    assert one.api.delete(f"/api/cleanups/{number}").status == 404
    assert one.need(one.slug) is None


def test_webhooks_that_lead_here_and_belong_to_nobody_are_found_and_removed(
    shop: Callable[[], Shop], api: Api
) -> None:
    other = shop()
    # What the tests before this one have left, if anything.
    assert api.delete(f"{other.at}/webhooks/orphans").status == 200
    theirs = other.webhooks()
    elsewhere = {
        "name": f"Elsewhere {uuid4().hex[:6]}",
        "webhook_doctype": "Customer",
        "webhook_docevent": "on_update",
        "request_url": "https://another-hub.test/api/webhooks/erpnext/customers?connection=abc",
    }
    made = site_asks(other.site, "POST", "/api/resource/Webhook", elsewhere)["data"]["name"]
    one = shop()
    orphaned = ours([*theirs, made], one.webhooks())
    gone = api.delete(one.at, keep_on_site="true").json
    assert gone["left"] == ["4 webhooks"]
    assert (gone["removed"], gone["cleanup"]) == ([], None)
    found = api.post(f"{other.at}/webhooks/orphans").json["orphans"]
    assert sorted(each["name"] for each in found) == orphaned
    checked = api.post(f"{other.at}/webhooks/check").json
    assert [each["mend"] for each in checked["troubles"]] == ["clear"]
    assert api.delete(f"{other.at}/webhooks/orphans").json["removed"] == [
        each["name"] for each in found
    ]
    assert other.webhooks() == sorted([*theirs, made])
    assert api.get(f"{other.at}/webhooks").json["troubles"] == []
    site_asks(other.site, "DELETE", f"/api/resource/Webhook/{made}")
