"""A person sets webhooks up, sees a change arrive, sees what somebody broke, mends and removes."""

import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.kit.api import Api
from tests.kit.hub import RunningHub

NAME = 'Ödd "Ü" & \\ 🏗'


def asked(site: Any, method: str, path: str, values: Any = None) -> Any:
    body = None if values is None else json.dumps(values).encode()
    user = site.users["admin"]  # of what the hub's own user does the site does not tell
    headers = {"Authorization": f"token {user.api_key}:{user.api_secret}"}
    headers["Content-Type"] = "application/json"
    to = f"{site.url}/api/resource/{quote(path, safe='/')}"
    request = urllib.request.Request(to, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def test_webhooks_are_set_up_seen_to_arrive_mended_and_removed(
    hub: RunningHub, visit: Callable[..., Visit], connected: str, person: Callable[[str], str],
    site: Any,
) -> None:  # fmt: skip
    here = visit()
    here.sign_in(person("admin"))
    page = here.go(f"/connectors/{connected}")
    page.get_by_role("link", name="Webhooks", exact=True).click()
    expect(page.get_by_text("Webhooks are not set up")).to_be_visible()
    here.shoot("webhooks-off")

    page.get_by_role("button", name="Set up webhooks").click()
    expect(page.get_by_text("10 made")).to_be_visible()
    expect(page.get_by_text("Nothing came yet")).to_be_visible()

    asked(site, "POST", "Customer", {"customer_name": NAME})
    deliveries = page.get_by_role("region", name="Table of deliveries")
    expect(deliveries.get_by_text(NAME).first).to_be_visible()
    expect(page.get_by_text("Arriving")).to_be_visible()

    [hook] = [
        row["name"] for row in asked(site, "GET", "Webhook") if "Address on_trash" in row["name"]
    ]
    broken = '{"name": "{{ doc.name }}"}'
    asked(site, "PUT", f"Webhook/{hook}", {"webhook_json": broken, "enabled": 0})
    page.get_by_role("button", name="Check now").click()
    expect(
        page.get_by_text("Address (when one is deleted) was altered on the site")
    ).to_be_visible()
    expect(page.get_by_text("Needs attention")).to_be_visible()
    here.shoot("webhooks-trouble")
    page = here.go("/")
    needs = page.locator(".needs")
    expect(needs).to_contain_text("Webhooks of The Shop")
    expect(needs).to_contain_text("Address (when one is deleted) was altered on the site")
    here.shoot("home-webhooks")
    needs.get_by_role("button", name="Mend the webhooks").click()
    expect(page.get_by_text("The webhooks are mended: 1 changed.")).to_be_visible()
    expect(page.get_by_text("Arriving")).to_be_visible()
    here.shoot("webhooks")

    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("10 webhooks removed from the site")).to_be_visible()
    assert asked(site, "GET", "Webhook") == []

    page.get_by_label("DocTypes").fill("No Such Thing")
    page.get_by_role("button", name="Set up webhooks").click()
    expect(page.get_by_text("the site has no such DocType").first).to_be_visible()
    page.get_by_label("DocTypes").fill("Customer")
    page.get_by_text("The hub's user may not make webhooks on the site").click()
    page.get_by_text("I make them by hand").click()
    page.get_by_label("Secret", exact=True).fill("a secret of my own making")
    page.get_by_role("button", name="Set up webhooks").click()
    expect(page.get_by_text("Make them in ERPNext", exact=True)).to_be_visible()
    here.shoot("webhooks-by-hand")
    assert re.search(r"customers\?connection=", page.content())
    assert Api(hub.url, hub.token).delete(f"/api/connectors/{connected}/webhooks").status == 200
    assert here.complaints == []
