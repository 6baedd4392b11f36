"""Browsers at a hub of this folder's own, which works, and the site that it mirrors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit import connecting
from tests.kit.desk import Desk, Page  # noqa: F401
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.people import People
from tests.kit.site import site_fixture
from tests.kit.waiting import until

Connect = Callable[..., Any]
Ended = Callable[[str], list[Any]]


running_hub = hub_fixture("session", trusted_proxies="127.0.0.1")
the_site = site_fixture("session")


@pytest.fixture
def site(the_site: Any) -> Iterator[Any]:
    """One for all tests; none leaves its faults to the next."""
    yield the_site
    the_site.faults.clear()


@pytest.fixture(scope="session")
def admin_desk(running_hub: RunningHub) -> Desk:
    return People(running_hub).sit("admin")


@pytest.fixture
def connect(admin_desk: Desk, site: Any) -> Iterator[Connect]:
    """Connects the site with two small streams, under a name of its own; `by`: who does it."""
    made: list[tuple[Desk, str]] = []

    def setup(by: Desk = admin_desk, *, start: bool = False, **values: Any) -> Any:
        new = connecting.connect(by.visitor, site, **{"streams": ["suppliers"], **values})
        made.append((by, new["slug"]))
        at = f"/api/connectors/{new['slug']}"
        assert by.visitor.post(f"{at}/streams", {"doctype": "Warehouse"}).status == 201
        if start:
            by.visitor.post("/api/connectors/sync", {"connector_id": new["slug"]})
        return new

    yield setup
    site.faults.clear()
    for by, slug in made:
        assert by.visitor.delete(f"/api/connectors/{slug}").status in (200, 404)


@pytest.fixture
def ended(admin_desk: Desk) -> Ended:
    """Waits until nothing of a connection runs any more; its runs, newest first."""

    def wait(slug: str) -> list[Any]:
        def over() -> list[Any] | None:
            runs: list[Any] = admin_desk.visitor.get(f"/api/connectors/{slug}/runs").json["runs"]
            return runs if all(run["outcome"] in ("done", "failed") for run in runs) else None

        return until(over)

    return wait


@pytest.fixture
def pulled(connect: Connect, admin_desk: Desk, ended: Ended) -> str:
    """The slug of a connection whose streams are here."""
    slug = str(connect(start=True)["slug"])
    assert {run["outcome"] for run in ended(slug)} == {"done"}
    return slug
