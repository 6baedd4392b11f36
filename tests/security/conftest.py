"""What attacks are tried on: a mirror of a site, over a real PostgreSQL, see `mirrors`; people of
every role at a hub, see `accounts`.
"""

from collections.abc import Iterator

import pytest

from accounts.company import Company, hub_of
from accounts.conftest import (
    _quick_passwords,
    accounts_hub,
    admin,
    browse,
    make_person,
    make_token,
    sql,
    stranger,
)
from accounts.provider import StandIn
from databases import FreshSettings
from mirrors import mirrored

__all__ = [
    "_quick_passwords",
    "accounts_hub",
    "admin",
    "browse",
    "make_person",
    "make_token",
    "mirrored",
    "sql",
    "stranger",
]


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
