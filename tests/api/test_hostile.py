"""Whatever is thrown at it, the API says what is wrong with it, and never that it failed itself."""

import http.client
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from bascule import problems
from tests.kit.api import Api

IN_PATH = re.compile(r"\{(\w+)(?::path)?\}")
ENDLESS = {"/api/events"}  # its answer has no end; test_events listens to it
WEIRD = [
    "%00",
    "%ff%fe",
    "..%2f..%2fetc%2fpasswd",
    "'; DROP SCHEMA bascule CASCADE; --",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "9" * 400,
    "-1",
    "0",
    "1.5",
    "NaN",
    "\u202e\U0001f600",
    "a" * 3000,
    "null",
    "%",
]
BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"12345678901234567890123456789012345678901234567890",
    b"\xff\xfe",
    b'{"api_url": "\\u0000", "api_key": "\\ud800", "api_secret": "x"}',
    b'{"connector_id": "\\u0000"}',
    b'{"connector_id": "\\ud800"}',
    b'{"connector_id": 1e999, "wait": NaN, "streams": {}}',
    b'{"wait": 99999999999999999999, "full": "perhaps"}',
    b'{"streams": ["\\u0000"]}',
    b'{"streams": ["' + b"x" * 5000 + b'"]}',
    b'{"doctype": "\\u0000"}',
    b'{"doctype": "a/b\\"; drop"}',
    b'{"doctype": "../../etc"}',
    b'{"filters": [[]], "omit": ["\\u0000"], "rename": {"\\u0000": "\\u0000"}}',
    b'{"filters": ["x", 1, null, {"a": []}]}',
    b'{"rename": {"status": "name"}}',
    b'{"rename": {"status": "' + b"x" * 500 + b'"}}',
    b'{"omit": ["name", "modified"]}',
    b'{"max_concurrency": 1e400}',
    b'{"name": "\\ud83d", "warehouse_filter": [null]}',
    b"[" * 100_000,
    b'{"x": ' + b"9" * 10_000 + b"}",
]


def walk(api: Api) -> list[tuple[str, str]]:
    paths = api.get("/openapi.json").json["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def filled(path: str, **names: str) -> str:
    return IN_PATH.sub(lambda found: {"stream": "Item", **names}.get(found[1], "999999"), path)


# Its answers are agreed on with other programs, word for word.
AGREED = {"/api/auth/settings/erpnext/test": {"detail": "ERPNext credentials not configured"}}


KINDS = {(one.type, one.title) for one in problems.PROBLEMS}


def told(answer: Any, path: str = "") -> bool:
    if answer.status < 400 or answer.json == AGREED.get(path):
        return True
    said = answer.json
    assert answer.headers["content-type"] == problems.MEDIA_TYPE, answer
    assert (said["type"], said["title"]) in KINDS, said
    assert said["status"] == answer.status, said
    return answer.status < 500 and {"detail", "next_step"} <= said.keys()


@pytest.mark.parametrize("weird", WEIRD)
def test_no_route_fails_at_a_weird_name(api: Api, weird: str) -> None:
    for method, path in walk(api):
        if "{" not in path:
            continue
        asked = IN_PATH.sub(lambda _: quote(weird, safe="%"), path)
        answer = api.ask(method, asked, raw=b"{}" if method in ("POST", "PATCH") else None)
        assert told(answer), (method, path, answer)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_no_route_fails_at_a_weird_body(api: Api, connect: Callable[..., Any], body: bytes) -> None:
    connector = connect()["slug"]
    for method, path in walk(api):
        if method not in ("POST", "PATCH"):
            continue
        asked = filled(path, connector=connector)
        answer = api.ask(method, asked, raw=body)
        assert told(answer, path), (method, path, answer)
    assert api.get(f"/api/connectors/{connector}").status == 200


def test_no_route_fails_at_weird_parameters(api: Api, connect: Callable[..., Any]) -> None:
    """Each that a route takes, and one that none takes."""
    connector = connect()["slug"]
    for path, methods in api.get("/openapi.json").json["paths"].items():
        if "get" not in methods or path in ENDLESS:
            continue
        taken = {
            one["name"] for one in methods["get"].get("parameters", ()) if one["in"] == "query"
        }
        if "{relation}" in path:  # and any column is one, too
            taken |= {"sort", "columns", "exact", "name"}
        asked = filled(path, connector=connector, format="csv", relation="inventory", run="1")
        for weird in WEIRD:
            for name in (*sorted(taken), weird):
                answer = api.ask("GET", f"{asked}?{quote(name)}={quote(weird)}")
                assert told(answer), (path, name, weird, answer)


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    answer = api.post("/api/connectors/sync", {"streams": ["x" * 2_000_000]})
    assert answer.status == 413
    assert answer.json["next_step"]


def test_what_is_echoed_is_json_and_never_a_page(api: Api) -> None:
    answer = api.get("/api/connectors/<script>alert(1)</script>")
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"<script>" not in answer.body


def test_an_address_that_is_not_there_and_a_method_that_is_not_taken(api: Api) -> None:
    assert api.get("/api/nothing").status == 404
    assert api.get("/api/nothing").json["next_step"]
    answer = api.ask("PUT", "/api/connectors")
    assert answer.status == 405
    assert answer.headers["allow"]


def test_a_request_that_breaks_off_does_no_harm(api: Api) -> None:
    to = urlsplit(api.url)
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    asking.putrequest("POST", "/api/connectors/sync")
    asking.putheader("Authorization", f"Bearer {api.token}")
    asking.putheader("Content-Type", "application/json")
    asking.putheader("Content-Length", "1000")
    asking.endheaders(json.dumps({"full": True}).encode())
    asking.close()
    assert api.get("/health").status == 200


def test_a_parameter_that_a_route_does_not_know_is_refused_and_does_nothing(
    api: Api, connect: Callable[..., Any]
) -> None:
    """Misspelt, it would otherwise be left aside, and everything would be the answer."""
    connector = connect()["slug"]
    refused = 0
    for method, path in walk(api):
        if path == "/health" or path.startswith("/api/webhooks/"):
            continue
        asked = filled(path, connector=connector, format="csv", relation="inventory", run="1")
        answer = api.ask(method, f"{asked}?serach=acme")
        # A machine's token is told first that it may not; where any column is a filter, that
        # nothing is mirrored yet.
        if answer.status in (403, 404):
            continue
        assert answer.status == 422, (method, path, answer)
        assert "serach" in answer.json["fields"], (method, path, answer)
        refused += 1
    assert refused > 80
    assert api.get(f"/api/connectors/{connector}").status == 200
    known = api.get("/api/customers?serach=acme").json["next_step"]
    assert "search" in known
    assert api.get("/api/customers?search=acme").status == 200
