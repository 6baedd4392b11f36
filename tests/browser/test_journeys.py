"""What people do with Bascule, from the first sign-in to mended credentials, in a real browser."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.hub import RunningHub
from tests.kit.visitors import PASSWORD

Start = Callable[..., Visit]


def choose_password(page: Page) -> None:
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Choose it and sign in").click()


def fill_in(page: Page, site: Any, **other: str) -> None:
    page.get_by_label("ERPNext URL").fill(other.get("url", site.url))
    page.get_by_label("Name", exact=True).fill("The Shop")
    page.get_by_label("API key").fill(site.api_key)
    page.get_by_label("API secret").fill(other.get("secret", site.api_secret))


def test_a_first_sign_in_leads_to_a_page_that_says_what_to_do(
    visit: Start, first_link: str
) -> None:
    admin = visit()
    page = admin.page
    page.goto(first_link)
    page.get_by_label("Password", exact=True).fill("admin")
    page.get_by_label("The same again").fill("admin")
    page.get_by_role("button", name="Choose it and sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("it needs 10 characters at least")
    admin.shoot("welcome")
    choose_password(page)
    expect(page.get_by_text("No site is connected yet")).to_be_visible()
    admin.shoot("home-empty")

    page.locator(".menu.person summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(first_link)
    expect(page.get_by_text("link")).not_to_have_count(0)
    expect(page.get_by_label("The same again")).to_have_count(0)
    admin.go("/people")
    page.get_by_label("Username or e-mail address").fill("admin")
    page.get_by_label("Password").fill("not it at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    admin.shoot("sign-in-refused")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="People")).to_be_visible()


def test_a_site_is_connected_and_its_first_sync_watched(
    visit: Start, person: Callable[[str], str], site: Any
) -> None:
    admin = visit()
    admin.sign_in(person("admin"))
    page = admin.go("/connectors")
    page.get_by_label(re.compile("Search")).fill("stock")
    expect(page.get_by_text("Bank feeds")).to_have_count(0)
    admin.shoot("connectors-searched")
    page.get_by_role("link", name=re.compile("ERPNext")).first.click()
    expect(page.get_by_label("ERPNext URL")).to_be_visible()
    page.wait_for_load_state()  # its scripts are there

    fill_in(page, site, url="ftp://nowhere", secret="wrong")
    page.get_by_label("Name", exact=True).focus()
    expect(page.locator("#error-api_url")).to_be_visible()  # told as soon as the field is left
    page.get_by_label("ERPNext URL").fill(site.url)
    page.get_by_label("Name", exact=True).focus()
    expect(page.locator("#error-api_url")).to_have_count(0)
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#verdict")).to_contain_text("did not let the hub in")
    admin.shoot("connect-refused")
    page.get_by_label("API secret").fill(site.api_secret)
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#verdict")).to_contain_text("Signed in")
    expect(page.get_by_role("checkbox", name="Utrecht - DSR")).to_be_visible()
    admin.shoot("connect-tested")

    site.faults.add("latency", seconds=0.3)
    try:
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.get_by_role("progressbar").first).to_be_visible()
        admin.shoot("first-sync")
    finally:
        site.faults.clear()
    page.evaluate("window.notReloaded = true")
    expect(page.get_by_text("Fine").first).to_be_visible()
    expect(page.get_by_text("Pulled")).to_have_count(12)
    assert page.evaluate("window.notReloaded")
    admin.shoot("connection")
    page.get_by_role("link", name=re.compile("^Sync, ")).first.wait_for()
    admin.go("/")
    expect(page.get_by_role("article", name="The Shop")).to_contain_text("Fine")
    admin.shoot("home")


def test_inventory_is_searched_sorted_and_downloaded(
    visit: Start, person: Callable[[str], str], connected: str, tmp_path: Path
) -> None:
    viewer = visit(accept_downloads=True)
    viewer.sign_in(person("viewer"))
    page = viewer.go(f"/data/{connected}/inventory")
    viewer.shoot("inventory")
    page.get_by_role("searchbox").type("dynamo")
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("dynamo")
    expect(page).to_have_url(re.compile("search=dynamo"))
    page.get_by_role("link", name=re.compile("^Price")).click()
    expect(page.locator("th[aria-sort]")).to_have_count(1)
    page.wait_for_load_state()  # its scripts are there
    page.get_by_role("searchbox").fill("")
    expect(page).not_to_have_url(re.compile("search="))
    page.get_by_role("link", name="Needs reorder").click()
    expect(page).to_have_url(re.compile("needs_reorder"))
    expect(rows.first).to_contain_text("Reorder")
    shown = rows.locator("td:first-child, th:first-child").all_inner_texts()
    viewer.shoot("inventory-to-reorder")
    page.get_by_text("Download").click()
    with page.expect_download() as taking:
        page.get_by_role("link", name=re.compile("CSV")).first.click()
    file = tmp_path / "inventory.csv"
    taking.value.save_as(file)
    with file.open(newline="") as lines:
        downloaded = [row["item_code"] for row in csv.DictReader(lines)]
    assert downloaded[: len(shown)] == [name.strip() for name in shown]
    assert downloaded

    page.get_by_role("link", name=shown[0].strip()).click()
    expect(page.get_by_role("heading", name=shown[0].strip())).to_be_visible()
    expect(page.get_by_role("link", name="Open in ERPNext")).to_be_visible()
    viewer.shoot("document")


def test_a_viewer_who_was_invited_looks_and_does_not_sync(
    visit: Start, person: Callable[[str], str], connected: str
) -> None:
    admin = visit()
    admin.sign_in(person("admin"))
    page = admin.go("/people")
    admin.shoot("people")
    page.get_by_role("link", name=re.compile("Invite")).click()
    page.get_by_label("Username").fill("vera")
    admin.shoot("invite")
    page.get_by_role("button", name="Invite and make the link").click()
    link = page.get_by_label("One-time link for vera").input_value()
    admin.shoot("link")

    vera = visit()
    vera.page.goto(link)
    choose_password(vera.page)
    expect(vera.page.get_by_role("article", name="The Shop")).to_be_visible()
    here = vera.go(f"/connectors/{connected}")
    expect(here.get_by_role("heading", name="The Shop")).to_be_visible()
    expect(here.get_by_role("button", name="Sync now")).to_have_count(0)
    csrf = here.locator("input[name=csrf_token]").first.get_attribute("value")
    refused = vera.context.request.post(
        f"{vera.url}/connectors/{connected}/sync",
        form={"csrf_token": csrf or ""},
        headers={"Origin": vera.url},
    )
    assert refused.status == 403
    assert "needs the permission sync.run" in refused.text()
    vera.go("/people")
    expect(here.get_by_text("needs the permission people.manage")).to_be_visible()
    vera.shoot("refused")

    # What an admin takes away is gone at once.
    admin.go("/people")
    page.get_by_role("link", name="vera").click()
    expect(page.get_by_role("button", name="Deactivate").first).to_be_visible()
    page.wait_for_load_state()  # its scripts are there
    page.get_by_role("button", name="Deactivate").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("button", name="Activate", exact=True)).to_be_visible()
    vera.go("/")
    expect(here.get_by_role("heading", name="Sign in")).to_be_visible()


def test_broken_credentials_are_seen_at_home_and_mended_from_there(
    visit: Start, person: Callable[[str], str], connected: str, site: Any
) -> None:
    admin = visit()
    admin.sign_in(person("admin"))
    page = admin.go(f"/connectors/{connected}")
    site.faults.add("revoked")
    try:
        page.get_by_role("button", name="Sync now").click()
        expect(page.get_by_role("link", name="Mend the credentials")).to_be_visible()
        admin.shoot("connection-refused")
        admin.go("/")
        expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
        admin.shoot("home-attention")
        page.get_by_role("link", name="Mend the credentials").click()
    finally:
        site.faults.clear()
    page.get_by_label("API secret").fill(site.api_secret)
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#verdict")).to_contain_text("Signed in")
    admin.shoot("settings-of-connection")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(f"/connectors/{connected}$"))
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("status").first).to_be_visible()
    admin.go("/")
    expect(page.get_by_role("article", name="The Shop")).to_contain_text("Fine")
    expect(page.get_by_role("heading", name="Needs attention")).to_have_count(0)


def test_the_keyboard_alone_is_enough(
    visit: Start, person: Callable[[str], str], connected: str
) -> None:
    admin = visit()
    name = person("admin")
    page = admin.go(f"/sign-in?next=/connectors/{connected}")
    # A browser gives it when it first draws the page: who types before types into nothing.
    expect(page.get_by_label("Username or e-mail address")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The Shop")).to_be_visible()
    page.wait_for_load_state()  # its scripts are there
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    tab_to(page, "Verify")
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Verify", exact=True).first).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "Verify", inside="dialog[open]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_be_visible()
    page.wait_for_load_state()  # its scripts are there
    page.locator(".menu.person summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="My settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="My settings")).not_to_be_visible()


def tab_to(page: Page, name: str, inside: str = "body") -> None:
    """Tabs on until the button of this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = f"document.querySelector({inside!r})?.contains(document.activeElement) &&"
        if page.evaluate(f"{focused} document.activeElement.innerText.trim()") == name:
            return
    raise AssertionError(f"sixty tabs do not lead to {name}")


