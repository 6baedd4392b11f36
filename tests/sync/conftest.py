"""A hub with a worker over HTTP, a sandbox of its own, and two-way sync between them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from tests.kit import two_way
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.waiting import until
from tests.sync.both_sides import There, Workers


@pytest.fixture
def connected(api: Api, site: Any) -> str:
    """The slug of a connector to the site."""
    return str(connect(api, site, name="The Shop", streams=[])["slug"])


def sync_now(api: Api) -> None:
    """What changed in ERPNext is here when this is over."""
    told = api.post("/api/customers/sync/enhanced?wait=30&whole=false").json
    assert told["finished"] and not told["errors"], told


@pytest.fixture
def turn_on(api: Api, connected: str) -> Callable[..., str]:
    """Two-way sync of a record type, with the pairs that are proposed; the connector's slug."""

    def turn_on(records: str = "customers", own_field: bool = True, **settings: Any) -> str:
        two_way.turn_on(api, connected, records, own_field=own_field, **settings)
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
    fresh_settings: FreshSettings, erpnext_snapshot: Any, kills: None
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
            slug = connect(api, site, name="The Shop", streams=[])["slug"]
            defaults = {"customerGroup": "Consumers", "country": "Netherlands"}
            two_way.turn_on(api, slug, own_field=own_field, defaults=defaults)
            return api, There(thread, site), workers

        yield open_it
        for workers in opened:
            workers.close()
