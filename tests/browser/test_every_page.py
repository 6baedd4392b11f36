"""Each page that there is: no violation of axe, nothing to scroll sideways, not too heavy, nothing
that its own policy forbids it, and a JSON twin that answers. Prints each one's weight and paint.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from bascule.rooms import OPEN_PAGES, PAGES
from tests.browser.conftest import NARROW, PATIENCE, WIDE, Visit
from tests.kit.api import Api
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.outbox.books import Books

# Their address is what is wrong, so what a program would be told is a refusal too.
WITHOUT_TWIN = {"/sign-in", "/nowhere", "/data/{connector}/inventory?colour=red"}
LONG_NAME = "Fahrräder & Zonen van Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"
# Everything that opens in the page, and its first dialog; says whether there is any of it.
OPEN = """(() => {
  const found = document.querySelectorAll("main details");
  found.forEach((each) => { each.open = true; });
  const dialog = document.querySelector("dialog");
  dialog?.showModal();
  return found.length > 0 || dialog !== null;
})()"""
HEAVIEST = 300_000  # bytes on the wire, with nothing in the browser's cache
# Where one address stands for many; {connector}, {run} and {person} are filled in below.
EXAMPLES = {
    "/sign-in": ["/sign-in"],
    "/sign-in/oidc": [],  # this and the next lead on, or to a refusal
    "/sign-in/oidc/callback": [],
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
    "/customers": ["/customers", "/customers?state=conflict", "/customers?search=zz-nobody"],
    "/connectors/{connector}/two-way/{records}": [
        "/connectors/{connector}/two-way/customers",
        "/connectors/{connector}/two-way/suppliers",
    ],
    "/suppliers/{number}": [],  # as a customer
    "/suppliers/{number}/edit": [],
}


def addresses(**values: Any) -> list[str]:
    routes = [route for router in (*OPEN_PAGES, *PAGES) for route in router.routes]
    paths = dict.fromkeys(r.path for r in routes if "GET" in r.methods)  # type: ignore[attr-defined]
    return [one.format(**values) for path in paths for one in EXAMPLES.get(path, [path])]


def test_every_page_is_sound_in_light_and_dark_wide_and_narrow(
    hub: RunningHub, browser: Browser, visit: Callable[..., Visit], connected: str, site: Any,
    person: Callable[[str], str],
) -> None:  # fmt: skip
    api = Api(hub.url, hub.token)
    run = api.get(f"/api/connectors/{connected}/runs").json["runs"][0]["id"]
    assert api.patch(f"/api/connectors/{connected}", {"name": LONG_NAME}).status == 200
    admin = visit()
    admin.sign_in(person("admin"))
    state = admin.context.storage_state()
    person("viewer")
    number = two_way(Api(hub.url, hub.token), connected, Erp(site))
    books = Books(hub, Erp(site), connected, "Pages")
    [write] = books.settled(books.put(books.supplier("Vis", "No such group")))
    wrong: list[str] = []
    heaviest: dict[str, int] = {}
    there = {"connector": connected, "run": run, "person": 1, "number": number, "write": write.id}
    for address in addresses(**there):
        signed_in: dict[str, Any] = {} if address == "/sign-in" else {"storage_state": state}
        context = browser.new_context(viewport=WIDE, reduced_motion="reduce", **signed_in)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", partial(heard, address, wrong))
        heaviest[address] = weight_of(page, hub.url + address)
        print(f"{address}: {heaviest[address] / 1000:.0f} kB, {painted(page):.0f} ms when warm")
        if address not in {one.format(connector=connected) for one in WITHOUT_TWIN}:
            wrong += without_twin(page, address, hub.url)
        for size in (WIDE, NARROW):
            for scheme in ("light", "dark"):
                wrong += unsound(page, address, size, scheme)
        if page.evaluate(OPEN):
            wrong += unsound(page, f"{address}, opened", NARROW, "light")
            wrong += unsound(page, f"{address}, opened", WIDE, "dark")
        context.close()
    assert wrong == []
    assert {path: size for path, size in heaviest.items() if size > HEAVIEST} == {}


def unsound(page: Page, what: str, size: Any, scheme: Any) -> list[str]:
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    where = f"{what}, {size['width']} px, {scheme}"
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"{where}: {wider} px wider than its window"] * (wider > 0) + [
        f"{where}: {one['id']} at {[node['target'] for node in one['nodes']][:3]}"
        for one in Axe().run(page).response["violations"]
    ]


def two_way(api: Api, connector: str, erp: Erp) -> int:
    """Customers kept the same, with one that waits for a decision and one that ERPNext refuses;
    suppliers that are paired and not confirmed. Gives the first.
    """
    for records in ("customers", "suppliers"):
        at = f"/api/connectors/{connector}/two-way/{records}"
        assert api.post(f"{at}/begin", {"own_field": False}).status == 200
        until(lambda at=at: api.get(f"{at}/matches").json["ready"])
    assert api.post(f"/api/connectors/{connector}/two-way/customers/confirm").status == 200
    values = {"name": "Two Minds", "customerGroup": "Bike Shops", "territory": "Netherlands"}
    number = int(api.post("/api/customers", values).json["id"])
    refused = api.post("/api/customers", {**values, "name": "Nowhere", "territory": "Atlantis"})
    customer = f"/api/customers/{number}"
    until(lambda: api.get(customer).json["sync"]["state"] == "in_sync")
    erp.change("Customer", "Two Minds", website="https://theirs.example.com", tax_id="1")
    changes = {"website": "https://ours.example.com", "taxNumber": "2"}
    assert api.ask("PUT", customer, changes).status == 200
    until(lambda: api.get(customer).json["sync"]["state"] == "conflict")
    waiting = f"/api/customers/{refused.json['id']}"
    until(lambda: api.get(waiting).json["sync"]["state"] == "attention")
    return number


def heard(address: str, wrong: list[str], message: Any) -> None:
    if message.type == "error" and "Failed to load resource" not in message.text:
        wrong.append(f"{address}: {message.text}")


def without_twin(page: Page, address: str, url: str) -> list[str]:
    """What is wrong with the JSON twins that this page names in its head."""
    links = page.locator("head link[rel=alternate][type='application/json']")
    hrefs = [str(link.get_attribute("href")) for link in links.all()]
    answers = [(href, page.request.get(url + href)) for href in hrefs]
    return [
        f"{address}: its twin {href} answers {answer.status}"
        for href, answer in answers
        if not (answer.ok and answer.headers["content-type"] == "application/json")
    ] or ([] if hrefs else [f"{address} names no twin"])


def painted(page: Page) -> float:
    """Milliseconds from asking to the first paint, with what is static in the browser's cache."""
    page.reload()
    return float(
        page.evaluate(
            "new Promise(done => new PerformanceObserver(list => list.getEntries().filter("
            "e => e.name === 'first-contentful-paint').forEach(e => done(e.startTime)))"
            ".observe({type: 'paint', buffered: true}))"
        )
    )


def weight_of(page: Page, url: str) -> int:
    """Bytes of everything that a first look at a page loads."""
    sizes: list[float] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url, wait_until="load")
    assert sizes
    return int(sum(sizes))
