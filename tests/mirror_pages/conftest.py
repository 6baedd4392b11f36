"""Browsers at a hub that has mirrored the demo company once for all tests of this folder."""

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import psycopg
import pytest

from account_pages.conftest import Desk, Page, sit  # noqa: F401
from accounts.conftest import _quick_passwords, browse, make_person, sql  # noqa: F401
from accounts.visitors import Somebody
from api.conftest import Api, RunningHub
from bascule.sandbox import SandboxThread
from databases import FreshSettings

STREAMS = ["inventory", "orders", "customers", "suppliers"]
# ERPNext takes no angle brackets in a name, and everything else.
HOSTILE = """Wheel 26/28" 'A&B' 100%?#50 🚲 {{7*7}}"""
MARKUP = "<script>alert(1)</script>"


@dataclass
class Reader:
    """A desk, and the connection whose data is read there."""

    desk: Desk
    slug: str

    def open(self, path: str = "", **headers: str) -> Page:
        return self.desk.open(f"/data/{self.slug}{path}", **headers)

    def get(self, path: str) -> Any:
        return self.desk.visitor.get(f"/api/connectors/{self.slug}{path}")


def links(page: Page) -> list[str]:
    return [html.unescape(href) for href in re.findall(r'href="([^"]*)"', page.html)]


def link(page: Page, words: str) -> str:
    """Where the link with these words in it leads."""
    for href, inner in re.findall(r'<a[^>]*href="([^"]*)"[^>]*>(.*?)</a>', page.html, re.DOTALL):
        if words in html.unescape(re.sub(r"<[^>]*>", "", inner)):
            return html.unescape(href)
    raise AssertionError(f"no link {words!r} in {page.text}")


def table(page: Page) -> list[list[str]]:
    """The cells of the first table, without its headings."""
    body = page.html.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [
        [
            " ".join(html.unescape(re.sub(r"<[^>]*>", "", cell)).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def twin(page: Page) -> str:
    found = re.search(r'<link rel="alternate" type="application/json" href="([^"]*)">', page.html)
    assert found
    return html.unescape(found[1])


@pytest.fixture(scope="session")
def accounts_hub(
    fresh_settings: FreshSettings,
) -> Iterator[RunningHub]:
    """Where the people of `make_person` are; unlike the one of that name elsewhere, it works."""
    with fresh_settings(trusted_proxies="127.0.0.1") as settings, RunningHub(settings) as running:
        yield running


@pytest.fixture(scope="session")
def site(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        yield running


def ask_site(site: Any, method: str, path: str, body: Any = None) -> None:
    asked = Request(
        f"{site.url}/api/resource/{quote(path)}",
        None if body is None else json.dumps(body).encode(),
        {
            "Authorization": f"token {site.api_key}:{site.api_secret}",
            "Content-Type": "application/json",
        },
        method=method,
    )
    with urlopen(asked) as answer:
        assert answer.status == 200 or answer.status == 202


@pytest.fixture(scope="session")
def slug(accounts_hub: RunningHub, site: Any) -> str:
    """A shared connection with everything here, one item of a hostile name, and one deleted."""
    item = {
        "item_group": "Tools",
        "stock_uom": "Nos",
        "uoms": [{"uom": "Nos", "conversion_factor": 1}],
    }
    ask_site(site, "POST", "Item", {**item, "item_code": HOSTILE, "item_name": "Odd wheel"})
    ask_site(site, "POST", "Item", {**item, "item_code": "Doomed", "item_name": "Gone soon"})
    admin = Api(accounts_hub.url, accounts_hub.token)
    body = {
        "name": "Acme Reading",
        "api_url": site.url,
        "api_key": site.api_key,
        "api_secret": site.api_secret,
        "schedule": "manual",
        "streams": STREAMS,
        "start_sync": False,
    }
    made = admin.post("/api/connectors/erpnext/setup", body)
    assert made.status == 201, made.body
    connector = made.json["slug"]
    for _ in range(2):
        asked = {"connector_id": connector, "wait": 120}
        runs = admin.post("/api/connectors/sync", asked).json["runs"]
        assert {run["outcome"] for run in runs} == {"done"}, runs
        if _ == 0:
            ask_site(site, "DELETE", "Item/Doomed")
    url = accounts_hub.settings.database_url
    assert url is not None
    with psycopg.connect(url.get_secret_value()) as conn:
        statement = f"update {connector}.item set item_name = %s where name = %s"
        conn.execute(statement.encode(), [MARKUP, HOSTILE])
    return str(connector)


@pytest.fixture
def reader(
    slug: str,
    make_person: Callable[..., Somebody],  # noqa: F811
    browse: Callable[..., Any],  # noqa: F811
) -> Reader:
    """A viewer, who may read everything that is shared."""
    somebody = make_person("viewer")
    return Reader(Desk(somebody, browse(somebody)), slug)
