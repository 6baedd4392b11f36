"""A hub with a worker and a site for the tests of a module, and a connector between them."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.kit.connecting import connect
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.site import Erp, site_fixture
from tests.outbox.books import Books

running_hub = hub_fixture("module", settle_seconds=2)
site = site_fixture("module")


@pytest.fixture(scope="module")
def connected(running_hub: RunningHub, site: Any) -> str:
    """The connector's slug."""
    made = connect(running_hub.api, site, name="The Books", streams=[])
    return str(made["slug"])


@pytest.fixture
def books(running_hub: RunningHub, site: Any, erp: Erp, connected: str) -> Iterator[Books]:
    yield Books(running_hub, erp, connected, uuid4().hex[:8])
    site.faults.clear()
    running_hub.sql("UPDATE bascule.outbox_writes SET state = 'given_up' WHERE state <> 'written'")
    running_hub.sql("DELETE FROM bascule.circuits")
