"""Browsers at a hub of this folder's own, and a site to connect."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from uuid import uuid4

import pytest

from bascule.sandbox import SandboxThread
from tests.kit.desk import Desk, Page
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.people import Sit

Connect = Callable[..., str]

running_hub = hub_fixture("session", worker=False, trusted_proxies="127.0.0.1")


@pytest.fixture(scope="session")
def site(running_hub: RunningHub, erpnext_snapshot: Any) -> Iterator[Any]:
    """One for all tests, which only read it."""
    with SandboxThread(erpnext_snapshot) as running:
        running_hub.allow(running.url)
        yield running


@pytest.fixture
def admin(sit: Sit) -> Desk:
    return sit("admin")


def typed(site: Any, user: str = "hub", **values: str) -> dict[str, Any]:
    """The form as a person fills it in; several of one name are lines of one box."""
    somebody = site.users[user]
    return {
        "api_url": site.url,
        "name": f"Acme {uuid4().hex[:8]}",
        "api_key": somebody.api_key,
        "api_secret": somebody.api_secret,
        "streams": "suppliers\ninventory",
        "group": "",
        "lookback_days": "90",
        "proof_days": "7",
        "warehouse_filter": "",
        "schedule": "manual",
        "max_concurrency": "4",
        "ca_bundle": "",
        **values,
    }


@pytest.fixture
def connect(site: Any) -> Connect:
    """Connects the site on the page, and gives the connection's address there."""

    def through(desk: Desk, **values: str) -> str:
        sent = desk.send("/connectors/new/erpnext", **typed(site, **values))
        assert sent.status == 303, sent.text
        return sent.to

    return through


def wrong(page: Page) -> dict[str, str]:
    """What is said by each field that cannot be taken."""
    found = re.findall(r'<div class="wrong" id="error-(\w+)">(.*?)</div>', page.html, re.DOTALL)
    return {name: unescape(re.sub(r"<[^>]*>", "", said)).strip() for name, said in found}


def part(page: Page, id: str) -> str:
    """One element's text, as far as the next element with an id."""
    beginning = page.html.partition(f'id="{id}"')[2]
    assert beginning, f"nothing is called {id}"
    rest = re.split(r' id="(?!doctypes)', beginning)[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", f"<{rest}")).split())