def test_markup_in_names_is_text_wherever_it_is_shown(
    visit: Start, person: Callable[[str], str], connected: str, site: Any
) -> None:
    evil = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    name = "DYN-001"
    admin = visit()
    admin.sign_in(person("admin"))
    change(site, "Item", name, {"item_name": evil})
    page = admin.go(f"/connectors/{connected}")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("status").first).to_be_visible()
    expect(page.get_by_text("Fine").first).to_be_visible()
    for path in (f"inventory?search={name}", f"item?search={name}", f"item/{name}"):
        admin.go(f"/data/{connected}/{path}")
        expect(page.get_by_text('<img src="x">').first).to_be_visible()  # as the site cleaned it
        assert "run" not in page.title().split()
        assert page.locator("main img, main script").count() == 0


def change(site: Any, doctype: str, name: str, values: dict[str, str]) -> None:
    import json
    import urllib.request

    asked = urllib.request.Request(
        f"{site.url}/api/resource/{doctype}/{name}",
        json.dumps(values).encode(),
        {
            "Authorization": f"token {site.api_key}:{site.api_secret}",
            "Content-Type": "application/json",
        },
        method="PUT",
    )
    urllib.request.urlopen(asked).close()


def test_a_doctype_is_found_as_one_types_and_added(
    visit: Start, person: Callable[[str], str], connected: str
) -> None:
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.go(f"/connectors/{connected}/streams")
    page.get_by_label("Name of the DocType").type("supplier gr")
    offered = page.locator("#found li").filter(has_text="Supplier Group")
    expect(offered).to_be_visible()
    editor.shoot("streams-found")
    offered.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status").first).to_contain_text("Added Supplier Group")
    stream = page.locator("li").filter(has_text="Supplier Group")
    expect(stream.get_by_text("Pulled")).to_be_visible()


