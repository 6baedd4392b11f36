"""Each page that there is: no violation of axe, nothing to scroll sideways, and not too heavy."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from api.conftest import Api, RunningHub
from bascule.rooms import OPEN_PAGES, PAGES

from .conftest import NARROW, WIDE, Visit

HEAVIEST = 300_000  # bytes on the wire, with nothing in the browser's cache
# Where one address stands for many; {connector}, {run} and {person} are filled in below.
EXAMPLES = {
    "/sign-in": ["/sign-in"],
    "/welcome/{token}": [],  # journeys look at it: it works once
    "/connectors/new/{kind}": ["/connectors/new/erpnext"],
    "/connectors/{connector}/streams/{stream}": ["/connectors/{connector}/streams/Item"],
    "/runs/{run}/log.txt": [],
    "/connectors/{connector}/log.txt": [],
    "/people/{person}/{rest:path}": [],  # these two only lead on
    "/settings/{rest:path}": [],
    "/data/{connector}/{relation}": [
        "/data/{connector}/inventory?needs_reorder=true",
        "/data/{connector}/sales_orders?sort=-total_amount",
        "/data/{connector}/customers?search=zz-nobody",
        "/data/{connector}/item",
        "/data/{connector}/inventory?colour=red",
    ],
    "/data/{connector}/{doctype}/{name:path}": ["/data/{connector}/item/CRT-001"],
    "/data": ["/data", "/nowhere"],
}


def addresses(**values: Any) -> list[str]:
    routes = [route for router in (*OPEN_PAGES, *PAGES) for route in router.routes]
    paths = dict.fromkeys(r.path for r in routes if "GET" in r.methods)  # type: ignore[attr-defined]
    return [one.format(**values) for path in paths for one in EXAMPLES.get(path, [path])]


@pytest.mark.timeout(400)
def test_every_page_is_sound_in_light_and_dark_wide_and_narrow(
    hub: RunningHub, browser: Browser, visit: Callable[..., Visit], connected: str,
    person: Callable[[str], str],
) -> None:  # fmt: skip
    run = Api(hub.url, hub.token).get(f"/api/connectors/{connected}/runs").json["runs"][0]["id"]
    admin = visit()
    admin.sign_in(person("admin"))
    state = admin.context.storage_state()
    person("viewer")
    wrong: list[str] = []
    heaviest: dict[str, int] = {}
    for address in addresses(connector=connected, run=run, person=1):
        signed_in = {} if address == "/sign-in" else {"storage_state": state}
        context = browser.new_context(  # type: ignore[arg-type]
            viewport=WIDE, reduced_motion="reduce", **signed_in
        )
        page = context.new_page()
        heaviest[address] = weight_of(page, hub.url + address)
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wider > 0:
                wrong.append(f"{address} is {wider} px wider than {size['width']} px")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                found = Axe().run(page).response["violations"]
                wrong += [
                    f"{address}, {size['width']} px, {scheme}: {one['id']} at"
                    f" {[node['target'] for node in one['nodes']][:3]}"
                    for one in found
                ]
        context.close()
    assert wrong == []
    assert {path: size for path, size in heaviest.items() if size > HEAVIEST} == {}


def weight_of(page: Page, url: str) -> int:
    """Bytes of everything that a first look at a page loads."""
    sizes: list[float] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url, wait_until="load")
    assert sizes
    return int(sum(sizes))
