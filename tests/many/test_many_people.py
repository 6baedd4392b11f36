"""Many people are a list too: searched, in pages."""

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.kit.api import Api
from tests.kit.desk import Desk, Page
from tests.kit.hub import RunningHub

Sit = Callable[..., Desk]


@pytest.fixture(scope="module")
def crowd(running_hub: RunningHub) -> RunningHub:
    url = running_hub.settings.database_url
    assert url is not None
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        conn.execute(
            "INSERT INTO bascule.users (username, email, role) SELECT 'crowd-' || to_char(n,"
            " 'FM000'), 'c' || n || '@crowd.invalid', 'viewer' FROM generate_series(1, 120) n"
        )
    return running_hub


def listed(page: Page) -> list[str]:
    return re.findall(r'<a class="fw-bold" href="/people/\d+">(crowd-\d+)</a>', page.html)


def test_people_are_found_and_paged_through(crowd: RunningHub, sit: Sit) -> None:
    admin = sit("admin")
    found = admin.open("/people?search=CROWD%20c11@")
    assert listed(found) == ["crowd-011"]
    page, seen = admin.open("/people?search=crowd"), []
    for _ in range(5):
        assert page.status == 200
        seen += listed(page)
        onward = re.search(r'href="([^"]*)">Next page', page.html)
        if onward is None:
            break
        page = admin.open(onward[1].replace("&amp;", "&"))
    assert seen == [f"crowd-{n:03}" for n in range(1, 121)]
    assert "Nobody found" in admin.open("/people?search=nobody-of-that-name").text


def test_programs_page_through_them(crowd: RunningHub) -> None:
    api, got = Api(crowd.url, crowd.token), []
    query: dict[str, Any] = {"search": "crowd-", "limit": 50}
    for _ in range(4):
        answer = api.get("/api/users", **query).json
        assert answer["total"] == 120
        got += [one["username"] for one in answer["users"]]
        if answer["next"] is None:
            break
        query["after"] = answer["next"]
    assert got == [f"crowd-{n:03}" for n in range(1, 121)]
