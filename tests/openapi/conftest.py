"""A hub with a site that was pulled, then without a worker: what is started in it stays queued."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
import requests
from psycopg.conninfo import conninfo_to_dict

from accounts.conftest import _quick_passwords  # noqa: F401
from api.conftest import Api, RunningHub, address
from bascule.sandbox import SandboxThread
from bascule.settings import Settings

from .stage import Stage


@pytest.fixture(scope="session")
def stage(
    postgres: str, template: str, erpnext_snapshot: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    name = f"openapi_{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        url = address({**conninfo_to_dict(postgres), "dbname": name})
        folder = tmp_path_factory.mktemp("hub")
        settings = Settings.model_validate(
            {"data_dir": folder, "database_url": url, "trusted_proxies": "127.0.0.1"}
        )
        with SandboxThread(erpnext_snapshot) as site:
            with RunningHub(settings) as pulling:
                api = Api(pulling.url, pulling.token)
                slug, runs = _pulled(api, site)
                _kept_the_same(api, site, slug)
            with RunningHub(settings, worker=False) as running:
                yield Stage(running, site, slug, runs)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _pulled(api: Api, site: Any) -> tuple[str, list[int]]:
    made = api.post(
        "/api/connectors/erpnext/setup",
        {
            "name": "The Shop",
            "api_url": site.url,
            "api_key": site.api_key,
            "api_secret": site.api_secret,
            "schedule": "manual",
        },
    ).json
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        runs = [api.get(f"/api/runs/{number}").json for number in made["run_ids"]]
        if all(run["outcome"] == "done" for run in runs):
            return str(made["slug"]), list(made["run_ids"])
        time.sleep(0.2)
    raise AssertionError(f"these runs did not end well: {runs}")


def _kept_the_same(api: Api, site: Any, slug: str) -> None:
    """Two-way sync of both record types, and of each a record in every state that asks for a
    person; see `Stage.record`.
    """
    administrator = {"Authorization": f"token {site.api_key}:{site.api_secret}"}
    for records, doctype in (("customers", "Customer"), ("suppliers", "Supplier")):
        at = f"/api/connectors/{slug}/two-way/{records}"
        assert api.post(f"{at}/begin", {}).status == 200
        _until(api, f"{at}/matches", lambda told: told["ready"])
        assert api.post(f"{at}/confirm").status == 200
        _until(api, at, lambda told: told["last_poll_at"])
        group, one = "supplierGroup", "Rubber"
        if records == "customers":
            group, one = "customerGroup", "Consumers"
        _made(api, records, "Wrong", "attention", {group: "There is none"})
        assert api.delete(_made(api, records, "Deleted", "in_sync", {group: one})).status == 200
        path = _made(api, records, "Both", "in_sync", {group: one})
        there = f"{site.url}/api/resource/{doctype}/{quote(f'Both {records}')}"
        changed = {"website": "https://there.example.com"}
        assert requests.put(there, json=changed, headers=administrator, timeout=60).ok
        assert api.ask("PUT", path, {"website": "https://here.example.com"}).status == 200
        _until(api, path, lambda told: told["sync"]["state"] == "conflict")


def _made(api: Api, records: str, name: str, state: str, values: dict[str, str]) -> str:
    made = api.post(f"/api/{records}", {"name": f"{name} {records}", **values})
    assert made.status == 201, made.body
    path = f"/api/{records}/{made.json['id']}"
    _until(api, path, lambda told: told["sync"]["state"] == state)
    return path


def _until(api: Api, path: str, true: Callable[[Any], Any]) -> None:
    give_up = time.monotonic() + 60
    while not true(told := api.get(path).json):
        assert time.monotonic() < give_up, (path, told.get("sync", told))
        time.sleep(0.05)
