"""One hub, and a connector to a site of version 16, for all tests of this folder."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from bascule.sandbox.upgrade import upgraded
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.site import Erp

MIRRORED = ("Item", "Bin", "Supplier", "Customer", "Address", "Contact", "Sales Order")


@pytest.fixture(scope="module")
def site_of_16(erpnext_snapshot: Any) -> Iterator[Any]:
    """The demo company after the upgrade, without most of what happened there."""
    documents = {
        name: found[-40:] if len(found) > 300 else found
        for name, found in erpnext_snapshot.documents.items()
    }
    users = dict(erpnext_snapshot.users)
    users["hub"] = {**users["hub"], "roles": [*users["hub"]["roles"], "Sales User"]}
    small = upgraded(replace(erpnext_snapshot, documents=documents, users=users))
    with SandboxThread(small, webhook_patience=0.05) as site:
        yield site


running_hub = hub_fixture("module")


@pytest.fixture(scope="module")
def api(running_hub: RunningHub) -> Api:
    return running_hub.api


@pytest.fixture(scope="module")
def erp(site_of_16: Any) -> Erp:
    return Erp(site_of_16)


@pytest.fixture(scope="module")
def at(api: Api, site_of_16: Any) -> str:
    """The path of the connector, whose streams are pulled by hand."""
    return f"/api/connectors/{connect(api, site_of_16, name='Sixteen')['slug']}"
