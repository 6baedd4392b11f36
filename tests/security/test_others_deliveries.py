"""Who has a webhook's secret of their own sends what keeps another connection's from being kept."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest

from bascule.inbox.frappe.payload import read
from bascule.inbox.frappe.signatures import SIGNATURE, signature_of
from bascule.inbox.ingest import IncomingDelivery, ingest_buffer
from bascule.inbox.sources import Arrival
from bascule.sandbox import SandboxThread
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub

ATTACKERS, VICTIMS = "the attacker's own secret", "the victim's own secret"
Endpoints = dict[str, tuple[UUID, str]]  # of each secret its connection and token


@pytest.fixture(scope="module")
def hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


@pytest.fixture(scope="module")
def ends(hub: RunningHub, erpnext_snapshot: Any) -> Iterator[Endpoints]:
    """Two connections, with webhooks that were made by hand."""
    admin, made = hub.somebody("admin"), {}
    with SandboxThread(erpnext_snapshot) as site:
        for name, secret in (("Attacker", ATTACKERS), ("Victim", VICTIMS)):
            connection = connect(admin, site, name=name, streams=["Warehouse"])
            order = {"doctypes": ["Customer"], "secret": secret}
            at = f"/api/connectors/{connection['slug']}/webhooks"
            address = admin.ask("PUT", at, order).json["addresses"]["Customer"]
            made[secret] = (UUID(connection["id"]), urlsplit(address).query)
        yield made


def send(hub: RunningHub, ends: Endpoints, secret: str, name: str, what: str = "customers") -> int:
    body = json.dumps({"doctype": "Customer", "name": name, "event": "on_update"}).encode()
    to = urlsplit(hub.url)
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    path = f"/api/webhooks/erpnext/{what}?{ends[secret][1]}"
    asking.request("POST", path, body, {SIGNATURE: signature_of(secret.encode(), body).decode()})
    status = asking.getresponse().status
    asking.close()
    return status


def kept(hub: RunningHub, connection: UUID) -> set[str]:
    assert hub.settings.database_url is not None
    with psycopg.connect(hub.settings.database_url.get_secret_value()) as conn:
        found = conn.execute(
            "SELECT subject FROM bascule.deliveries"
            " WHERE connection_id = %s AND state <> 'unreadable'",
            [connection],
        )
        return {name for (name,) in found.fetchall()}


@pytest.mark.parametrize("what", ["%00", "customers%00", "a%0Ab", "%7F"])
def test_an_address_with_a_nul_among_anothers_deliveries(
    hub: RunningHub, ends: Endpoints, what: str
) -> None:
    names = [f"{what} {number}" for number in range(20)]
    sent = [(VICTIMS, name, "customers") for name in names]
    sent[3:3] = sent[12:12] = [(ATTACKERS, "x", what)] * 3
    with ThreadPoolExecutor(12) as crowd:
        statuses = list(crowd.map(lambda one: send(hub, ends, *one), sent))
    assert statuses == [200 if secret == VICTIMS else 422 for secret, *_ in sent]
    assert kept(hub, ends[VICTIMS][0]) >= set(names)
    assert "x" not in kept(hub, ends[ATTACKERS][0])


@pytest.mark.parametrize("evil", ["\0", "\ud800"])
def test_what_the_database_refuses_in_one_commit_with_anothers(
    hub: RunningHub, ends: Endpoints, evil: str
) -> None:
    """Whatever else comes past the door: it fails alone."""

    def given(secret: str, name: str, what: str) -> IncomingDelivery:
        body = json.dumps({"doctype": "Customer", "name": name}).encode()
        return IncomingDelivery(
            ends[secret][0], "erpnext", Arrival(what, {}, {}, body), read(body, "customers")
        )

    names = [f"{evil!a} {number}" for number in range(40)]
    batch = [given(VICTIMS, name, "customers") for name in names]
    batch[7:7] = batch[30:30] = [given(ATTACKERS, "x", f"what {evil}")]

    async def all_at_once() -> list[Any]:
        keep = ingest_buffer(hub.hub).keep
        return await asyncio.gather(*map(keep, batch), return_exceptions=True)

    results = hub.run(all_at_once())
    failed = [one for one, result in zip(batch, results, strict=True) if result is not True]
    assert [one.connection_id for one in failed] == [ends[ATTACKERS][0]] * 2
    assert all(isinstance(result, psycopg.DataError | ValueError | bool) for result in results)
    assert kept(hub, ends[VICTIMS][0]) >= set(names)