def test_what_changes_there_is_seen_here_without_a_reload(
    visit: Start, person: Callable[[str], str], connected: str, site: Any, hub: RunningHub
) -> None:
    editor = visit()
    editor.sign_in(person("editor"))
    listed, document = editor.page, editor.context.new_page()
    editor.go(f"/data/{connected}/item?search=BEL-002")
    document.goto(f"{editor.url}/data/{connected}/item/BEL-002")
    for page in (listed, document):
        page.evaluate("window.notReloaded = true")
    change(site, "Item", "BEL-002", {"item_name": "Bell, renamed meanwhile"})
    Api(hub.url, hub.token).post("/api/connectors/sync", {"connector_id": connected})
    for page in (listed, document):
        expect(page.get_by_text("Bell, renamed meanwhile").first).to_be_visible()
        assert page.evaluate("window.notReloaded")


def test_a_connection_that_is_renamed_is_called_so_where_it_is_open(
    visit: Start, person: Callable[[str], str], connected: str, hub: RunningHub
) -> None:
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.go(f"/connectors/{connected}")
    renamed = Api(hub.url, hub.token).patch(f"/api/connectors/{connected}", {"name": "Renamed"})
    assert renamed.status == 200
    expect(page.get_by_role("heading", name="Renamed", level=1)).to_be_visible()
    assert page.title().startswith("Renamed")


def test_the_first_site_appears_where_somebody_waits_for_its_data(
    visit: Start, person: Callable[[str], str], site: Any, hub: RunningHub
) -> None:
    viewer = visit()
    viewer.sign_in(person("viewer"))
    page = viewer.go("/data")
    expect(page.get_by_text("Nothing to look at yet")).to_be_visible()
    page.evaluate("window.notReloaded = true")
    connect(hub.api, site, name="The Shop", streams=["Warehouse"], start_sync=True)
    expect(page.get_by_role("heading", name="The Shop")).to_be_visible()
    assert page.evaluate("window.notReloaded")


def test_what_happens_before_a_page_hears_is_told_to_it(
    visit: Start, person: Callable[[str], str], hub: RunningHub
) -> None:
    """Its stream begins where the page was made, not when the browser gets to open it."""
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.page
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/api/events*", hold)
    editor.go("/customers")
    page.evaluate("window.notReloaded = true")
    Api(hub.url, hub.token).post("/api/customers", {"name": "Made Meanwhile"})
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.get_by_role("link", name="Made Meanwhile")).to_be_visible()
    assert page.evaluate("window.notReloaded")


