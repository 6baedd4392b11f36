import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tests.sandbox.conftest import Client, MakeSite, doctype
from tests.sandbox.conftest import field as column


@dataclass
class Receiver:
    url: str = ""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    kept = Receiver()

    async def take(request: web.Request) -> web.Response:
        kept.got.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=500 if request.path in kept.failing else 200, text="thanks")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield kept
    await runner.cleanup()


async def shop(make_site: MakeSite) -> Client:
    fields = (column("frame"), column("price", "Currency"))
    return await make_site(doctype("Bike", *fields, autoname="field:frame", is_submittable=1))


async def hook(
    site: Client, receiver: Receiver, event: str, path: str = "", **more: object
) -> None:
    values = {
        "name": f"{event} {path}",
        "webhook_doctype": "Bike",
        "webhook_docevent": event,
        "request_url": f"{receiver.url}/{path or event}",
        "webhook_data": [{"fieldname": "name", "key": "id"}],
        **more,
    }
    await site.inserted("Webhook", **values)


async def sent(site: Client) -> None:
    await asyncio.wait_for(site.running.deliveries.idle(), 60)


async def test_each_event_of_a_documents_life_is_sent_once(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    for event in ("after_insert", "on_update", "on_submit", "on_cancel", "on_trash"):
        await hook(site, receiver, event)
    await site.inserted("Bike", frame="A")
    await site.update("Bike", "A", price=1)
    await site.update("Bike", "A", docstatus=1)
    await site.update("Bike", "A", docstatus=2)
    await site.delete("Bike", "A")
    await sent(site)
    events = ["after_insert", "on_update", "on_update", "on_update", "on_submit", "on_cancel"]
    assert receiver.paths() == [f"/{event}" for event in (*events, "on_trash")]
    assert all(json.loads(body) == {"id": "A"} for _, _, body in receiver.got)


async def test_a_body_is_signed_over_its_raw_bytes(make_site: MakeSite, receiver: Receiver) -> None:
    site = await shop(make_site)
    template = '{"name": {{ doc.name | tojson }}, "price": {{ doc.price }}}'
    await hook(
        site,
        receiver,
        "after_insert",
        request_structure="JSON",
        webhook_json=template,
        enable_security=1,
        webhook_secret="hush",
        webhook_headers=[{"key": "X-Shop", "value": "Spaak"}],
    )
    await site.inserted("Bike", frame='"Ü" \\', price=5)
    await sent(site)
    (_, headers, body) = receiver.got[0]
    digest = hmac.new(b"hush", body, hashlib.sha256).digest()
    assert headers["X-Frappe-Webhook-Signature"] == base64.b64encode(digest).decode()
    assert headers["X-Shop"] == "Spaak"
    assert "Content-Type" not in headers
    assert json.loads(body) == {"name": '"Ü" \\', "price": 5.0}
    assert body.isascii()


async def test_a_receiver_that_fails_gets_three_tries_and_the_event_is_gone(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    receiver.failing.add("/fail")
    await hook(site, receiver, "on_update", "fail")
    await site.inserted("Bike", frame="A")
    await sent(site)
    assert receiver.paths() == ["/fail"] * 3
    rows = await site.list(
        "Webhook Request Log", fields=["response", "error", "reference_document"]
    )
    assert [row["reference_document"] for row in rows] == ["A"] * 3
    assert all(row["response"] == "thanks" and "500" in row["error"] for row in rows)
    receiver.failing.clear()
    await sent(site)
    assert len(receiver.got) == 3


async def test_a_failing_webhook_holds_up_those_behind_it(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    receiver.failing.add("/fail")
    await hook(site, receiver, "on_update", "fine")
    await hook(site, receiver, "on_update", "fail")  # made last, sent first
    await site.inserted("Bike", frame="A")
    await sent(site)
    assert receiver.paths() == ["/fail", "/fail", "/fail", "/fine"]


async def test_nobody_hears_of_what_was_refused(make_site: MakeSite, receiver: Receiver) -> None:
    site = await shop(make_site)
    await hook(site, receiver, "after_insert")
    docs = [{"doctype": "Bike", "frame": "A"}, {"doctype": "Bike", "frame": "A"}]
    assert (await site.call("frappe.client.insert_many", docs=docs))[0] == 409
    await sent(site)
    assert receiver.got == []


async def test_a_template_that_makes_no_json_loses_the_event_with_a_log_row(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    broken = {"request_structure": "JSON", "webhook_json": '{"name": "{{ doc.name }}"}'}
    await hook(site, receiver, "after_insert", **broken)
    await site.inserted("Bike", frame='the "A"')
    await sent(site)
    assert receiver.got == []
    rows = await site.list("Webhook Request Log", fields=["error", "data", "response"])
    assert [(row["data"], row["response"]) for row in rows] == [(None, None)]
    assert rows[0]["error"].startswith("Traceback")


async def test_a_condition_and_a_switch_decide_who_is_told(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    await hook(site, receiver, "after_insert", "dear", condition="doc.price > 1000")
    await hook(site, receiver, "after_insert", "off", enabled=0)
    await site.inserted("Bike", frame="A", price=900)
    await site.inserted("Bike", frame="B", price=1900)
    await sent(site)
    assert [json.loads(body) for _, _, body in receiver.got] == [{"id": "B"}]
    assert receiver.paths() == ["/dear"]


async def test_a_webhook_is_checked_when_it_is_made(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", column("frame")))
    good = {
        "name": "W",
        "webhook_doctype": "Bike",
        "webhook_docevent": "on_update",
        "request_url": "http://127.0.0.1:1/x",
    }
    row = {"fieldname": "name", "key": "n"}
    for wrong in (
        {"webhook_docevent": "on_submit"},
        {"request_url": "nowhere"},
        {"webhook_doctype": "Nope"},
        {"enable_security": 1},
        {"webhook_data": [row, row]},
        {"request_structure": "JSON", "webhook_json": "{{ doc."},
    ):
        status, _ = await site.insert("Webhook", **good | wrong)
        assert status == 417, wrong
    assert (await site.inserted("Webhook", **good))["request_method"] == "POST"


async def test_on_change_tells_of_each_save_and_of_the_end_but_not_of_the_making(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    await hook(site, receiver, "after_insert")
    await hook(site, receiver, "on_change")
    await hook(site, receiver, "on_change", "kept", condition="not doc.flags.in_delete")
    await hook(site, receiver, "on_trash")
    await site.inserted("Bike", frame="A")
    await site.update("Bike", "A", price=1)
    await site.update("Bike", "A", docstatus=1)
    await site.update("Bike", "A", docstatus=2)
    await site.delete("Bike", "A")
    await sent(site)
    paths = receiver.paths()
    assert paths[0] == "/after_insert"
    assert sorted(paths[1:7]) == [
        "/kept",
        "/kept",
        "/kept",
        "/on_change",
        "/on_change",
        "/on_change",
    ]
    assert sorted(paths[7:]) == ["/on_change", "/on_trash"]


async def test_a_condition_sees_who_saved_and_what_was_there_before(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    mine = (await site.inserted("Bike", frame="B"))["modified_by"]
    await hook(site, receiver, "on_change", "others", condition=f'doc.modified_by != "{mine}"')
    moved = "doc.get_doc_before_save().price != doc.price"
    moved += " and utils.get_datetime(doc.modified) > utils.get_datetime(doc.creation)"
    await hook(site, receiver, "on_change", "price", condition=moved)
    await site.inserted("Bike", frame="A", price=1)
    await site.update("Bike", "A", price=1)
    await sent(site)
    assert receiver.paths() == []
    await site.update("Bike", "A", price=2)
    await sent(site)
    assert receiver.paths() == ["/price"]


async def test_the_queue_can_be_asked_what_waits_in_it(
    make_site: MakeSite, receiver: Receiver
) -> None:
    site = await shop(make_site)
    await hook(site, receiver, "after_insert")
    site.running.deliveries.held = True
    for frame in "ABC":
        await site.inserted("Bike", frame=frame)
    waiting = [["RQ Job", "status", "in", ["queued", "started"]]]
    rows = await site.list("RQ Job", filters=waiting, order_by="creation asc", fields=["name"])
    told = [json.loads(row["arguments"])["kwargs"] for row in rows]
    assert [one["doc"]["name"] for one in told] == ["A", "B", "C"]
    assert {one["webhook"]["name"] for one in told} == {"after_insert"}
    assert {row["status"] for row in rows} == {"queued"}
    assert all(row["creation"].endswith(("+01:00", "+02:00", "+00:00")) for row in rows)
    # As the real one: an order has to be given, and filters that name their DocType.
    assert (await site.get("/api/resource/RQ Job", filters=waiting))[0] == 500
    short = [["status", "=", "queued"]]
    asked = await site.get("/api/resource/RQ Job", filters=short, order_by="creation asc")
    assert asked[0] == 500
    site.running.deliveries.held = False
    await sent(site)
    assert len(receiver.got) == 3
    assert await site.list("RQ Job", filters=waiting, order_by="creation asc") == []
