"""A hub with a site that was pulled, then without a worker: what is started in it stays queued."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
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
                slug, runs = _pulled(Api(pulling.url, pulling.token), site)
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
