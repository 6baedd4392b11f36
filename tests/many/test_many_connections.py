"""Three hundred connections are a list: searched, by state, in pages, those that fail first."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.desk import Desk, Page
from tests.many.conftest import DIFFERING, DOWN, FAILING, SITES

Sit = Callable[..., Desk]
COUNTS = {"ok": SITES - 6, "failed": 3, "differs": 2, "down": 1}
LARGEST = 100_000  # bytes of a page


def listed(page: Page, to: str = "/connectors/") -> list[str]:
    return re.findall(rf'<th scope="row"><a href="{to}([a-z0-9_]+)"', page.html)


def test_home_is_a_list_with_those_first_that_want_somebody(sit: Sit) -> None:
    viewer = sit("viewer")
    page = viewer.open("/")
    assert page.status == 200
    assert len(page.html.encode()) < LARGEST
    assert "294 fine, 2 different from the site, 3 failing, 1 down" in page.text
    first = [f"site_{n:03}" for n in (*DOWN, *FAILING, *DIFFERING)]
    assert listed(page)[:7] == [*first, "site_001"]
    assert "1 to 50 of 300" in page.text
    second = viewer.open("/?page=2")
    assert "51 to 100 of 300" in second.text
    assert not set(listed(page)) & set(listed(second))


def test_words_and_state_narrow_it_and_figures_follow(sit: Sit) -> None:
    viewer = sit("viewer")
    failing = viewer.open("/?state=failed")
    assert listed(failing) == [f"site_{n:03}" for n in FAILING]
    by_address = viewer.open("/?search=client-123.invalid")
    assert listed(by_address) == ["site_123"]
    assert "1 fine" in by_address.text
    nothing = viewer.open("/?search=nobody%20of%20that%20name")
    assert "Nothing found" in nothing.text
    assert listed(nothing) == []
    assert viewer.open("/?state=nonsense").status == 422


def test_groups_are_words_of_peoples_own(api: Api, sit: Sit, say: Callable[..., Any]) -> None:
    body = {"group": "  Clients in  Berlin "}
    assert api.patch("/api/connectors/site_070", body).json["group"] == "Clients in Berlin"
    assert say("change", "site_071", "--group", "Clients in Berlin").exit_code == 0
    viewer = sit("viewer")
    page = viewer.open("/?group=Clients%20in%20Berlin")
    assert listed(page) == ["site_070", "site_071"]
    assert "<option selected>Clients in Berlin</option>" in page.html
    assert listed(viewer.open("/?search=berlin")) == ["site_070", "site_071"]
    some = api.get("/api/connectors/status", group="Clients in Berlin").json
    assert [one["group"] for one in some["connectors"]] == ["Clients in Berlin"] * 2
    assert "site_071" in say("status", "--group", "Clients in Berlin").stdout
    assert api.patch("/api/connectors/site_070", {"group": ""}).status == 200
    assert listed(viewer.open("/?group=Clients%20in%20Berlin")) == ["site_071"]
    assert api.patch("/api/connectors/site_071", {"group": "x" * 61}).status == 422


def test_what_needs_somebody_is_short_on_home_and_whole_behind(sit: Sit) -> None:
    page = sit("viewer").open("/")
    assert page.html.count('class="card need-') <= 8
    assert "Something broke." in page.text


def test_what_several_connections_have_for_one_cause_is_told_once(
    sit: Sit, api: Api, say: Callable[..., Any]
) -> None:
    told = [one for one in api.get("/api/needs").json["needs"] if "Something broke." in one["what"]]
    assert [one["name"] for one in told] == ["Client 017"]
    assert [one["name"] for one in told[0]["also"]] == ["Client 170", "Client 299"]
    assert [one["command"] for one in told[0]["also"]] == [
        "bascule sync site_170",
        "bascule sync site_299",
    ]
    page = sit("editor").open("/")
    assert page.text.count("Something broke.") == 1
    assert "Client 017 and 2 more" in page.text
    for slug in ("site_017", "site_170", "site_299"):
        assert page.html.count(f'action="/connectors/{slug}/sync"') == 1
    said = say("attention").stdout
    assert said.count("Something broke.") == 1
    assert "Client 017 and 2 more" in said
    assert "bascule sync site_299" in said
    # What differs is of each site by itself, though the words are the same.
    differing = [one for one in api.get("/api/needs").json["needs"] if one["kind"] == "differs"]
    assert [len(one["also"]) for one in differing] == [0, 0]


def test_data_is_a_list_of_connections_too(sit: Sit) -> None:
    viewer = sit("viewer")
    page = viewer.open("/data")
    assert len(page.html.encode()) < LARGEST
    assert "site_005" in listed(page, "/data/")
    assert page.html.count("data-live=") == 1  # one part asks, not one for each connection


def test_connectors_shows_a_few_and_leads_to_all(sit: Sit) -> None:
    page = sit("viewer").open("/connectors")
    assert "All 300 connections" in page.text
    assert page.html.count('id="connection-') == 12


@pytest.mark.parametrize("path", ["/api/connectors", "/api/connectors/status"])
def test_programs_page_through_all_of_them_by_name(api: Api, path: str) -> None:
    got: list[Any] = []
    query: dict[str, Any] = {"limit": 120}
    for _ in range(4):
        answer = api.get(path, **query).json
        assert answer["counts"] == COUNTS
        assert answer["total"] == SITES
        got += answer["connectors"]
        if answer["next"] is None:
            break
        query["after"] = answer["next"]
    assert [one["slug"] for one in got] == [f"site_{n:03}" for n in range(1, SITES + 1)]
    assert len(api.get(path).json["connectors"]) == SITES
    some = api.get(path, state="failed", limit=2).json
    assert [one["slug"] for one in some["connectors"]] == ["site_017", "site_170"]
    assert (some["total"], some["next"]) == (3, "site_170")
    rest = api.get(path, state="failed", limit=2, after=some["next"]).json
    assert [one["slug"] for one in rest["connectors"]] == ["site_299"]
    assert rest["next"] is None
    assert api.get(path, search="client-299").json["total"] == 1
    gone = api.get(path, after="no_such")
    assert gone.status == 422
    assert "after" in gone.json["fields"]


def test_the_command_line_has_a_line_for_each_and_details_when_asked(
    say: Callable[..., Any],
) -> None:
    said = say("status").stdout.splitlines()
    lines = [line for line in said if "site_" in line]
    assert len(lines) == SITES
    assert "site_005" in lines[0]
    assert "down" in lines[0]
    assert any(line.startswith("300 connections: 294 fine") for line in said)
    assert "Thing 03: Something broke." in say("status", "site_017").stdout
    assert "Thing 03: Something broke." in say("status", "--state", "failed").stdout
    few = json.loads(say("status", "--search", "Client 017", "--json").stdout)
    assert [one["slug"] for one in few["connectors"]] == ["site_017"]
    refused = say("status", "--state", "nonsense")
    assert refused.exit_code == 2
    assert "refused, down, failed" in refused.stderr
    assert "No connection fits" in say("status", "--search", "nobody").stdout


def test_a_table_that_a_program_reads_is_as_wide_as_what_is_in_it(
    api: Api, say: Callable[..., Any]
) -> None:
    name = "A client with the longest of all names, " * 3
    assert api.patch("/api/connectors/site_060", {"name": name}).status == 200
    [line] = [line for line in say("status").stdout.splitlines() if "site_060" in line]
    assert name.strip() in line
    assert line.rstrip().endswith("when asked")
