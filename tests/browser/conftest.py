"""A hub with a worker, a site, and people who look at it through a real Chromium."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from bascule.accounts.people import users
from bascule.accounts.sign_in.password_sign_in import welcome
from tests.kit.connecting import connect
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.site import site_fixture
from tests.kit.visitors import PASSWORD

PATIENCE = 60_000  # milliseconds: a busy machine decides no test
WIDE: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 360, "height": 740}
ARGUMENTS = [
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP plain.test 127.0.0.1",  # not loopback by its name
]
SHOTS = Path(os.environ.get("BASCULE_SCREENSHOTS") or Path(__file__).parent / "screenshots")


NAMES = ("chromium", "chromium-browser", "google-chrome")
# Read now: while tests run, nothing of the hub's environment is there.
CHROMIUM = os.environ.get("BASCULE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Gone when the last test of this folder is: Playwright's event loop runs in this thread
    for as long as it lives, and no asyncio test could run beside it."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; install the package chromium or set BASCULE_CHROMIUM")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS + as_root)
        yield browser
        browser.close()


site = site_fixture("session")
hub = hub_fixture("function")  # each journey begins with nothing


@pytest.fixture
def first_link(hub: RunningHub) -> str:
    """What `bascule up` prints at a first start."""

    async def made() -> str:
        async with hub.hub.db.session() as session:
            found = await users.first_link(session)
            assert found is not None
            return found[1]

    return f"{hub.url}/welcome/{hub.run(made())}"


class Visit:
    """Somebody's browser window, in which nothing may go wrong unseen."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        # A browser complains of every 4xx; those are answers that a journey asks for itself.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.go("/sign-in")
        self.page.get_by_label("Username or e-mail address").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url(re.compile(r"^(?!.*/sign-in)"))

    def shoot(self, name: str) -> None:
        """The page as it is now: light and dark, wide and narrow."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        self.page.evaluate("scrollTo(0, 0)")
        looks: list[tuple[str, ViewportSize, Literal["light", "dark"]]] = [
            ("light", WIDE, "light"),
            ("dark", WIDE, "dark"),
            ("narrow", NARROW, "light"),
            ("narrow-dark", NARROW, "dark"),
        ]
        for look, size, scheme in looks:
            self.page.set_viewport_size(size)
            self.page.emulate_media(color_scheme=scheme)
            wider = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{name} is {wider} px wider than {size['width']} px"
            self.page.screenshot(path=SHOTS / f"{name}-{look}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
        assert before is not None
        self.page.set_viewport_size(before)


@pytest.fixture
def visit(browser: Browser, hub: RunningHub) -> Iterator[Callable[..., Visit]]:
    made: list[Visit] = []

    def visit(**options: Any) -> Visit:
        context = browser.new_context(viewport=WIDE, reduced_motion="reduce", **options)
        context.set_default_timeout(PATIENCE)
        made.append(Visit(context, hub.url))
        return made[-1]

    yield visit
    for one in made:
        one.context.close()
    assert [complaint for one in made for complaint in one.complaints] == []


@pytest.fixture
def person(hub: RunningHub) -> Callable[[str], str]:
    """Somebody of this role who has a password; their name is their role."""

    def person(role: str) -> str:
        async def made() -> str:
            async with hub.hub.db.session() as session:
                user, link = await users.invite(session, f"{role}-1", role=role)
            await welcome(hub.hub, link, PASSWORD)
            return user.username

        name: str = hub.run(made())
        return name

    return person


@pytest.fixture
def connected(hub: RunningHub, site: Any) -> str:
    """The site, connected and pulled; its slug."""
    api = hub.api
    streams = ["inventory", "orders", "suppliers", "customers"]
    made = connect(api, site, name="The Shop", streams=streams)
    done = api.post("/api/connectors/sync", {"connector_id": made["id"], "wait": 120}).json
    assert all(run["outcome"] == "done" for run in done["runs"]), done
    return str(made["slug"])
