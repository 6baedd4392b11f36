"""A hub with a worker over HTTP, a sandbox of its own, and two-way sync between them."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from api.conftest import Api, RunningHub
from bascule.sandbox import SandboxThread
from databases import FreshSettings

from .both_sides import There, Workers

PATIENCE = 60  # seconds until something that comes by itself has come


@pytest.fixture
def site(erpnext_snapshot: Any) -> Iterator[Any]:
    """A site for one test, so that it may be broken."""
    with SandboxThread(erpnext_snapshot) as running:
        yield running


@pytest.fixture
def running_hub(
    fresh_settings: FreshSettings,
) -> Iterator[RunningHub]:
    with fresh_settings() as settings, RunningHub(settings) as running:
        yield running


@pytest.fixture
def api(running_hub: RunningHub) -> Api:
    return Api(running_hub.url, running_hub.token)


class Erp:
    """Somebody who works in ERPNext itself: its Administrator."""

    def __init__(self, site: Any) -> None:
        self.site = site
        import requests

        self.http = requests.Session()
        who = site.users["admin"]
        self.http.headers["Authorization"] = f"token {who.api_key}:{who.api_secret}"

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self.http.request(method, self.site.url + path, json=body, params=query)
        assert answer.status_code < 300, (answer.status_code, answer.text[:500])
        told = answer.json()
        return told.get("data", told.get("message"))

    def read(self, doctype: str, name: str) -> Any:
        return self.ask("GET", f"/api/resource/{doctype}/{quote(name, safe='')}")

    def list(self, doctype: str, filters: Any = (), fields: Any = ("name",)) -> Any:
        body = {"doctype": doctype, "filters": filters, "fields": fields, "limit_page_length": 0}
        return self.ask("POST", "/api/method/frappe.client.get_list", body)

    def change(self, doctype: str, name: str, **values: Any) -> Any:
        return self.ask("PUT", f"/api/resource/{doctype}/{quote(name, safe='')}", values)

    def create(self, doctype: str, **values: Any) -> Any:
        return self.ask("POST", f"/api/resource/{doctype}", values)

    def delete(self, doctype: str, name: str) -> Any:
        return self.ask("DELETE", f"/api/resource/{doctype}/{quote(name, safe='')}")

    def rename(self, doctype: str, old: str, new: str, merge: bool = False) -> Any:
        body = {"doctype": doctype, "old_name": old, "new_name": new, "merge": int(merge)}
        return self.ask("POST", "/api/method/frappe.client.rename_doc", body)


@pytest.fixture
def erp(site: Any) -> Erp:
    return Erp(site)


@pytest.fixture
def connected(api: Api, site: Any) -> str:
    """The slug of a connector to the site."""
    made = api.post(
        "/api/connectors/erpnext/setup",
        {
            "name": "The Shop",
            "api_url": site.url,
            "api_key": site.api_key,
            "api_secret": site.api_secret,
            "schedule": "manual",
            "streams": [],
            "start_sync": False,
        },
    )
    assert made.status == 201, made.body
    return str(made.json["slug"])


def until(what: Callable[[], Any], why: str = "") -> Any:
    """Waits for something to be true, and gives it."""
    give_up = time.monotonic() + PATIENCE
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < give_up, why or "it did not come"
        time.sleep(0.05)


def sync_now(api: Api) -> None:
    """What changed in ERPNext is here when this is over."""
    told = api.post("/api/customers/sync/enhanced?wait=30&whole=false").json
    assert told["finished"] and not told["errors"], told


@pytest.fixture
def turn_on(api: Api, connected: str) -> Callable[..., str]:
    """Two-way sync of a record type, with the pairs that are proposed; the connector's slug."""

    def turn_on(records: str = "customers", own_field: bool = True, **settings: Any) -> str:
        at = f"/api/connectors/{connected}/two-way/{records}"
        if settings:
            assert api.patch(at, settings).status == 200
        begun = api.post(f"{at}/begin", {"own_field": own_field})
        assert begun.status == 200, begun.body
        until(lambda: api.get(f"{at}/matches").json["ready"], "the preview was not made")
        confirmed = api.post(f"{at}/confirm")
        assert confirmed.status == 200, confirmed.body
        until(lambda: api.get(at).json["last_poll_at"], "the first look did not end")
        return connected

    return turn_on


@pytest.fixture
def synced(api: Api) -> Callable[..., Any]:
    """A record once nothing of it is on its way any more."""

    def synced(number: int, records: str = "customers", state: str = "in_sync") -> Any:
        def settled() -> Any:
            record = api.get(f"/api/{records}/{number}").json
            return record if record["sync"]["state"] not in ("sending",) else None

        record = until(settled)
        assert record["sync"]["state"] == state, record["sync"]
        return record

    return synced


@pytest.fixture
def shop(
    fresh_settings: FreshSettings, erpnext_snapshot: Any
) -> Iterator[Callable[..., tuple[Api, There, Workers]]]:
    """A hub whose workers are processes of their own, with two-way sync of customers on."""
    thread = SandboxThread(erpnext_snapshot)
    with (
        fresh_settings(secret_key="a key for tests") as config,
        thread as site,
        RunningHub(config, worker=False) as running,
    ):
        opened: list[Workers] = []

        def open_it(own_field: bool, **more: str) -> tuple[Api, There, Workers]:
            workers = Workers(config, **more)
            opened.append(workers)
            workers.start()
            api = Api(running.url, running.token)
            way_in = {"api_url": site.url, "api_key": site.api_key}
            way_in |= {"api_secret": site.api_secret, "name": "The Shop"}
            more_said = {"schedule": "manual", "streams": [], "start_sync": False}
            made = api.post("/api/connectors/erpnext/setup", {**way_in, **more_said})
            at = f"/api/connectors/{made.json['slug']}/two-way/customers"
            defaults = {"customerGroup": "Consumers", "country": "Netherlands"}
            assert api.patch(at, {"defaults": defaults}).status == 200
            assert api.post(f"{at}/begin", {"own_field": own_field}).status == 200
            until(lambda: api.get(f"{at}/matches").json["ready"])
            assert api.post(f"{at}/confirm").status == 200
            until(lambda: api.get(at).json["last_poll_at"])
            return api, There(thread, site), workers

        yield open_it
        for workers in opened:
            workers.close()
