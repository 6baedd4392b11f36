"""Signing in with a passkey and by a provider, in a real browser with an authenticator in it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, expect
from sqlalchemy import text

from bascule.accounts.people import users
from tests.accounts.provider import CLIENT, SECRET, StandIn
from tests.browser.conftest import Visit
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.visitors import PASSWORD

Person = Callable[[str], str]
Visits = Callable[..., Visit]


def device_in(visit: Visit, **more: Any) -> tuple[CDPSession, str]:
    """A device that has passkeys, and a finger that touches it whenever it asks."""
    session = visit.context.new_cdp_session(visit.page)
    session.send("WebAuthn.enable", {"enableUI": False})
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **more,
    }
    added = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, added["authenticatorId"]


def at_a_name(visit: Visit) -> Visit:
    """Browsers have passkeys at a name alone."""
    visit.url = visit.url.replace("127.0.0.1", "localhost")
    return visit


def add_passkey(visit: Visit, name: str) -> None:
    visit.go("/settings/passkeys")
    visit.page.get_by_role("button", name="Add a passkey").click()
    visit.page.get_by_label("Its name").fill(name)
    visit.page.get_by_role("button", name="Make it").click()


def sign_out(visit: Visit) -> None:
    visit.page.locator("summary[aria-label^='Your menu']").click()
    visit.page.get_by_role("button", name="Sign out", exact=True).click()
    visit.page.wait_for_url("**/sign-in")


def test_a_passkey_is_added_used_and_removed(visit: Visits, person: Person) -> None:
    name = person("editor")
    anna = at_a_name(visit())
    device_in(anna)
    anna.sign_in(name)
    anna.go("/settings/passkeys")
    expect(anna.page.get_by_text("You have none yet.")).to_be_visible()
    anna.shoot("passkeys-none")
    anna.page.get_by_role("button", name="Add a passkey").click()
    anna.shoot("passkeys-new")
    add_passkey(anna, "My laptop")
    expect(anna.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    anna.shoot("passkeys-codes")
    anna.page.get_by_role("link", name="I have kept them").click()
    expect(anna.page.get_by_role("cell", name="My laptop", exact=True)).to_be_visible()
    anna.shoot("passkeys-one")

    # The same device makes no second one, and says so.
    add_passkey(anna, "Again")
    expect(anna.page.get_by_role("alert")).to_contain_text("has a passkey of yours")

    sign_out(anna)
    anna.shoot("sign-in-with-a-passkey")
    anna.page.get_by_role("button", name="Sign in with a passkey").click()
    anna.page.wait_for_url(re.compile(r"^(?!.*/sign-in)"))
    expect(anna.page.locator("header")).to_contain_text(name)

    # After the password, as the other half.
    sign_out(anna)
    anna.page.get_by_label("Username or e-mail address").fill(name)
    anna.page.get_by_label("Password").fill(PASSWORD)
    anna.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(anna.page.get_by_role("button", name="Use a passkey")).to_be_visible()
    anna.shoot("sign-in-second-half")
    anna.page.get_by_role("button", name="Use a passkey").click()
    anna.page.wait_for_url(re.compile(r"^(?!.*/sign-in)"))

    anna.go("/settings/passkeys")
    anna.page.get_by_role("button", name="Rename").click()
    anna.page.locator("dialog[open]").get_by_label("New name").fill("Work laptop")
    anna.page.locator("dialog[open]").get_by_role("button", name="Rename").click()
    expect(anna.page.get_by_role("cell", name="Work laptop", exact=True)).to_be_visible()
    anna.page.get_by_role("button", name="Remove").click()
    anna.page.locator("dialog[open]").get_by_role("button", name="Remove").click()
    expect(anna.page.get_by_text("You have none yet.")).to_be_visible()


def test_a_passkey_stands_in_for_the_password_once_more(
    visit: Visits, person: Person, hub: RunningHub
) -> None:
    name = person("editor")
    anna = at_a_name(visit())
    device_in(anna)
    anna.sign_in(name)
    add_passkey(anna, "Laptop")
    anna.page.get_by_role("link", name="I have kept them").click()

    async def an_hour_later() -> None:
        async with hub.hub.db.session() as session:
            past = "UPDATE bascule.sessions SET confirmed_at = now() - interval '1 hour'"
            await session.execute(text(past))

    hub.run(an_hour_later())
    anna.go("/settings")
    anna.page.get_by_label("What it is for").fill("Nightly export")
    anna.page.get_by_role("button", name="Make a token").click()
    expect(anna.page.get_by_role("heading", name="Is it you?")).to_be_visible()
    anna.shoot("confirm-with-a-passkey")
    anna.page.get_by_role("button", name="Use a passkey").click()
    expect(anna.page.get_by_role("heading", name="Your new token")).to_be_visible()
    expect(anna.page.get_by_label("The token Nightly export")).to_have_value(re.compile("^bsc_"))


def test_a_device_that_refuses_is_told_in_the_page(visit: Visits, person: Person) -> None:
    name = person("viewer")
    anna = at_a_name(visit())
    session, device = device_in(anna)
    anna.sign_in(name)
    add_passkey(anna, "Phone")
    expect(anna.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    anna.page.get_by_role("link", name="I have kept them").click()
    sign_out(anna)
    anna.page.get_by_role("button", name="Sign in with a passkey").click()
    alert = anna.page.get_by_role("alert").filter(has_text="Nothing was chosen")
    expect(alert).to_be_visible()
    expect(anna.page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def company(fresh_settings: FreshSettings, provider: StandIn) -> Iterator[RunningHub]:
    more = {
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_name": "Acme",
    }
    with fresh_settings(**more) as settings, RunningHub(settings, worker=False) as running:
        yield running


def test_somebody_comes_in_by_the_provider_and_connects_and_disconnects_it(
    visit: Visits, company: RunningHub, provider: StandIn
) -> None:
    async def invited(name: str, role: str) -> str:
        async with company.hub.db.session() as session:
            email = f"{name}@example.com"
            return (await users.invite(session, name, email=email, role=role))[1]

    company.run(invited("anna", "editor"))
    anna = visit()
    anna.url = company.url
    anna.go("/settings")
    anna.shoot("sign-in-by-a-provider")
    anna.page.get_by_role("link", name="Sign in with Acme").click()
    anna.page.wait_for_url("**/settings")
    expect(anna.page.get_by_text("You sign in by Acme as anna@example.com")).to_be_visible()
    anna.shoot("settings-connected")
    sign_out(anna)

    link = company.run(invited("boss", "admin"))
    boss = visit()
    boss.url = company.url
    boss.go(f"/welcome/{link}")
    boss.page.get_by_label("Password").fill(PASSWORD)
    boss.page.get_by_label("The same again").fill(PASSWORD)
    boss.page.get_by_role("button", name="Choose it and sign in").click()
    boss.page.wait_for_url(f"{company.url}/")
    boss.go("/people")
    expect(boss.page.get_by_role("columnheader", name="Signs in with")).to_be_visible()
    expect(boss.page.get_by_role("row", name="anna")).to_contain_text("Acme")
    boss.shoot("people-ways")
    boss.go("/people/invite")
    expect(boss.page.get_by_text("The one that they have at Acme")).to_be_visible()
    boss.go("/people")
    boss.page.get_by_role("link", name="anna", exact=True).click()
    boss.shoot("person-connected")
    provider.person = {"sub": "boss", "email": "boss@example.com", "email_verified": True}
    sign_out(boss)
    boss.page.get_by_role("link", name="Sign in with Acme").click()
    refused = boss.page.get_by_text("There is an account with your e-mail address here")
    expect(refused).to_be_visible()
    boss.shoot("sign-in-refused")
    boss.sign_in("boss")
    boss.go("/settings")
    boss.page.get_by_role("button", name="Connect it").click()
    expect(boss.page.get_by_text("From now on you may sign in by Acme.")).to_be_visible()
    boss.page.get_by_role("button", name="Disconnect it").click()
    boss.page.locator("dialog[open]").get_by_role("button", name="Disconnect it").click()
    expect(boss.page.get_by_text("You do not sign in by Acme any more.")).to_be_visible()
