"""A hub with a worker and a site for the tests of a module, and a connector between them."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.site import Erp, site_fixture
from tests.outbox.books import Books

running_hub = hub_fixture("module", settle_seconds=2)
site = site_fixture("module")


@pytest.fixture(scope="module")
def connected(running_hub: RunningHub, site: Any) -> str:
    """The connector's slug."""
    made = running_hub.api.post(
        "/api/connectors/erpnext/setup",
        {
            "name": "The Books",
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


@pytest.fixture
def books(running_hub: RunningHub, site: Any, erp: Erp, connected: str) -> Iterator[Books]:
    yield Books(running_hub, erp, connected, uuid4().hex[:8])
    site.faults.clear()
    running_hub.sql("UPDATE bascule.outbox_writes SET state = 'given_up' WHERE state <> 'written'")
    running_hub.sql("DELETE FROM bascule.circuits")
