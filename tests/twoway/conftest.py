"""A hub with a worker over HTTP, a sandbox of its own, and two-way sync between them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from tests.kit.api import Api
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.waiting import until
from tests.twoway.both_sides import There, Workers


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
