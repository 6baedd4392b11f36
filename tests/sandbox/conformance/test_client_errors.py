"""Every refusal that a real ERPNext answered, put before the client: the class of error that a
caller branches on, a message without HTML, the fields, and a next step.

The recordings are looked for beside the checkout, or where BASCULE_RECORDINGS says.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bascule.frappe import (
    ChangedMeanwhile,
    Duplicate,
    FrappeError,
    Invalid,
    Linked,
    NoPermission,
    NotFound,
    Site,
    WrongCredentials,
)
from tests.kit import ROOT

RECORDINGS = Path(os.environ.get("BASCULE_RECORDINGS", ROOT.parent / "shared" / "erpnext"))

# What a caller has to know each one by. An exchange that is not named here fails the test below.
EXPECTED: dict[str, tuple[type[FrappeError], str]] = {
    "auth-002": (WrongCredentials, "does not know this API key"),
    "auth-003": (WrongCredentials, "does not know this API key"),
    "auth-004": (WrongCredentials, "took us for a guest"),
    "auth-006": (WrongCredentials, "does not know this API key"),
    "auth-007": (WrongCredentials, "does not know this API key"),
    "auth-008": (WrongCredentials, "took us for a guest"),
    "auth-011": (NoPermission, "frappe.utils.change_log.get_versions is not whitelisted"),
    "auth-014": (NotFound, "Failed to get method for command nope.nope"),
    "auth-015": (NoPermission, "frappe.utils.data.cint is not whitelisted"),
    "auth-016": (NotFound, "The site has no"),
    "auth-017": (WrongCredentials, "does not know this API key"),
    "list-008": (Invalid, "You have an error in your SQL syntax"),
    "list-013": (Invalid, "Illegal SQL Query"),
    "list-014": (Invalid, "Unknown column 'nope'"),
    "list-020": (Invalid, "You have an error in your SQL syntax"),
    "list-032": (Invalid, "Field not permitted in query: nope"),
    "list-033": (Invalid, "Operator must be one of"),
    "list-039": (Invalid, "JSONDecodeError"),
    "list-040": (Invalid, "JSONDecodeError"),
    "list-041": (Invalid, "Field not permitted in query: nope"),
    "list-044": (Invalid, "IndexError"),
    "list-045": (Invalid, "Field not permitted in query: password"),
    "list-051": (NoPermission, "may not read Item Reorder"),
    "list-054": (NotFound, "DocType Nope not found"),
    "list-058": (Invalid, "ProgrammingError"),
    "list-060": (NoPermission, "may not read Customer"),
    "list-062": (NoPermission, "may not read Deleted Document"),
    "list-063": (NoPermission, "may not read DocType 'Item'"),
    "call-011": (NotFound, "DocType Nope not found"),
    "call-013": (NotFound, "Item NOPE not found"),
    "doc-002": (NotFound, "Item NOPE not found"),
    "doc-005": (NoPermission, "may not read Customer 'Customer 001'"),
    "doc-006": (NoPermission, "may not write Item 'ITM-0001'"),
    "doc-007": (NoPermission, "may not create Supplier"),
    "doc-014": (ChangedMeanwhile, "has been modified after you have opened it"),
    "doc-021": (Invalid, "Could not find Customer Group: Nope"),
    "doc-022": (Invalid, 'Customer Type cannot be "Alien"'),
    "doc-023": (Invalid, "Value missing for Customer: Customer Name"),
    "doc-024": (Invalid, "'Tax ID' (xxx"),
    "doc-026": (Invalid, "JSONDecodeError"),
    "doc-027": (NotFound, "Customer NOPE not found"),
    "doc-028": (Invalid, "Value missing for Customer: Customer Name"),
    "doc-029": (Invalid, "Name cannot contain special characters like '<', '>'"),
    "doc-030": (Duplicate, "Item ITM-0001 already exists"),
    "doc-033": (NotFound, "Customer Rec Two not found"),
    "doc-036": (NotFound, "The site has no Customer 'Rec Two Renamed'"),
    "doc-038": (Linked, "Contact Customer 001-Customer 001 is linked with Sales Order"),
    "doc-040": (Invalid, "Not allowed to change Customer after submission"),
    "doc-047": (Invalid, "Could not find Supplier Group: Nope"),
    "webhook-004": (Invalid, "Please set the document name"),
    "webhook-006": (NoPermission, "may not create Webhook"),
    "webhook-012": (Linked, 'Contact Hooked "Ü" & Co-Hooked "Ü" & Co is linked with Customer'),
}
FIELDS = {
    "list-014": {"nope"},
    "list-032": {"nope"},
    "list-041": {"nope"},
    "list-045": {"password"},
    "doc-021": {"customer_group"},
    "doc-022": {"customer_type"},
    "doc-023": {"customer_name"},
    "doc-024": {"tax_id"},
    "doc-028": {"customer_name"},
    "doc-029": {"name"},
    "doc-040": {"customer"},
    "doc-047": {"Supplier Group"},  # its DocType was not asked about, so a label is all there is
}
# Asked about beforehand, so that labels can be told as fieldnames.
KNOWN = {
    "doc-021": "Customer",
    "doc-022": "Customer",
    "doc-024": "Customer",
    "doc-040": "Sales Order",
}
HTML = re.compile(r"</?(?:strong|b|a|br|details|summary|script|div|p)\b|&\w+;")


def recorded() -> list[dict[str, Any]]:
    if not RECORDINGS.is_dir():
        return []
    lines = [
        json.loads(line)
        for path in sorted((RECORDINGS / "exchanges").glob("*.jsonl"))
        if path.stem != "webhook_delivered"
        for line in path.read_text().splitlines()
    ]
    return [line for line in lines if line["response"]["status"] >= 400]


REFUSALS = recorded()
pytestmark = pytest.mark.skipif(
    not REFUSALS, reason=f"NO RECORDINGS at {RECORDINGS}: nothing of a real ERPNext was tried"
)


def as_recorded(response: dict[str, Any]) -> web.Response:
    body = json.dumps(response["json"]) if "json" in response else response["text"]
    return web.Response(status=response["status"], text=body, headers=response["headers"])


def definition(doctype: str) -> web.Response:
    path = RECORDINGS / "doctypes" / f"{doctype.lower().replace(' ', '_')}.json"
    return web.json_response({"data": json.loads(path.read_text())})


async def ask(site: Site, exchange: dict[str, Any]) -> None:
    """What the client would do to get this answer."""
    method, path = exchange["request"]["method"], exchange["request"]["path"]
    target = path.removeprefix("/api/v2/document/").removeprefix("/api/resource/")
    doctype, _, name = target.partition("/")
    body = exchange["request"].get("json") or {}
    if path == "/api/method/frappe.auth.get_logged_user":
        await site.logged_user()
    elif path.startswith("/api/method/"):
        await site.call(path.rpartition("/")[2], **body)
    elif path == "/api/nonsense":
        await site.document("Nonsense", "x")
    elif method == "GET" and name:
        await site.document(doctype, name)
    elif method == "GET":
        await site.list(doctype)
    elif method == "POST":
        await site.insert(doctype, body)
    elif method == "PUT":
        await site.update(doctype, name, body)
    else:
        await site.delete(doctype, name)


@pytest.mark.parametrize("exchange", REFUSALS, ids=lambda exchange: exchange["id"])
async def test_a_recorded_refusal_becomes_the_error_a_caller_can_act_on(
    exchange: dict[str, Any],
) -> None:
    wanted, words = EXPECTED[exchange["id"]]

    async def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/api/v2/doctype/"):
            if (known := KNOWN.get(exchange["id"])) is not None:
                return definition(known)
            return web.json_response({"exc_type": "DoesNotExistError"}, status=404)
        return as_recorded(exchange["response"])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Site(url, "the-key", "the-secret") as site:
            if exchange["id"] in KNOWN:
                await site.meta(KNOWN[exchange["id"]])
            with pytest.raises(FrappeError) as caught:
                await ask(site, exchange)
    finally:
        await runner.cleanup()

    error = caught.value
    assert type(error) is wanted, str(error)
    assert words in str(error)
    assert not HTML.search(str(error))
    assert "Traceback" not in str(error)
    assert error.next_step.endswith(".")
    assert error.status == exchange["response"]["status"]
    assert "the-secret" not in repr(error) + str(error) + error.next_step
    if isinstance(error, Invalid):
        assert set(error.fields) == FIELDS.get(exchange["id"], set())
        assert not any(HTML.search(text) for text in error.fields.values())


def test_every_recorded_refusal_is_expected_as_something() -> None:
    assert {exchange["id"] for exchange in REFUSALS} == set(EXPECTED)
