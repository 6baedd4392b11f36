"""Browsers at a hub of this folder's own, which works, and the site that it mirrors."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from account_pages.conftest import Desk, Page, sit  # noqa: F401
from accounts.conftest import _quick_passwords, browse, make_person, sql  # noqa: F401
from accounts.visitors import COOKIE, Somebody
from api.conftest import RunningHub
from bascule.sandbox import SandboxThread
from databases import FreshSettings

Connect = Callable[..., Any]
Sit = Callable[..., Desk]
Ended = Callable[[str], list[Any]]


def follow(desk: Desk, sent: Page) -> Page:
    """Where a form leads to, with what it has to say there."""
    assert sent.status == 303, sent.text
    said = sent.answer.headers.get("set-cookie", "").partition(";")[0]
    cookies = f"{COOKIE}={desk.visitor.cookie}; {said}"
    return desk.open(sent.to.partition("#")[0], Cookie=cookies)


@pytest.fixture(scope="session")
def accounts_hub(
    fresh_settings: FreshSettings,
) -> Iterator[RunningHub]:
    """Where the people of `make_person` are; unlike the one of that name elsewhere, it works."""
    with fresh_settings(trusted_proxies="127.0.0.1") as settings, RunningHub(settings) as running:
        yield running


@pytest.fixture(scope="session")
def the_site(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        yield running


@pytest.fixture
def site(the_site: Any) -> Iterator[Any]:
    """One for all tests; none leaves its faults to the next."""
    yield the_site
    the_site.faults.clear()


@pytest.fixture(scope="session")
def admin_desk(
    make_person: Callable[..., Somebody],  # noqa: F811
    browse: Callable[..., Any],  # noqa: F811
) -> Desk:
    somebody = make_person("admin")
    return Desk(somebody, browse(somebody))


@pytest.fixture
def connect(admin_desk: Desk, site: Any) -> Iterator[Connect]:
    """Connects the site with two small streams, under a name of its own; `by`: who does it."""
    made: list[tuple[Desk, str]] = []

    def setup(by: Desk = admin_desk, *, start: bool = False, **values: Any) -> Any:
        body = {
            "name": f"Acme {uuid4().hex[:8]}",
            "api_url": site.url,
            "api_key": site.api_key,
            "api_secret": site.api_secret,
            "schedule": "manual",
            "streams": ["suppliers"],
            "start_sync": False,
            **values,
        }
        answer = by.visitor.post("/api/connectors/erpnext/setup", body)
        assert answer.status == 201, answer.body
        made.append((by, answer.json["slug"]))
        at = f"/api/connectors/{answer.json['slug']}"
        assert by.visitor.post(f"{at}/streams", {"doctype": "Warehouse"}).status == 201
        if start:
            by.visitor.post("/api/connectors/sync", {"connector_id": answer.json["slug"]})
        return answer.json

    yield setup
    site.faults.clear()
    for by, slug in made:
        assert by.visitor.delete(f"/api/connectors/{slug}").status in (200, 404)


@pytest.fixture
def ended(admin_desk: Desk) -> Ended:
    """Waits until nothing of a connection runs any more; its runs, newest first."""

    def wait(slug: str) -> list[Any]:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            runs: list[Any] = admin_desk.visitor.get(f"/api/connectors/{slug}/runs").json["runs"]
            if runs and all(run["outcome"] in ("done", "failed") for run in runs):
                return runs
            time.sleep(0.1)
        raise AssertionError(f"these runs did not end: {runs}")

    return wait


@pytest.fixture
def pulled(connect: Connect, admin_desk: Desk, ended: Ended) -> str:
    """The slug of a connection whose streams are here."""
    slug = str(connect(start=True)["slug"])
    assert {run["outcome"] for run in ended(slug)} == {"done"}
    return slug
