"""A hub with a site that was pulled, then without a worker: what is started in it stays queued."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.two_way import turn_on
from tests.kit.waiting import until
from tests.openapi.stage import Stage


@pytest.fixture(scope="session")
def stage(fresh_settings: FreshSettings, erpnext_snapshot: Any) -> Iterator[Stage]:
    with (
        fresh_settings(trusted_proxies="127.0.0.1") as settings,
        SandboxThread(erpnext_snapshot) as site,
    ):
        with RunningHub(settings) as pulling:
            api = pulling.api
            slug, runs = _pulled(api, site)
            _kept_the_same(api, site, slug)
        with RunningHub(settings, worker=False) as running:
            yield Stage(running, site, slug, runs)


def _pulled(api: Api, site: Any) -> tuple[str, list[int]]:
    made = connect(api, site, name="The Shop", start_sync=True)

    def done() -> list[Any] | None:
        runs = [api.get(f"/api/runs/{number}").json for number in made["run_ids"]]
        return runs if all(run["outcome"] == "done" for run in runs) else None

    until(done, lambda: api.get("/api/runs").json, patience=120)
    return str(made["slug"]), list(made["run_ids"])


def _kept_the_same(api: Api, site: Any, slug: str) -> None:
    """Two-way sync of both record types, and of each a record in every state that asks for a
    person; see `Stage.record`.
    """
    erp = Erp(site)
    for records, doctype in (("customers", "Customer"), ("suppliers", "Supplier")):
        turn_on(api, slug, records)
        group, one = "supplierGroup", "Rubber"
        if records == "customers":
            group, one = "customerGroup", "Consumers"
        _made(api, records, "Wrong", "attention", {group: "There is none"})
        assert api.delete(_made(api, records, "Deleted", "in_sync", {group: one})).status == 200
        path = _made(api, records, "Both", "in_sync", {group: one})
        erp.change(doctype, f"Both {records}", website="https://there.example.com")
        assert api.ask("PUT", path, {"website": "https://here.example.com"}).status == 200
        _until(api, path, lambda told: told["sync"]["state"] == "conflict")


def _made(api: Api, records: str, name: str, state: str, values: dict[str, str]) -> str:
    made = api.post(f"/api/{records}", {"name": f"{name} {records}", **values})
    assert made.status == 201, made.body
    path = f"/api/{records}/{made.json['id']}"
    _until(api, path, lambda told: told["sync"]["state"] == state)
    return path


def _until(api: Api, path: str, true: Callable[[Any], Any]) -> None:
    until(lambda: true(api.get(path).json), lambda: (path, api.get(path).json))
