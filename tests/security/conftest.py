"""What attacks are tried on: a mirror of a site, over a real PostgreSQL, see `mirrors`; people of
every role at a hub, see `accounts`.
"""

from collections.abc import Iterator

import pytest

from tests.accounts.company import Company, hub_of
from tests.accounts.conftest import admin
from tests.accounts.provider import StandIn
from tests.kit.database import FreshSettings
from tests.kit.hub import hub_fixture
from tests.kit.mirrored import mirrored

__all__ = ["admin", "mirrored"]

running_hub = hub_fixture("session", worker=False, trusted_proxies="127.0.0.1")


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandIn]:
    with StandIn() as provider:
        yield provider


@pytest.fixture(scope="session")
def acme_hub(fresh_settings: FreshSettings, stand_in: StandIn) -> Iterator[Company]:
    with hub_of(fresh_settings, stand_in) as company:
        yield company


@pytest.fixture
def acme(acme_hub: Company) -> Iterator[Company]:
    """A hub with a provider that tells the truth as long as the test does not say otherwise."""
    acme_hub.provider.anew()
    acme_hub.forget_keys()
    yield acme_hub
    acme_hub.provider.anew()
