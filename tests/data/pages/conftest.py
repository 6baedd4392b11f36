"""Browsers at a hub that has mirrored the demo company once for all tests of this folder."""

import html
import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.kit.api import Headers
from tests.kit.connecting import connect
from tests.kit.desk import Desk, Page
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.people import Sit
from tests.kit.site import Erp, site_fixture

STREAMS = ["inventory", "orders", "customers", "suppliers"]
# ERPNext takes no angle brackets in a name, and everything else.
HOSTILE = """Wheel 26/28" 'A&B' 100%?#50 🚲 {{7*7}}"""
MARKUP = "<script>alert(1)</script>"


@dataclass
class Reader:
    """A desk, and the connection whose data is read there."""

    desk: Desk
    slug: str

    def open(self, path: str = "", headers: Headers | None = None) -> Page:
        return self.desk.open(f"/data/{self.slug}{path}", headers)

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


running_hub = hub_fixture("session", trusted_proxies="127.0.0.1")
site = site_fixture("session")


@pytest.fixture(scope="session")
def slug(running_hub: RunningHub, site: Any) -> str:
    """A shared connection with everything here, one item of a hostile name, and one deleted."""
    item = {
        "item_group": "Tools",
        "stock_uom": "Nos",
        "uoms": [{"uom": "Nos", "conversion_factor": 1}],
    }
    user = Erp(site, "hub")
    user.create("Item", **item, item_code=HOSTILE, item_name="Odd wheel")
    user.create("Item", **item, item_code="Doomed", item_name="Gone soon")
    admin = running_hub.api
    connector = connect(admin, site, name="Acme Reading", streams=STREAMS)["slug"]
    for _ in range(2):
        asked = {"connector_id": connector, "wait": 120}
        runs = admin.post("/api/connectors/sync", asked).json["runs"]
        assert {run["outcome"] for run in runs} == {"done"}, runs
        if _ == 0:
            user.delete("Item", "Doomed")
    running_hub.sql(
        f"update {connector}.item set item_name = %s where name = %s", [MARKUP, HOSTILE]
    )
    return str(connector)


@pytest.fixture
def reader(slug: str, sit: Sit) -> Reader:
    """A viewer, who may read everything that is shared."""
    return Reader(sit("viewer"), slug)
