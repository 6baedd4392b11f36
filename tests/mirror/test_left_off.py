"""A user with the rights of seed 003 alone: what may not be read is left off, and no failure."""

from collections.abc import Callable
from typing import Any

from tests.kit.api import Api

READS = {"Item", "Bin", "Sales Order", "Supplier"}


def doctypes(api: Api, slug: str) -> set[str]:
    streams = api.get(f"/api/connectors/{slug}/streams").json["streams"]
    return {stream["doctype"] for stream in streams}


def test_what_the_user_may_not_read_is_left_off_and_tried_again_with_one_request(
    api: Api,
    connect: Callable[..., Any],
    erpnext_sandbox: Any,
    finished: Callable[[list[int]], list[Any]],
) -> None:
    reader = erpnext_sandbox.users["readonly"]
    made = connect(api_key=reader.api_key, api_secret=reader.api_secret, start_sync=True)
    slug, left_off = made["slug"], set(made["left_off"])
    readable = {doctype for doctype, may in made["check"]["readable"].items() if may}
    assert readable >= READS
    assert left_off == set(made["check"]["readable"]) - readable
    assert left_off >= {"Purchase Order", "Stock Entry", "Item Price"}
    assert doctypes(api, slug) == readable
    assert {run["outcome"] for run in finished(made["run_ids"])} == {"done"}
    status = next(
        one for one in api.get("/api/connectors/status").json["connectors"] if one["slug"] == slug
    )
    assert (status["status"], status["attention"]) == ("ok", [])

    again = api.post(f"/api/connectors/{slug}/left-off").json
    assert (again["added"], set(again["left_off"])) == ([], left_off)
    # Somebody adds one of them by hand: that is theirs to see fail.
    assert api.post(f"/api/connectors/{slug}/streams", {"doctype": "Stock Entry"}).status == 201
    assert "Stock Entry" not in api.get(f"/api/connectors/{slug}").json["left_off"]

    hub_user = {
        "api_key": erpnext_sandbox.api_key,
        "api_secret": erpnext_sandbox.api_secret,
    }
    assert api.patch(f"/api/connectors/{slug}", hub_user).status == 200
    again = api.post(f"/api/connectors/{slug}/left-off").json
    assert set(again["added"]) == left_off - {"Stock Entry"}
    assert again["left_off"] == api.get(f"/api/connectors/{slug}").json["left_off"] == []
    assert {run["outcome"] for run in finished(again["run_ids"])} == {"done"}
    assert api.post(f"/api/connectors/{slug}/left-off").status == 404