def test_tabs_that_nobody_looks_at_hold_up_no_other_and_catch_up_when_seen(
    visit: Start, person: Callable[[str], str], hub: RunningHub
) -> None:
    """A browser opens six connections to one host. Headless it takes every tab for seen."""
    editor = visit()
    editor.sign_in(person("editor"))
    editor.context.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => window.name !== 'seen'})"
    )
    tabs = [editor.context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto(f"{editor.url}/customers")
        tab.evaluate("window.notReloaded = true")
    Api(hub.url, hub.token).post("/api/customers", {"name": "Made Behind Their Backs"})
    for tab in tabs:
        see(tab, True)
        expect(tab.get_by_role("link", name="Made Behind Their Backs")).to_be_visible()
        assert tab.evaluate("window.notReloaded")
        see(tab, False)
    see(tabs[0], True)
    Api(hub.url, hub.token).post("/api/customers", {"name": "Made Before Their Eyes"})
    expect(tabs[0].get_by_role("link", name="Made Before Their Eyes")).to_be_visible()


def see(tab: Page, seen: bool) -> None:
    tab.evaluate(
        "seen => { window.name = seen ? 'seen' : '';"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        seen,
    )


def test_a_connection_ends_only_after_its_name_is_typed(
    visit: Start, person: Callable[[str], str], connected: str, hub: RunningHub, site: Any
) -> None:
    """And the page goes where its end leads, though its live parts are gone long before."""
    set_up = {"doctypes": ["Customer"], "events": ["insert"]}
    api = Api(hub.url, hub.token)
    assert api.ask("PUT", f"/api/connectors/{connected}/webhooks", set_up).status == 200
    admin = visit()
    admin.sign_in(person("admin"))
    other = admin.context.new_page()
    other.goto(f"{admin.url}/connectors/{connected}")
    page = admin.go(f"/connectors/{connected}")
    expect(page.get_by_text("To be removed from the site: 1 webhook.")).to_be_visible()
    delete = page.get_by_role("button", name="Delete")
    expect(delete).to_be_disabled()
    page.get_by_label(re.compile("^Type")).fill("the-shop")
    expect(delete).to_be_disabled()
    page.get_by_label(re.compile("^Type")).fill(connected)
    site.faults.add("latency", seconds=2)
    try:
        with page.expect_response(lambda answer: answer.status == 404) as gone:
            delete.click()
        assert gone.value.request.headers["hx-request"] == "true"
        expect(page.get_by_role("status").first).to_contain_text("The Shop is deleted")
    finally:
        site.faults.clear()
    assert page.url == f"{admin.url}/connectors"
    # Whoever only looked at it is told that it is gone.
    expect(other.get_by_role("heading", name="There is nothing here")).to_be_visible()
    expect(page.get_by_text("No site is connected yet")).to_be_visible()
    admin.shoot("connectors-empty")


def test_pages_work_without_scripts(
    visit: Start, person: Callable[[str], str], connected: str
) -> None:
    editor = visit(java_script_enabled=False)
    editor.sign_in(person("editor"))
    page = editor.go(f"/data/{connected}/inventory")
    page.get_by_role("searchbox").fill("dynamo")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator("tbody tr").first).to_contain_text("dynamo")
    editor.go(f"/connectors/{connected}")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("status").first).to_be_visible()


@pytest.mark.parametrize("host", ["127.0.0.1", "plain.test"])
def test_what_is_to_be_copied_is_copied_or_selected(
    visit: Callable[..., Visit], person: Callable[[str], str], connected: str, host: str
) -> None:
    """Over plain HTTP a browser lends its clipboard to no other machine's pages."""
    admin = visit(permissions=["clipboard-read", "clipboard-write"] if host != "plain.test" else [])
    admin.url = admin.url.replace("127.0.0.1", host)
    admin.sign_in(person("admin"))
    page = admin.go("/connectors")
    page.get_by_text("Several sites side by side").click()
    query = page.get_by_label("A query over two sites").inner_text()
    page.get_by_role("button", name="Copy").click()
    if host == "plain.test":
        expect(page.get_by_role("button", name="Selected; copy it with Ctrl+C")).to_be_visible()
        assert page.evaluate("getSelection().toString()").strip() == query
        admin.shoot("copy-on-plain-http")
        # What the browser has to say of any page over plain HTTP.
        admin.complaints = [c for c in admin.complaints if "Cross-Origin-Opener-Policy" not in c]
    else:
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == query
